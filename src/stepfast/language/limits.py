"""Limits of steps: how often and how many at once, over all executions of a deployment (rules *slot*, *line*, *rate*).

Declared beside the steps that keep to them; engine/limiting.py keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, ParamSpec, TypeVar, overload

from stepfast.errors import DefinitionError
from stepfast.language.options import Seconds, name_of, seconds_of
from stepfast.records import dataclass

P = ParamSpec("P")
F_contra = TypeVar("F_contra", contravariant=True)
"""The type of the functions whose steps can take a limit: its key and its priority take their arguments."""

LONGEST_LIMIT_KEY = 200
"""Characters of a key. DynamoDB takes 1,024 bytes of a sort key, and an entry of a line has an id in it, too."""
MOST_SHARDS = 64
PRIORITIES = (0, 999)
"""The least and the highest priority; the highest goes first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may happen: `count` times in `per` seconds.

    count: how many times, above 0; it need not be a whole number.
    per: the time for them, in seconds or as a timedelta; the attribute is in seconds.
    burst: how many may come at one moment after a pause. 1 spaces them evenly.

    Raises DefinitionError for a wrong value.
    """

    count: float
    per: float = 1.0
    burst: int = 1

    def __init__(self, count: float, per: Seconds = 1.0, burst: int = 1) -> None:
        if isinstance(count, bool) or not isinstance(count, int | float) or not 0 < count < float("inf"):
            raise DefinitionError(f"a rate is a number above 0, not {count!r}")
        object.__setattr__(self, "count", float(count))
        object.__setattr__(self, "per", seconds_of(per, "per"))
        object.__setattr__(self, "burst", _whole(burst, "burst"))

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return self.per / self.count


@dataclass(frozen=True, slots=True)
class Gate:
    """When a limit closes because the service behind it fails, and how it opens again.

    failures: how many failures of one cause close it.
    window: the time within which they must come, in seconds or as a timedelta; the attribute is in seconds.
    probe: the time between two attempts that are let through while it is closed, in seconds or as a timedelta.
    ramp: the factor by which the rate grows while it opens, above 1.

    Raises DefinitionError for a wrong value.
    """

    failures: int = 5
    window: float = 60.0
    probe: float = 30.0
    ramp: float = 2.0

    def __init__(self, failures: int = 5, window: Seconds = 60.0, probe: Seconds = 30.0, ramp: float = 2.0) -> None:
        object.__setattr__(self, "failures", _whole(failures, "failures"))
        object.__setattr__(self, "window", seconds_of(window, "window"))
        object.__setattr__(self, "probe", seconds_of(probe, "probe"))
        if isinstance(ramp, bool) or not isinstance(ramp, int | float) or not 1 < ramp <= 1000:
            raise DefinitionError(f"ramp is a number above 1, not {ramp!r}")
        object.__setattr__(self, "ramp", float(ramp))


@dataclass(frozen=True, slots=True)
class LabelKey:
    """The key of a limit that is a label of the execution. `label` makes it."""

    name: str


def label(name: str) -> LabelKey:
    """The label of an execution as the key of a limit: `Limit("crm", concurrency=2, key=label("customer"))`.

    name: the name of the label. Executions without this label share the key "".

    Raises DefinitionError for an empty name.
    """
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"label takes the name of a label, not {name!r}")
    return LabelKey(name)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a limit, from code, from settings, or as they were set at run time.

    rate: None for none. concurrency: the most attempts at once, None for any number.
    """

    rate: Rate | None = None
    concurrency: int | None = None

    def shard(self, number: int, shards: int) -> Numbers:
        """What one of several shards has of these numbers."""
        if shards == 1:
            return self
        rate, slots = self.rate, self.concurrency
        if rate is not None:
            rate = Rate(rate.count / shards, rate.per, max(1, rate.burst // shards))
        if slots is not None:
            slots = slots // shards + (number < slots % shards)
        return Numbers(rate, slots)


class Limit(Generic[F_contra]):
    """A limit on steps, shared by all executions of a deployment: `@step(limits=[stripe])`.

    Each attempt of a step takes from all of its limits before it begins, a retry and a resume included. A step that
    waits for a limit uses up neither attempts nor its timeout.

    name: the name, 1 to 64 of A-Z a-z 0-9 . _ -. Limits of one name are one limit, and must have the same numbers.
    rate: how many attempts may begin in `per` seconds.
    per: in seconds or as a timedelta.
    burst: how many may begin at one moment after a pause.
    concurrency: how many attempts may run at once.
    key: what the numbers are for, each by itself: a function of the step's arguments that returns a text, or
    `label("customer")` for a label of the execution. Without it there is one key.
    shared: the numbers are for all keys together. Of those that wait for a slot the keys are served in turn.
    shards: over how many parts a key is spread that is taken more than 500 times a second on AWS. Each part has its
    share of the numbers, and steps are spread by chance.
    priority: 0 to 999, or a function of the step's arguments that returns it. Of those that wait for a slot of one key
    the highest is served first; among equals, the first to come.
    gate: closes the limit while the service behind it fails.

    Raises DefinitionError for a wrong value.
    """

    @overload
    def __init__(
        self: Limit[Callable[..., Any]],
        name: str,
        *,
        rate: float | None = None,
        per: Seconds = 1.0,
        burst: int = 1,
        concurrency: int | None = None,
        key: LabelKey | None = None,
        shared: bool = False,
        shards: int = 1,
        priority: int = 0,
        gate: Gate | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Limit[Callable[P, Any]],
        name: str,
        *,
        rate: float | None = None,
        per: Seconds = 1.0,
        burst: int = 1,
        concurrency: int | None = None,
        key: Callable[P, str],
        shared: bool = False,
        shards: int = 1,
        priority: Callable[P, int] | int = 0,
        gate: Gate | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Limit[Callable[P, Any]],
        name: str,
        *,
        rate: float | None = None,
        per: Seconds = 1.0,
        burst: int = 1,
        concurrency: int | None = None,
        key: LabelKey | None = None,
        shared: bool = False,
        shards: int = 1,
        priority: Callable[P, int],
        gate: Gate | None = None,
    ) -> None: ...
    def __init__(
        self,
        name: str,
        *,
        rate: float | None = None,
        per: Seconds = 1.0,
        burst: int = 1,
        concurrency: int | None = None,
        key: Any = None,
        shared: bool = False,
        shards: int = 1,
        priority: Any = 0,
        gate: Gate | None = None,
    ) -> None:
        self.name = name_of(name, "limit")
        where = f"limit {self.name!r}"
        try:
            slots = None if concurrency is None else _whole(concurrency, "concurrency")
            self.numbers = Numbers(None if rate is None else Rate(rate, per, burst), slots)
            self.shards = _whole(shards, "shards")
        except DefinitionError as error:
            raise DefinitionError(f"{where}: {error}") from None
        if rate is None and (per != 1.0 or burst != 1):
            raise DefinitionError(f"{where}: per and burst are for a limit that has a rate")
        if rate is None and concurrency is None and gate is None:
            raise DefinitionError(f"{where} limits nothing: give it a rate, a concurrency or a gate")
        if not (key is None or callable(key) or isinstance(key, LabelKey)):
            raise DefinitionError(
                f'{where}: key takes a function of the step\'s arguments or label("name"), not {key!r}'
            )
        if not (callable(priority) or is_priority(priority)):
            raise DefinitionError(f"{where}: priority is a whole number from 0 to 999 or a function, not {priority!r}")
        if gate is not None and not isinstance(gate, Gate):
            raise DefinitionError(f"{where}: gate takes a Gate, not {gate!r}")
        if shared and key is None:
            raise DefinitionError(f"{where}: shared is for a limit with a key")
        if self.shards > MOST_SHARDS or (slots is not None and self.shards > slots):
            raise DefinitionError(f"{where}: shards is at most {MOST_SHARDS}, and at most the concurrency")
        self.key: Callable[..., str] | LabelKey | None = key
        self.priority: Callable[..., int] | int = priority
        self.shared, self.gate = bool(shared), gate

    @property
    def declared(self) -> tuple[object, ...]:
        """The options that limits of one name must agree in."""
        return self.numbers, self.shards, self.shared, self.gate

    def __repr__(self) -> str:
        return f"<limit {self.name!r}>"


def is_priority(value: object) -> bool:
    return type(value) is int and PRIORITIES[0] <= value <= PRIORITIES[1]


def limits_of(limits: Sequence[object], step: str) -> tuple[Limit[Any], ...]:
    """The limits of `@step(limits=…)` in the order in which they are taken: slots first, and by name.

    Raises DefinitionError for what is no limit, and for a limit that is there twice. step: the name of the step.
    """
    if isinstance(limits, Limit) or not isinstance(limits, Sequence):
        raise DefinitionError(f"step {step!r}: limits takes a list of limits, not {limits!r}")
    held: dict[str, Limit[Any]] = {}
    for limit in limits:
        if not isinstance(limit, Limit):
            raise DefinitionError(f"step {step!r}: limits takes limits, not {limit!r}")
        if held.setdefault(limit.name, limit) is not limit or sum(other is limit for other in limits) > 1:
            raise DefinitionError(f"step {step!r}: it has two limits named {limit.name!r}")
    return tuple(sorted(held.values(), key=lambda limit: (limit.numbers.concurrency is None, limit.name)))


def numbers_with(
    numbers: Numbers, *, rate: float | None, per: float | None, burst: int | None, concurrency: int | None
) -> Numbers:
    """Numbers with those replaced that are given, as settings and `limits set` do. Raises DefinitionError."""
    held = numbers.rate
    if rate is not None or per is not None or burst is not None:
        count = rate if rate is not None else held.count if held is not None else None
        if count is None:
            raise DefinitionError("per and burst are for a limit that has a rate")
        default = held or Rate(count)
        numbers = replace(
            numbers,
            rate=Rate(count, default.per if per is None else per, default.burst if burst is None else burst),
        )
    if concurrency is not None:
        numbers = replace(numbers, concurrency=_whole(concurrency, "concurrency"))
    return numbers


def _whole(value: object, field: str) -> int:
    if type(value) is not int or value < 1:
        raise DefinitionError(f"{field} is a whole number from 1 up, not {value!r}")
    return value


__all__ = ["Gate", "Limit", "Rate", "label"]
