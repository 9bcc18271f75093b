"""The decision after a failed attempt: another attempt after a delay, or the failure of the step.

Pure: the random source and the times are arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, get_args

from stepfast.errors import DefinitionError, GiveUp, NotStorable, RetryAfter

if TYPE_CHECKING:
    import random

Jitter = Literal["full", "equal", "none"]


@dataclass(frozen=True, slots=True, init=False)
class Retry:
    """A policy: which failures of a step are tried again, how often and how soon.

    After its n-th failure a step waits `min(max_delay, initial * backoff ** (n - 1))` seconds, changed by the jitter
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    max_attempts: the most attempts, the first included. None sets no limit. An attempt that a crash of the worker
    interrupted does not count.
    initial: the delay after the first failure, in seconds or as a timedelta; the attribute is in seconds.
    backoff: the factor by which the delay grows with each failure, at least 1.
    max_delay: the longest delay, in seconds or as a timedelta; the attribute is in seconds.
    jitter: "full" draws the delay from 0 up to the computed delay, "equal" from half of it upwards, "none" takes it as
    it is.
    max_elapsed: no attempt begins later than this after the first attempt began, in seconds or as a timedelta. None
    sets no limit.
    retry_on: only exceptions of these classes are retried.
    give_up_on: exceptions of these classes are never retried, also if `retry_on` has them.

    Raises DefinitionError for wrong values, with one line that names all of them.
    """

    max_attempts: int | None
    initial: float
    backoff: float
    max_delay: float
    jitter: Jitter
    max_elapsed: float | None
    retry_on: tuple[type[BaseException], ...]
    give_up_on: tuple[type[BaseException], ...]

    def __init__(
        self,
        *,
        max_attempts: int | None = 3,
        initial: float | timedelta = 1.0,
        backoff: float = 2.0,
        max_delay: float | timedelta = 60.0,
        jitter: Jitter = "full",
        max_elapsed: float | timedelta | None = None,
        retry_on: tuple[type[BaseException], ...] = (Exception,),
        give_up_on: tuple[type[BaseException], ...] = (),
    ) -> None:
        values = {
            "max_attempts": max_attempts,
            "initial": _in_seconds(initial),
            "backoff": backoff,
            "max_delay": _in_seconds(max_delay),
            "jitter": jitter,
            "max_elapsed": _in_seconds(max_elapsed),
            "retry_on": retry_on,
            "give_up_on": give_up_on,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        attempts = self.max_attempts
        violations = [
            rule
            for rule, holds in (
                (
                    "max_attempts is a whole number from 1 up, or None for tries without end",
                    attempts is None or (isinstance(attempts, int) and _is_number_from(attempts, 1)),
                ),
                ("initial is a number of seconds from 0 up, or a timedelta", _is_number_from(self.initial, 0)),
                ("backoff is a factor from 1 up", _is_number_from(self.backoff, 1)),
                ("max_delay is a number of seconds from 0 up, or a timedelta", _is_number_from(self.max_delay, 0)),
                (f"jitter is one of {', '.join(get_args(Jitter))}", self.jitter in get_args(Jitter)),
                (
                    "max_elapsed is None, or seconds above 0, or a timedelta",
                    self.max_elapsed is None or (_is_number_from(self.max_elapsed, 0) and self.max_elapsed > 0),
                ),
                ("retry_on is a tuple of exception classes", _are_exception_classes(self.retry_on)),
                ("give_up_on is a tuple of exception classes", _are_exception_classes(self.give_up_on)),
            )
            if not holds
        ]
        if violations:
            raise DefinitionError("Retry: " + "; ".join(violations))

    def delay(self, failures: int, draw: random.Random) -> float:
        """Seconds to wait after a failure. The delay does not exceed `max_delay`.

        failures: the number of failures so far, counted from 1.
        draw: the source of the jitter.
        """
        try:
            full = min(self.max_delay, self.initial * self.backoff ** (failures - 1))
        except OverflowError:
            full = self.max_delay if self.initial else 0.0
        if self.jitter == "full":
            return draw.uniform(0.0, full)
        if self.jitter == "equal":
            return draw.uniform(full / 2, full)
        return full


def _in_seconds(value: float | timedelta | None) -> float | None:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _is_number_from(value: object, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < float("inf")


def _are_exception_classes(value: object) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in value
    )


LONGEST_RETRY_DELAY_SECONDS = 200e9
"""6,300 years: after a longer delay the due time would lie beyond the year 9999, the last of datetime."""


def decide(policy: Retry, error: BaseException, *, failures: int, elapsed: float, draw: random.Random) -> float | None:
    """Seconds until the next attempt, or None when the step has failed for good.

    `failures` counts this one; `elapsed` is seconds since the step's first attempt began.
    A RetryAfter is always worth retrying and sets the delay, but attempts and max_elapsed still count.

    An ExceptionGroup, as a TaskGroup raises it, is judged by its members, however deep. A GiveUp or an error of
    give_up_on among them makes the step fail. Otherwise each has to be one of retry_on; the longest RetryAfter sets
    the delay. A group of a class that the policy itself names is judged as one error.
    """
    leaves = list(_members(error))
    if any(isinstance(leaf, (GiveUp, NotStorable)) for leaf in leaves):
        return None
    groups = tuple(kind for kind in policy.give_up_on + policy.retry_on if issubclass(kind, BaseExceptionGroup))
    judged = [member for member in _members(error, groups) if not isinstance(member, RetryAfter)]
    if any(isinstance(member, policy.give_up_on) or not isinstance(member, policy.retry_on) for member in judged):
        return None
    asked = [leaf.seconds for leaf in leaves if isinstance(leaf, RetryAfter)]
    return next_delay(policy, failures=failures, elapsed=elapsed, draw=draw, asked=max(asked, default=None))


def next_delay(
    policy: Retry, *, failures: int, elapsed: float, draw: random.Random, asked: float | None = None
) -> float | None:
    """Seconds until the next attempt after a failure that is worth one, or None when none is left.

    asked: the delay that a RetryAfter has asked for, in place of the policy's.
    """
    if policy.max_attempts is not None and failures >= policy.max_attempts:
        return None
    delay = policy.delay(failures, draw) if asked is None else asked
    if policy.max_elapsed is not None and elapsed + delay > policy.max_elapsed:
        return None
    return min(delay, LONGEST_RETRY_DELAY_SECONDS)


def _members(error: BaseException, whole: tuple[type[BaseException], ...] = ()) -> Iterator[BaseException]:
    """The error itself, or all that is in a group, but for groups of the classes to be taken as a whole."""
    if isinstance(error, BaseExceptionGroup) and not isinstance(error, whole):
        for member in error.exceptions:
            yield from _members(member, whole)
    else:
        yield error
