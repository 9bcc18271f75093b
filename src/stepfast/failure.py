"""What is behind a failure: the commands that a resume re-opens, and the error as it is stored. Pure."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from dataclasses import replace

from stepfast.errors import StepFailed, class_of
from stepfast.model import Failure
from stepfast.replay import Replay

TRACEBACK_LIMIT = 8_000
MESSAGE_LIMIT = 4_000
CLASS_LIMIT = 500


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what is behind it: its cause or context, and the members of a group.

    A StepFailed ends the chain: what it followed on is an earlier failure that the code had dealt with.
    """
    seen: set[int] = set()
    stack = [error]
    while stack:
        one = stack.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            stack.extend(reversed(one.exceptions))
        elif not isinstance(one, StepFailed):
            stack.append(one.__cause__ or one.__context__)


def behind(error: BaseException | None) -> list[StepFailed]:
    """The step failures behind an exception."""
    return [one for one in chain(error) if isinstance(one, StepFailed)]


def causes_of(replay: Replay) -> tuple[str, ...]:
    """Ids of the commands behind a finished replay's failure: failed steps, and the timers of timeouts."""
    ids = [one.step_id for one in behind(replay.error) if one.step_id in replay.records]
    late = [one for one in chain(replay.error) if isinstance(one, TimeoutError)]
    timers = [id for one in late for id in _timers_behind(one, replay)]
    last = next(reversed(replay.taken), None)
    if late and not ids and not timers and last is not None and replay.issued[last].kind == "timer":
        timers = [last]
    return tuple(dict.fromkeys([*ids, *timers]))


def _timers_behind(error: TimeoutError, replay: Replay) -> Iterator[str]:
    """The timer of the `asyncio.timeout` that raised this error: its frame is where the traceback ends."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is asyncio.Timeout.__aexit__.__code__:
            for id in replay.taken:
                waiter = replay.issued[id].waiter
                if isinstance(waiter, asyncio.TimerHandle) and frame.f_locals["self"] is _owner_of(waiter):
                    yield id


def _owner_of(handle: asyncio.TimerHandle) -> object:
    return getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]


def failure_of(replay: Replay) -> Failure:
    """The error of a finished replay as it is stored: for a step's failure, what the step itself raised."""
    error = replay.error
    assert error is not None
    steps = behind(error)
    if isinstance(error, StepFailed) and error.step_id in replay.records:
        recorded = replay.records[error.step_id].error
        found = Failure(error.error_type, error.message, error.step, recorded.traceback if recorded else None)
        return replace(found, error_class=recorded.error_class if recorded else None)
    return replace(describe_error(error), step=steps[0].step if steps else None)


def _storable(text: str) -> str:
    """Half characters, as in names of files that are no UTF-8, spelled out: no store takes them."""
    return text.encode("utf-8", "backslashreplace").decode()


def describe_error(error: BaseException) -> Failure:
    """Class name, text and traceback of an exception, each cut to a size that a record can carry."""
    try:
        message = _storable(str(error))
    except Exception:  # a broken __str__ must not hide the failure
        message = "(its text cannot be shown)"
    lines = _storable("".join(traceback.format_exception(error, limit=-20)))
    return Failure(
        type(error).__name__,
        message if len(message) <= MESSAGE_LIMIT else message[:MESSAGE_LIMIT] + "…",
        None,
        lines if len(lines) <= TRACEBACK_LIMIT else "…" + lines[-TRACEBACK_LIMIT:],
        error_class=_class_beyond_name(type(error)),
    )


def _class_beyond_name(kind: type[BaseException]) -> str | None:
    """The class with its module; None where that tells no more than its name, as of what is built into Python."""
    named = class_of(kind)
    return None if named == kind.__name__ or _is_ours(kind) else _storable(named)[:CLASS_LIMIT]


def _is_ours(kind: type[BaseException]) -> bool:
    return kind.__module__ == StepFailed.__module__
