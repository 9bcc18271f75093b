"""The deterministic event loop of workflow code: a FIFO of ready handles, no I/O, recorded time.

It refuses everything else that an asyncio loop offers, with an error that says what to do instead. forbidden.py
refuses what workflow code does without the loop.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import random
import sys
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn, Protocol

from stepfast.errors import ForbiddenInWorkflow
from stepfast.frames import calls
from stepfast.language.calls import CommandCall
from stepfast.language.unawaited import Unawaited
from stepfast.language.workflow_loop import CommandLoop, Commands
from stepfast.replay import forbidden as forbidden  # its audit hook comes with the loop
from stepfast.replay import interception
from stepfast.replay.asyncio_internals import (
    QuickHandle,
    current_task,
    enter_task,
    get_running_loop,
    leave_task,
    order_cancel_scopes,
    run_turn,
    set_running_loop,
)
from stepfast.replay.generators import Generator, Generators, HeldGenerator
from stepfast.replay.tasks import Started, WorkflowFuture, WorkflowTask

FOREVER = 253_402_300_799.0
"""The end of the year 9999, in seconds since the epoch. A timer that is due later, or never, is due then."""
SPIN = 1_000_000
"""Handles that may run between two results. Workflow code that needs more runs in circles."""
CLOSE_ROUNDS = 100
"""How often the `finally` blocks of a discarded replay's code may await again before it is given up."""

_undead: list[object] = []


class Closed(BaseException):
    """Raised in workflow code whose replay is discarded: it ends the code, and refuses commands of `finally` blocks."""


class LoopOwner(Commands, Protocol):
    """The replay as its loop sees it."""

    def timer(self, handle: asyncio.TimerHandle, when: float) -> None: ...
    def timer_cancelled(self, handle: asyncio.TimerHandle) -> None: ...
    def new_task(
        self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context | None, name: str | None, eager: bool
    ) -> WorkflowTask: ...
    def place(self, name: str) -> tuple[str, contextvars.Context]: ...


