"""What is behind a failure: the commands that a resume re-opens, and the error as it is stored. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace

from stepfast.errors import NonDeterministic, StepFailed, class_of
from stepfast.model import Failure
from stepfast.replay.asyncio_internals import scope_of
from stepfast.replay.replay import Replay

TRACEBACK_LIMIT = 8_000
MESSAGE_LIMIT = 4_000
CLASS_LIMIT = 500
BASES = 20
BASES_LIMIT = 2_000
"""Characters of the names of an exception's base classes, of which the nearest are recorded."""


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
    """Ids of the commands behind a finished replay's failure, which a resume re-opens.

    Where the failure names commands (its chain of exceptions leads to failed steps, or to a timeout), it is these, and
    the failed steps that the code saw together with them: with no command asked for in between. Where it names none,
    it is every failed step that the code had seen; but none for code that does not fit its records, which no step can
    fix.
    """
    named = _named(replay)
    if named:
        moments = {replay.seen[id] for id in named if id in replay.seen}
        return tuple(dict.fromkeys([*named, *(id for id in _failed(replay) if replay.seen[id] in moments)]))
    return () if isinstance(replay.error, NonDeterministic) else tuple(_failed(replay))


def _failed(replay: Replay) -> list[str]:
    """The steps whose failure the code had seen."""
    return [id for id in replay.seen if replay.records[id].kind == "step" and replay.records[id].status != "SUCCEEDED"]


def _named(replay: Replay) -> list[str]:
    """The failed steps, and the timers of timeouts, that the chain of exceptions leads to."""
    failed = {*_failed(replay)}
    ids = [failure.step_id for failure in behind(replay.error) if failure.step_id in failed]
    late = [one for one in chain(replay.error) if isinstance(one, TimeoutError)]
    timers = [id for one in late for id in _timers_behind(one, replay)]
    last = next(reversed(replay.seen), None)
    if late and not ids and not timers and last is not None and replay.issued[last].kind == "timer":
        timers = [last]
    return list(dict.fromkeys([*ids, *timers]))


def _timers_behind(error: TimeoutError, replay: Replay) -> Iterator[str]:
    """The timer whose scope raised this error: that of asyncio.timeout, asyncio.wait_for or anyio.fail_after."""
    scope = scope_of(error)
    if scope is not None:
        yield from (id for id in replay.seen if replay.issued[id].owner is scope)


def failure_of(replay: Replay) -> Failure:
    """The error of a finished replay as it is stored: for a step's failure, what the step itself raised."""
    error = replay.error
    assert error is not None
    steps = behind(error)
    if isinstance(error, StepFailed) and error.step_id in replay.records:
        recorded = replay.records[error.step_id].error
        found = Failure(error.error_type, error.message, error.step, recorded.traceback if recorded else None)
        return replace(found, error_class=recorded.error_class if recorded else None)
    return replace(describe_error(error), step=steps[0].step if steps else None, bases=())


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
        bases=tuple(_bases_of(type(error))),
    )


def _class_beyond_name(kind: type[BaseException]) -> str | None:
    """The class with its module; None where that tells no more than its name, as of what is built into Python."""
    named = class_of(kind)
    return None if named == kind.__name__ or _is_ours(kind) else _storable(named)[:CLASS_LIMIT]


def _bases_of(kind: type[BaseException]) -> Iterator[str]:
    """The classes that a program's own exception is derived from, nearest first, up to Exception.

    The bases of Python's and stepfast's own classes are known without a record.
    """
    left = BASES_LIMIT
    for base in kind.__mro__[1 : BASES + 1] if _class_beyond_name(kind) else ():
        name = _storable(class_of(base))
        left -= len(name)
        if left < 0 or not issubclass(base, BaseException):
            continue
        yield name
        if base is Exception:
            return


def _is_ours(kind: type[BaseException]) -> bool:
    return kind.__module__ == StepFailed.__module__
