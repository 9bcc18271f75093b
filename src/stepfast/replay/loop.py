"""The deterministic event loop of workflow code: a FIFO of ready handles, no I/O, recorded time.

Everything an asyncio loop offers beyond that is refused with a word on what to do instead; what
workflow code does past the loop is refused by forbidden.py.
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
from stepfast.language.steps import StepCall
from stepfast.language.unawaited import Unawaited
from stepfast.language.workflow_loop import CommandLoop, Commands
from stepfast.replay import forbidden as forbidden  # its audit hook comes with the loop
from stepfast.replay import interception
from stepfast.replay.asyncio_internals import (
    enter_task,
    get_running_loop,
    leave_task,
    order_cancel_scopes,
    set_running_loop,
)
from stepfast.replay.generators import Generator, Generators, HeldGenerator
from stepfast.replay.tasks import Started, WorkflowFuture, WorkflowTask

FOREVER = 253_402_300_799.0
"""The end of the year 9999: a timer due later, or never, is due then."""
SPIN = 1_000_000
"""Handles that may run between two results; workflow code that needs more is going in circles."""
CLOSE_ROUNDS = 100
"""How often code that a discarded replay ends may await anew in its `finally` blocks."""

_undead: list[object] = []


class Closed(BaseException):
    """Ends workflow code whose replay is discarded, and refuses the commands of its `finally` blocks."""


class LoopOwner(Commands, Protocol):
    """What the loop asks of the replay that it belongs to."""

    def timer(self, handle: asyncio.TimerHandle, when: float) -> None: ...
    def timer_cancelled(self, handle: asyncio.TimerHandle) -> None: ...
    def new_task(
        self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context | None, name: str | None, eager: bool
    ) -> WorkflowTask: ...
    def place(self, name: str) -> tuple[str, contextvars.Context]: ...


class WorkflowLoop(CommandLoop):
    """Runs handles in order until none is ready; time does not advance unless the replay moves `clock`."""

    def __init__(self, owner: LoopOwner, clock: float) -> None:
        # Not a strong reference: a replay that is dropped must go at once, before the collector finds
        # its coroutines and runs their `finally` blocks where no command is refused.
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
        self._generators = Generators(self, self._place, self._close_soon, self._abandon)
        self.tasks: list[Started] = []
        """Of every task that was made: its coroutine and its context, and the task as long as somebody needs it."""

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
    """Read by libraries; nothing is measured here."""

    def get_debug(self) -> bool:
        return False

    def get_exception_handler(self) -> None:
        return None

    def get_task_factory(self) -> Any:
        return self._task_factory

    def set_task_factory(self, factory: Any) -> None:
        """None, or from Python 3.12 on asyncio.eager_task_factory; another would make tasks without a path."""
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
        """Logs nothing: a replay runs the same code many times. A task that nobody awaited ends the execution."""
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
        handle = asyncio.Handle(callback, args, self, context)
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
        """Makes `run_until_blocked` return once this is done, where asyncio's run_until_complete would."""
        self._stopped = False
        future.add_done_callback(self._stop)

    def _stop(self, _: object) -> None:
        self._stopped = True

    @calls("workflow")
    def run_until_blocked(self) -> bool:
        """Runs what can run without another result, or until stopped; False when there is no end to it.

        Like asyncio's loop it takes turns: what is ready at the beginning of a turn is run, then it may be stopped.
        """
        ready, budget = self.ready, SPIN
        if not ready:
            return True
        with self.entered():
            while ready and not self._stopped:
                for _ in range(len(ready)):
                    handle = ready.popleft()
                    if not handle.cancelled():
                        try:
                            handle._run()
                        except (SystemExit, KeyboardInterrupt):
                            pass  # asyncio lets these two through; the task holds them as its exception as well
                    budget -= 1
                    if budget == 0:
                        return not ready
        return True

    def shut_down(self) -> Iterator[asyncio.Future[Any]]:
        """What asyncio.run does after its main coroutine, as futures that have to be done one after the other.

        Tasks that are left are cancelled, and run to their ends; then generators that are left are closed. Other than
        asyncio, it does not cancel the closing of a generator that was dropped earlier: the step in its `finally` block
        may wait for a worker still, where plain code would be done.
        """
        if tasks := [task for task in self.pending_tasks() if task not in self._closers]:
            for task in tasks:
                task.cancel()
            yield asyncio.gather(*tasks, return_exceptions=True)
        if (left := self._generators.take()) or self.ready:
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

    def _close_soon(self, held: HeldGenerator) -> None:
        self.call_soon(self._close, held)

    def _place(self, name: str) -> tuple[str, contextvars.Context]:
        return self.commands.place(name)

    def _abandon(self, generator: Generator) -> None:
        with self.entered():
            _end(generator, "ag_frame", generator.aclose())

    @calls("workflow")
    def discard(self) -> None:
        """Ends coroutines and async generators here and now, not when and where the collector comes by.

        They are thrown an error rather than closed: before Python 3.13 closing a coroutine does not
        reach an async generator that it awaits. Each ends in its task's own context, and as its current task.
        """
        self.discarded = self.unawaited.closed = True
        generators = self._generators.drain()
        with self.entered():
            for coroutine, context, reference in reversed(self.tasks):
                task = reference()
                code = coroutine if coroutine is not None or task is None else task.get_coro()
                if code is not None and (task is None or not task.done()):
                    _run_in(context, self._end_task, code, task)
            for held in generators:
                generator: Any = held.generator
                if generator is not None and generator.ag_frame is not None:
                    _run_in(held.context, _end, generator, "ag_frame", held.closing or generator.aclose())
        self.tasks.clear()
        self.ready.clear()

    def _end_task(self, coroutine: Any, task: WorkflowTask | None) -> None:
        if isinstance(coroutine, StepCall):
            return  # it has nothing to tidy up
        if task is not None:
            enter_task(self, task)
        try:
            _end(coroutine, "cr_frame", coroutine)
        finally:
            if task is not None:
                leave_task(self, task)

    def entered(self) -> _Entered:
        """Makes this the running loop of the thread; the loop and task around it are put back after."""
        return _Entered(self, self._generators)


class _Entered:
    """A context manager written out: it is entered for every result that a replay takes."""

    __slots__ = ("_generators", "_hooks", "_loop", "_outer", "_task")

    def __init__(self, loop: WorkflowLoop, generators: Generators) -> None:
        self._loop, self._generators = loop, generators

    def __enter__(self) -> None:
        self._outer = outer = get_running_loop()
        self._task = asyncio.current_task(outer) if outer is not None else None
        self._hooks = sys.get_asyncgen_hooks()
        if outer is not None and self._task is not None:
            leave_task(outer, self._task)
        set_running_loop(self._loop)
        generators: Any = self._generators  # the hooks are only called with Python's own generators
        sys.set_asyncgen_hooks(generators.first_iteration, generators.finalize)

    def __exit__(self, *error: object) -> None:
        sys.set_asyncgen_hooks(*self._hooks)
        set_running_loop(self._outer)
        if self._outer is not None and self._task is not None:
            enter_task(self._outer, self._task)


def _run_in(context: contextvars.Context, function: Callable[..., None], *args: Any) -> None:
    """Runs the function in the context, or as it is where the context is in use: further out, or in another thread."""
    try:
        context.run(function, *args)
    except RuntimeError:
        function(*args)


def _end(code: Any, frame: str, thrown: Any) -> None:
    """Throws Closed until the code has ended; if it refuses to end, keeps a reference so that it never runs again.

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
