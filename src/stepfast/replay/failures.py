"""The commands that caused a failure, which a resume opens again, and the error as it is stored. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace

from stepfast.error_text import message_of, without_values
from stepfast.errors import ChildFailed, NonDeterministic, StepFailed, class_of
from stepfast.language.callback_errors import CallbackFailed, CallbackTimeout
from stepfast.model import Failure
from stepfast.replay.asyncio_internals import scope_of
from stepfast.replay.handlers import is_of_update
from stepfast.replay.replay import Replay

TRACEBACK_LIMIT = 8_000
MESSAGE_LIMIT = 4_000
CLASS_LIMIT = 500
FAILABLE = ("step", "child")
BASES = 20
BASES_LIMIT = 2_000
"""The names of an exception's base classes are recorded up to this many characters, the nearest class first."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and the exceptions behind it: its cause or context, and the members of a group.

    A StepFailed ends the chain: its cause or context is an earlier failure that the code had already handled.
    """
    seen: set[int] = set()
    stack = [error]
    while stack:
        link = stack.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            stack.extend(reversed(link.exceptions))
        elif not isinstance(link, StepFailed):
            stack.append(link.__cause__ or link.__context__)


def behind(error: BaseException | None) -> list[StepFailed]:
    """The step failures behind an exception."""
    return [link for link in chain(error) if isinstance(link, StepFailed)]


def causes_of(replay: Replay) -> tuple[str, ...]:
    """Ids of the commands behind a finished replay's failure, which a resume opens again.

    If the chain of exceptions leads to failed steps or to a timeout, these commands are the causes, together with the
    failed steps that the code saw at the same moment: it issued no command in between. Otherwise every failed step
    that the code had seen is a cause. Code that does not fit its records has no causes, since no step can fix it.
    """
    named = _named(replay)
    if named:
        moments = {replay.seen[id] for id in named if id in replay.seen}
        return tuple(dict.fromkeys([*named, *(id for id in _failed(replay) if replay.seen[id] in moments)]))
    return () if isinstance(replay.error, NonDeterministic) else tuple(_failed(replay))


def _failed(replay: Replay) -> list[str]:
    """The failed steps and children whose failure the code had seen, in order."""
    records = {id: replay.records[id] for id in replay.seen}
    # A step of an update fails the update, and its sender has received that.
    return [
        id
        for id, record in records.items()
        if record.kind in FAILABLE and record.status != "SUCCEEDED" and not is_of_update(id)
    ]


def _named(replay: Replay) -> list[str]:
    """The failed steps, and the timers of timeouts, that the chain of exceptions leads to."""
    failed = {*_failed(replay)}
    ids = [failure.step_id for failure in behind(replay.error) if failure.step_id in failed]
    # A link takes one answer and expires. So what a resume opens again is the step that has made the link.
    ids += [
        link.step_id
        for link in chain(replay.error)
        if isinstance(link, CallbackFailed | CallbackTimeout) and link.step_id in replay.seen
    ]
    timeouts = [link for link in chain(replay.error) if isinstance(link, TimeoutError)]
    timers = [id for timeout in timeouts for id in _timers_behind(timeout, replay)]
    last = next(reversed(replay.seen), None)
    if timeouts and not ids and not timers and last is not None and replay.issued[last].kind == "timer":
        timers = [last]
    return list(dict.fromkeys([*ids, *timers]))


def _timers_behind(error: TimeoutError, replay: Replay) -> Iterator[str]:
    """The timer whose scope raised this error: that of asyncio.timeout, asyncio.wait_for or anyio.fail_after."""
    scope = scope_of(error)
    if scope is not None:
        yield from (id for id in replay.seen if replay.issued[id].owner is scope)


def failure_of(replay: Replay) -> Failure:
    """The error of a finished replay as it is stored. For a failed step it is the error that the step raised."""
    error = replay.error
    assert error is not None
    steps = behind(error)
    if isinstance(error, StepFailed) and error.step_id in replay.records:
        recorded = replay.records[error.step_id].error
        step = error.failed_step or error.step if isinstance(error, ChildFailed) else error.step
        failure = Failure(error.error_type, error.message, step, recorded.traceback if recorded else None)
        return replace(failure, error_class=recorded.error_class if recorded else None)
    return replace(describe_error(error), step=steps[0].step if steps else None, bases=())


def _storable(text: str) -> str:
    """The text with lone surrogates escaped, as in file names that are not UTF-8: no store takes them."""
    return text.encode("utf-8", "backslashreplace").decode()


def describe_error(error: BaseException) -> Failure:
    """Class name, text and traceback of an exception, each cut to a length that a record can hold."""
    try:
        message = _storable(message_of(error))
    except Exception:  # a broken __str__ must not hide the failure
        message = "(its text cannot be shown)"
    lines = _storable(without_values("".join(traceback.format_exception(error, limit=-20))))
    return Failure(
        type(error).__name__,
        message if len(message) <= MESSAGE_LIMIT else message[:MESSAGE_LIMIT] + "…",
        None,
        lines if len(lines) <= TRACEBACK_LIMIT else "…" + lines[-TRACEBACK_LIMIT:],
        error_class=_class_beyond_name(type(error)),
        bases=tuple(_bases_of(type(error))),
    )


def _class_beyond_name(kind: type[BaseException]) -> str | None:
    """The class with its module; None for classes of Python and of stepfast, whose name is enough."""
    named = class_of(kind)
    return None if named == kind.__name__ or _is_ours(kind) else _storable(named)[:CLASS_LIMIT]


def _bases_of(kind: type[BaseException]) -> Iterator[str]:
    """The base classes of a program's own exception, nearest first, up to Exception.

    Exceptions of Python and of stepfast have none here, since their base classes are known without a record.
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
