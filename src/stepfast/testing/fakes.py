"""Fakes that stand in for steps: what they run, how long they take, and what ends them."""

from __future__ import annotations

import copy
import inspect
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepfast.errors import StepTimeout
from stepfast.language.steps import Step
from stepfast.model import Stop


@dataclass(frozen=True, slots=True)
class Fake:
    """What runs in place of a step: after `takes` simulated seconds, with heartbeats meanwhile or without."""

    function: Callable[..., Any]
    takes: float = 0.0
    beats: bool = True


class Fakes:
    """The fakes and failures of a test, by the name of their step. Failures are used up before fakes."""

    def __init__(self) -> None:
        self._fakes: dict[str, Fake] = {}
        self._failures: dict[str, list[tuple[BaseException, float]]] = defaultdict(list)
        self._outages: dict[str, list[Fake]] = defaultdict(list)

    def put(self, step: Step[..., Any], fake: Fake) -> None:
        self._fakes[step.name] = fake

    def put_failure(self, step: Step[..., Any], error: BaseException, times: float) -> None:
        self._failures[step.name].append((error, times))

    def begin_outage(self, step: Step[..., Any], error: BaseException) -> Fake:
        """Has all attempts of a step fail until `end_outage` gets what this returns."""
        outage = Fake(_raising(error))
        self._outages[step.name].append(outage)
        return outage

    def end_outage(self, step: Step[..., Any], outage: Fake) -> None:
        """Ends an outage; nothing, if it has ended."""
        if outage in self._outages[step.name]:
            self._outages[step.name].remove(outage)

    def drop(self, step: Step[..., Any]) -> None:
        self._outages.pop(step.name, None)
        self._fakes.pop(step.name, None)
        self._failures.pop(step.name, None)

    def take(self, step: Step[..., Any]) -> Fake | None:
        """What the next attempt of this step runs; None for the step's own function.

        Where step.options(name=…) has renamed the step, a fake of the new name counts before that of the step.
        """
        if outages := self._outages[step.name] or self._outages[step.declared.name]:
            return outages[-1]
        failures = self._failures[step.name] or self._failures[step.declared.name]
        if not failures:
            return self._fakes.get(step.name) or self._fakes.get(step.declared.name)
        error, times = failures.pop(0)
        if times > 1:
            failures.insert(0, (error, times - 1))
        return Fake(_raising(error))


def _raising(error: BaseException) -> Callable[..., None]:
    def fail(*args: object, **kwargs: object) -> None:
        raise error.with_traceback(None)

    return fail


def first_end(step: Step[..., Any], fake: Fake) -> tuple[float, StepTimeout | None]:
    """Simulated seconds until the fake's time is over, and the timeout that cuts it off; None if none does."""
    ends: list[tuple[float, StepTimeout | None]] = [
        (step.timeout, StepTimeout(f"no result within {step.timeout:g} s")),
        (fake.takes, None),
    ]
    if step.heartbeat is not None and not fake.beats:
        ends.append((step.heartbeat, StepTimeout(f"no heartbeat for {step.heartbeat:g} s")))
    return min(ends, key=lambda end: end[0])


def heeds(step: Step[..., Any], fake: Fake, stop: Stop) -> bool:
    """Whether the replaced step would end here. As in Runner, a `def` step learns of a stop only at a heartbeat."""
    return stop.lost or step.is_async or (fake.beats and step.heartbeat is not None)


def standing_in(step: Step[..., Any], fake: Fake) -> Step[..., Any]:
    """A copy of the step that runs the fake, and awaits what it returns if that is awaitable."""

    async def function(*args: Any, **kwargs: Any) -> Any:
        value = fake.function(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    double = copy.copy(step)
    double.function, double.is_async = function, True
    return double