class WorkflowLoop(CommandLoop, asyncio.AbstractEventLoop):
    """Runs handles in order until none is ready. Time does not pass unless the replay moves `clock`."""

    def __init__(self, owner: LoopOwner, clock: float) -> None:
        # A weak reference, so that a replay that is dropped is finalized at once. Otherwise the garbage collector
        # would find its coroutines, and run their `finally` blocks where no command is refused.
        self._owner = weakref.ref(owner)
        order_cancel_scopes()
        self.clock = clock
        self.readings, self.read_at = 0, clock
        self.generators: dict[Any, random.Random] = {}
        interception.check()
        self.ready: collections.deque[asyncio.Handle] = collections.deque()
        self._numbers = 0
        self._task_factory: Any = None
        self._stopped = False
        self._closers: dict[WorkflowTask, None] = {}
        self.unawaited = Unawaited()
        self._generators: Generators | None = Generators(self)
        self.tasks: list[Started] = []
        """The coroutine, the context and a weak reference of every task that was made."""

    @property
    def commands(self) -> LoopOwner:
        owner = self._owner()
        if owner is None:
            raise Closed
        return owner

    # -- what asyncio's own primitives need --------------------------------------------------------

    def time(self) -> float:
        return self.clock

    slow_callback_duration = 0.1
    """Libraries read this attribute. The loop itself measures nothing."""

    # asyncio asks each future's loop, and `bool()` answers False without a frame.
    get_debug = staticmethod(bool)

    def get_exception_handler(self) -> None:
        return None

    def get_task_factory(self) -> Any:
        return self._task_factory

    def set_task_factory(self, factory: Any) -> None:
        """Takes None and, since Python 3.12, asyncio.eager_task_factory. Other factories make tasks without a path."""
        if factory is not None and factory is not getattr(asyncio, "eager_task_factory", None):
            raise self.commands.refuse(
                ForbiddenInWorkflow(
                    f"workflow code set the task factory {factory!r}, whose tasks no replay can tell apart: "
                    "only asyncio.eager_task_factory and None work in a workflow"
                )
            )
        self._task_factory = factory

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Logs nothing, since replays repeat the code. A failed task that nobody awaited fails the execution."""
        self.unawaited.lost(context)

    def create_future(self) -> WorkflowFuture:
        return WorkflowFuture(self.number(), self)

    def create_task(
        self, coro: Any, *, name: Any = None, context: Any = None, eager_start: bool | None = None, **options: Any
    ) -> WorkflowTask:
        if self.discarded:
            coro.close()
            raise Closed
        if options or (eager_start is not None and sys.version_info < (3, 12)):
            unknown = next(iter(options), "eager_start")
            raise TypeError(f"create_task() got an unexpected keyword argument {unknown!r}")
        eager = self._task_factory is not None if eager_start is None else eager_start
        return self.commands.new_task(coro, context, None if name is None else str(name), eager)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        handle = QuickHandle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.clock + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        if when != when:
            raise ValueError("a timer takes a number of seconds, not NaN")
        when = min(max(when, self.clock), FOREVER)
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.commands.timer(handle, when)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.commands.timer_cancelled(handle)

    # -- what the replay needs ---------------------------------------------------------------------

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def pending_tasks(self) -> list[WorkflowTask]:
        """The tasks that are not done, in the order in which they were made."""
        tasks = [task() for _, _, task in self.tasks]
        return [task for task in tasks if task is not None and not task.done()]

    def stop_after(self, future: asyncio.Future[Any]) -> None:
        """Makes `run_until_blocked` return when the future is done, at the turn at which asyncio.run would."""
        self._stopped = False
        future.add_done_callback(self._stop)

    def _stop(self, _: object) -> None:
        self._stopped = True

    @calls("workflow")
    def run_until_blocked(self) -> bool:
        """Runs all that can run without another result, or until stopped. False when the code runs in circles.

        Like asyncio's loop it takes turns: it runs the handles that are ready as a turn begins, then it may stop.
        """
        ready, budget = self.ready, SPIN
        if not ready:
            return True
        outside = _enter(self)
        try:
            while ready and not self._stopped:
                budget -= run_turn(ready, budget)
                if budget == 0:
                    return not ready
        finally:
            _leave(outside)
        return True

    def shut_down(self) -> Iterator[asyncio.Future[Any]]:
        """What asyncio.run does after its main coroutine, as futures to be done one after the other.

        Tasks that are left are cancelled and run to their ends; then generators that are left are closed. Unlike
        asyncio, it does not cancel the closing of a generator that was dropped earlier. A step in its `finally` block
        may still wait for a worker, where plain code would be done.
        """
        if tasks := [task for task in self.pending_tasks() if task not in self._closers]:
            for task in tasks:
                task.cancel()
            yield asyncio.gather(*tasks, return_exceptions=True)
        left = self._generators.take() if self._generators is not None else []
        if left or self.ready:
            yield WorkflowTask(self._close_all(left), self.number(), "", None, self, contextvars.Context())
        while self._closers:
            yield asyncio.gather(*self._closers, return_exceptions=True)

    async def _close_all(self, left: list[HeldGenerator]) -> None:
        await asyncio.gather(*[self._close(held) for held in left], return_exceptions=True)

    def _close(self, held: HeldGenerator) -> WorkflowTask:
        task = WorkflowTask(held.closing, self.number(), held.path, None, self, None)
        self._closers[task] = None
        task.watched = True
        task.add_done_callback(self._closers.pop)
        return task

    def close_soon(self, held: HeldGenerator) -> None:
        self.call_soon(self._close, held)

    def place(self, name: str) -> tuple[str, contextvars.Context]:
        return self.commands.place(name)

    def abandon(self, generator: Generator) -> None:
        with self.entered():
            _end(generator, "ag_frame", generator.aclose())

    @calls("workflow")
    def discard(self) -> None:
        """Ends coroutines and async generators now, so that the garbage collector does not end them anywhere.

        It throws an error into them rather than closing them: before Python 3.13, close() on a coroutine does not
        reach an async generator that the coroutine awaits. Each ends in the context of its task, as the current task.
        """
        self.discarded = self.unawaited.closed = True
        generators = self._generators.drain() if self._generators is not None else []
        if generators or any(_unended(reference()) for _, _, reference in self.tasks):
            self._end_all(generators)
        self.tasks.clear()
        self.ready.clear()
        # The generators refer to the loop: without this, each loop would wait for the garbage collector.
        self._generators = None

    def _end_all(self, generators: list[HeldGenerator]) -> None:
        with self.entered():
            for coroutine, context, reference in reversed(self.tasks):
                task = reference()
                code = coroutine if coroutine is not None or task is None else task.get_coro()
                if code is not None and _unended(task):
                    _run_in(context, self._end_task, code, task)
            for held in generators:
                generator: Any = held.generator
                if generator is not None and generator.ag_frame is not None:
                    _run_in(held.context, _end, generator, "ag_frame", held.closing or generator.aclose())

    def _end_task(self, coroutine: Any, task: WorkflowTask | None) -> None:
        if isinstance(coroutine, CommandCall):
            return  # such a call has no `finally` blocks
        if task is not None:
            enter_task(self, task)
        try:
            _end(coroutine, "cr_frame", coroutine)
        finally:
            if task is not None:
                leave_task(self, task)

    def entered(self) -> _Entered:
        """Makes this the running loop of the thread. Leaving the block puts back the loop and the task around it."""
        return _Entered(self)


class _Entered:
    """The block in which a loop is the running one."""

    __slots__ = ("_loop", "_outside")

    def __init__(self, loop: WorkflowLoop) -> None:
        self._loop = loop

    def __enter__(self) -> None:
        self._outside = _enter(self._loop)

    def __exit__(self, *error: object) -> None:
        _leave(self._outside)


_Outside = tuple[asyncio.AbstractEventLoop | None, asyncio.Task[Any] | None, Any]
"""The loop and the task around a loop that was entered, and the hooks of async generators there."""


def _enter(loop: WorkflowLoop) -> _Outside:
    """Makes a loop the running one of the thread. A plain function, since a replay calls it for each result."""
    outer = get_running_loop()
    task = current_task(outer) if outer is not None else None
    outside = outer, task, sys.get_asyncgen_hooks()
    generators: Any = loop._generators  # Python calls the hooks with its own generators only
    if generators is None:  # the loop is discarded: it ends a generator that was left, or answers a query
        generators = Generators(loop)
    if outer is not None and task is not None:
        leave_task(outer, task)
    set_running_loop(loop)
    sys.set_asyncgen_hooks(generators.first_iteration, generators.finalize)
    return outside


def _leave(outside: _Outside) -> None:
    outer, task, hooks = outside
    sys.set_asyncgen_hooks(*hooks)
    set_running_loop(outer)
    if outer is not None and task is not None:
        enter_task(outer, task)


def _unended(task: WorkflowTask | None) -> bool:
    """Whether the coroutine of a task may still run. Of a task that is gone only the coroutine itself could say."""
    return task is None or not task.done()


def _run_in(context: contextvars.Context, function: Callable[..., None], *args: Any) -> None:
    """Runs the function in the context, or without it if the context is in use further out or in another thread."""
    try:
        context.run(function, *args)
    except RuntimeError:
        function(*args)


def _end(code: Any, frame: str, thrown: Any) -> None:
    """Throws Closed into the code until it has ended. If it refuses to end, a reference keeps it from running again.

    The awaitables of `agen.asend()` and `agen.aclose()` have no frame: such an awaitable has ended when it raises.
    """
    for _ in range(CLOSE_ROUNDS):
        if getattr(code, frame, None) is None and hasattr(code, frame):
            return
        try:
            thrown.throw(Closed())
        except BaseException:
            if not hasattr(code, frame):
                return
    _undead.append(code)


# -- what workflow code must not do ------------------------------------------------------------------


def _forbid(name: str) -> Callable[..., NoReturn]:
    def refused(self: WorkflowLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise self.commands.refuse(
            ForbiddenInWorkflow(
                f"workflow code used the event loop's {name}(): I/O, threads and processes belong in a step; "
                "move the call into a function with @step and await that"
            )
        )

    return refused


for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("__") and _name not in WorkflowLoop.__dict__:
        setattr(WorkflowLoop, _name, _forbid(_name))


interception.install()
