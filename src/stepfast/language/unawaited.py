"""Steps, coroutines and failed tasks that workflow code never awaited: an error of the execution, not a warning.

Three things count: a call of a step that nothing began to await, a coroutine that nothing began to await, and a failed
task that nothing ever waited for (by `await`, `gather`, `wait` or a task group). The task counts only if it failed
before the coroutine of the workflow ended. A task that succeeds in the background, or is cancelled with the workflow,
is no error.

The result is the same in every replay. CPython counts references, so an object is finalized as soon as it is dropped.
Its garbage collector finalizes objects in cycles at any time and in any thread, so those are left out here, and
`check` looks at all calls of steps again at the end.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Iterable
from typing import Any

from stepfast.collector import is_collecting
from stepfast.error_text import message_of
from stepfast.errors import ForbiddenInWorkflow, NeverAwaited

_MAX_SHOWN = 5


class Unawaited:
    """Collects what was never awaited, for the loop of one replay.

    closed: True once the replay is discarded; objects dropped after that do not count. only_looks: code that must not
    call steps, as errors name it. lost_calls: what was dropped so far, as errors describe it.
    """

    def __init__(self) -> None:
        self.closed = False
        self.only_looks: str | None = None
        self._calls: dict[int, str] = {}
        self._numbers = 0
        self.lost_calls: list[str] = []
        self._failed: list[tuple[str, BaseException]] = []
        self._gathers: list[weakref.ref[Any]] = []
        self._ended = False

    # -- steps and coroutines ----------------------------------------------------------------------------

    def called(self, call: str) -> int:
        """Notes a call of a step or a child, which must be awaited, and returns its number. call: as errors name it."""
        if self.only_looks is not None:
            raise ForbiddenInWorkflow(f"{self.only_looks} called {call}: it may only look at the workflow's variables")
        self._numbers += 1
        self._calls[self._numbers] = call
        return self._numbers

    def begun(self, number: int) -> None:
        """Notes that the call is awaited, or was closed on purpose. Repeating it changes nothing."""
        self._calls.pop(number, None)

    def dropped(self, number: int, loop: object) -> None:
        """Notes that the object of a call was finalized before anything began to await it."""
        if self.closed or is_collecting() or asyncio._get_running_loop() is not loop:
            return
        self.lost_calls.append(f"{self._calls.pop(number, 'a step')} was called and never awaited: it has not run")

    def coroutine(self, coroutine: Any) -> bool:
        """Notes a coroutine that was finalized without being awaited; False where the collector did so."""
        if self.closed:
            return True
        if is_collecting():
            return False
        name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
        self.lost_calls.append(f"coroutine {name!r} was made and never awaited: it has not run")
        return True

    # -- tasks -------------------------------------------------------------------------------------------

    def lost(self, context: dict[str, Any]) -> None:
        """Takes the context that asyncio passes to its exception handler for a future finalized with its exception.

        The text "… exception was never retrieved" is that of Future.__del__ in CPython 3.11 to 3.13.
        """
        future, error = context.get("future"), context.get("exception")
        if self._ended or self.closed or error is None or "never retrieved" not in context.get("message", ""):
            return
        # A future that still exists at the end is noted by `end`, so it makes no difference when it is collected.
        if counts(future):
            self._note_failure(future, error)

    def gathers(self, future: Any) -> None:
        """Notes the future that gather() returns, without keeping it alive."""
        self._gathers.append(weakref.ref(future))

    def end(self, tasks: Iterable[Any]) -> None:
        """Notes the tasks that have failed by the end of the coroutine of the workflow."""
        self._ended = True
        for future in (*tasks, *(reference() for reference in self._gathers)):
            # Future.exception() clears _log_traceback, by which asyncio knows that nobody has seen the exception.
            # Reading the private _exception leaves the mark as it is (CPython 3.11 to 3.13, in C and in Python alike).
            if future is not None and future.done() and future._log_traceback and counts(future):
                self._note_failure(future, future._exception)

    def _note_failure(self, future: Any, error: BaseException) -> None:
        # A cancelled gather() gets the CancelledError as its exception (_GatheringFuture, CPython 3.11 to 3.13).
        if not isinstance(error, asyncio.CancelledError):
            self._failed.append((_describe_future(future), error))

    # -- the verdict ---------------------------------------------------------------------------------------

    def error(self) -> NeverAwaited:
        """The error for the objects in `lost_calls`, of which there must be one."""
        return _never_awaited(self.lost_calls)

    def check(self) -> None:
        """Raises NeverAwaited for everything never awaited. Call it once the workflow has returned."""
        calls = [f"{call} was called and never awaited: it has not run" for call in self._calls.values()]
        if self.lost_calls or calls:
            raise _never_awaited([*self.lost_calls, *calls])
        if self._failed:
            errors = [error for _, error in self._failed]
            messages = [
                f"{name} failed, and nothing ever awaited it: {_describe_error(error)}" for name, error in self._failed
            ]
            cause = errors[0] if len(errors) == 1 else BaseExceptionGroup("in tasks that nothing awaited", errors)
            raise NeverAwaited(
                "; ".join(messages[:_MAX_SHOWN])
                + ". Await the task, run it in an asyncio.TaskGroup, or catch the error in it"
            ) from cause


def counts(future: Any) -> bool:
    """Whether a failure of this task or gather() counts: nothing in the workflow has waited for it."""
    if getattr(future, "watched", False):
        return False
    # A task of the workflow has a path. The future of gather() has the private list _children (CPython 3.11 to 3.13).
    return bool(getattr(future, "path", None)) or hasattr(future, "_children")


def is_waiting(callback: Any) -> bool:
    """Whether a callback of a task means that something waits: it is from asyncio or anyio, not from the program."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    if isinstance(getattr(callback, "__self__", None), asyncio.Future):
        return True
    return str(getattr(callback, "__module__", None)).partition(".")[0] in ("asyncio", "_asyncio", "anyio")


def _describe_future(future: Any) -> str:
    return f"task {future.path!r}" if getattr(future, "path", None) else "a gather()"


def _describe_error(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {message_of(error)}"[:300]
    except Exception:  # a broken __str__ must not hide the failure
        return type(error).__name__


def _never_awaited(messages: list[str]) -> NeverAwaited:
    advice = "Await it, hand it to asyncio.gather() or create_task(), or leave it out; then resume this execution"
    return NeverAwaited(f"{'; '.join(messages[:_MAX_SHOWN])}. {advice}")
