"""What workflow code has called or started and never awaited: an error of its execution, not a stray warning.

Three things count. A step that was called, or a coroutine that was made, and that nobody began to await. A task that
failed before the workflow's own coroutine ended, and that nothing has ever waited for: no `await`, `gather`, `wait`,
task group. What ends well in the background, or is cancelled with the workflow, is asyncio's own business.

What is said here is the same in every replay. Objects that are dropped are seen at once, since CPython counts
references; what its collector drops, at any time and in any thread, is left out, and calls of steps are looked at again
at the end.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Iterable
from typing import Any

from stepfast.collector import is_collecting
from stepfast.errors import NeverAwaited

_MAX_SHOWN = 5


class Unawaited:
    """Belongs to the loop of one replay. closed: the replay is discarded, and what is dropped says nothing."""

    def __init__(self) -> None:
        self.closed = False
        self._calls: dict[int, str] = {}
        self._numbers = 0
        self._dropped: list[str] = []
        self._failed: list[tuple[str, BaseException]] = []
        self._gathers: list[weakref.ref[Any]] = []
        self._ended = False

    # -- steps and coroutines ----------------------------------------------------------------------------

    def called(self, step: str) -> int:
        """The number of a step's call, which is to be awaited."""
        self._numbers += 1
        self._calls[self._numbers] = step
        return self._numbers

    def begun(self, number: int) -> None:
        """The call is awaited, or was closed on purpose."""
        self._calls.pop(number, None)

    def dropped(self, number: int, loop: object) -> None:
        """The call's object is gone, and nobody had begun to await it."""
        if self.closed or is_collecting() or asyncio._get_running_loop() is not loop:
            return
        self._dropped.append(f"step {self._calls.pop(number, '?')!r} was called and never awaited: it has not run")

    def coroutine(self, coroutine: Any) -> bool:
        """Notes a coroutine that is gone; False where that says nothing of this workflow."""
        if self.closed:
            return True
        if is_collecting():
            return False
        name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
        self._dropped.append(f"coroutine {name!r} was made and never awaited: it has not run")
        return True

    # -- tasks -------------------------------------------------------------------------------------------

    def lost(self, context: dict[str, Any]) -> None:
        """Takes what asyncio would log of a task or future that is gone with its exception."""
        future, error = context.get("future"), context.get("exception")
        if self._ended or self.closed or error is None or "never retrieved" not in context.get("message", ""):
            return
        # What is still there at the end is seen then, so that it makes no difference whether it is collected before.
        if counts(future):
            self._note_failure(future, error)

    def gathers(self, future: Any) -> None:
        """Notes what gather() returns, without keeping it."""
        self._gathers.append(weakref.ref(future))

    def end(self, tasks: Iterable[Any]) -> None:
        """The workflow's own coroutine has ended: what has failed by now has failed in the background."""
        self._ended = True
        for future in (*tasks, *(reference() for reference in self._gathers)):
            # Reading exception() would make it count as seen.
            if future is not None and future.done() and future._log_traceback and counts(future):
                self._note_failure(future, future._exception)

    def _note_failure(self, future: Any, error: BaseException) -> None:
        # A gather() that was cancelled ends with the CancelledError as its exception.
        if not isinstance(error, asyncio.CancelledError):
            self._failed.append((_describe_future(future), error))

    # -- the verdict ---------------------------------------------------------------------------------------

    def error(self) -> NeverAwaited | None:
        """What was dropped so far; None if nothing was."""
        return _never_awaited(self._dropped) if self._dropped else None

    def check(self) -> None:
        """Raises NeverAwaited, once the workflow has returned, for all that it has left behind."""
        calls = [f"step {name!r} was called and never awaited: it has not run" for name in self._calls.values()]
        if self._dropped or calls:
            raise _never_awaited([*self._dropped, *calls])
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
    """Whether a failure of this task or gather() is the workflow's: not one that something has waited for."""
    if getattr(future, "watched", False):
        return False
    return bool(getattr(future, "path", None)) or hasattr(future, "_children")


def is_waiting(callback: Any) -> bool:
    """Whether a callback of a task is asyncio's or anyio's, by which something waits, and not the program's own."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    if isinstance(getattr(callback, "__self__", None), asyncio.Future):
        return True
    return str(getattr(callback, "__module__", None)).partition(".")[0] in ("asyncio", "_asyncio", "anyio")


def _describe_future(future: Any) -> str:
    return f"task {future.path!r}" if getattr(future, "path", None) else "a gather()"


def _describe_error(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # a broken __str__ must not hide the failure
        return type(error).__name__


def _never_awaited(messages: list[str]) -> NeverAwaited:
    advice = "Await it, hand it to asyncio.gather() or create_task(), or leave it out; then resume this execution"
    return NeverAwaited(f"{'; '.join(messages[:_MAX_SHOWN])}. {advice}")
