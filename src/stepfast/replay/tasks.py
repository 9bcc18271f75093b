"""Tasks and futures of workflow code. Their hash is a number of the replay, and a task knows its structural path."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from stepfast.language.unawaited import is_waiting
from stepfast.replay.asyncio_internals import forget_task, init_future

if TYPE_CHECKING:
    from stepfast.replay.loop import WorkflowLoop

Started = tuple[Coroutine[Any, Any, Any] | None, contextvars.Context, "weakref.ref[WorkflowTask]"]


class WorkflowFuture(asyncio.Future[Any]):
    """A future whose hash is its number, so that sets of futures have the same order in every replay."""

    __slots__ = ("number",)

    def __init__(self, number: int, loop: WorkflowLoop) -> None:
        init_future(self, loop=loop)
        self.number = number

    def __hash__(self) -> int:
        return self.number


class WorkflowTask(asyncio.Task[Any]):
    """A task whose hash is its number, with the structural path that the ids of its commands begin with.

    reserved: for a task that consists of a single step call, the id of that command; else None.
    watched: something waits for the task, or has waited for it.
    """

    watched = False

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        number: int,
        path: str,
        reserved: str | None,
        loop: WorkflowLoop,
        context: contextvars.Context | None,
        name: str | None = None,
        *,
        eager: bool = False,
    ) -> None:
        self.number = number
        self.path = path
        self.reserved = reserved
        self.context = contextvars.copy_context() if context is None else context
        self._log_destroy_pending = False
        # Only coroutines with a frame are held: the awaitable of agen.asend() would keep its generator alive.
        held = coroutine if hasattr(coroutine, "cr_frame") else None
        loop.tasks.append((held, self.context, weakref.ref(self)))
        options: Any = {"eager_start": True} if eager else {}  # Python 3.11 has no such parameter
        super().__init__(coroutine, loop=loop, name=name or path or "workflow", context=self.context, **options)
        forget_task(self)

    def __hash__(self) -> int:
        return self.number

    def add_done_callback(self, callback: Any, /, *, context: Any = None) -> None:
        self.watched = self.watched or is_waiting(callback)
        super().add_done_callback(callback, context=context)
