"""The deterministic event loop of workflow code: a FIFO of ready handles, no I/O, recorded time.

Everything an asyncio loop offers beyond that is refused with a word on what to do instead; what
workflow code does past the loop is refused by forbidden.py.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import random
import sys
import types
import weakref
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn, Protocol

from stepfast import forbidden as forbidden  # its audit hook comes with the loop
from stepfast import interception
from stepfast.errors import ForbiddenInWorkflow
from stepfast.workflow import CommandLoop, Commands, in_workflow

FOREVER = 253_402_300_799.0
"""The end of the year 9999: a timer due later, or never, is due then."""
SPIN = 1_000_000
"""Handles that may run between two results; workflow code that needs more is going in circles."""
PATIENCE = 100
"""How often code that a discarded replay ends may await anew in its `finally` blocks."""

_undead: list[object] = []


class Closed(BaseException):
    """Ends workflow code whose replay is discarded, and refuses the commands of its `finally` blocks."""


class Owner(Commands, Protocol):
    """What the loop asks of the replay that it belongs to."""

    def timer(self, handle: asyncio.TimerHandle, when: float) -> None: ...
    def timer_cancelled(self, handle: asyncio.TimerHandle) -> None: ...
    def new_task(
        self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context | None, name: str | None = None
    ) -> WorkflowTask: ...


class WorkflowFuture(asyncio.Future[Any]):
    """A future whose hash is its number, so that sets of futures iterate alike in every replay."""

    def __init__(self, number: int, loop: WorkflowLoop) -> None:
        super().__init__(loop=loop)
        self.number = number

    def __hash__(self) -> int:
        return self.number


class WorkflowTask(asyncio.Task[Any]):
    """A task whose hash is its number and that knows its structural path.

    `reserved` is the command id of a task made of nothing but one step call.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        number: int,
        path: str,
        reserved: str | None,
        loop: WorkflowLoop,
        context: contextvars.Context | None,
        name: str | None = None,
    ) -> None:
        self.number = number
        self.path = path
        self.reserved = reserved
        self._log_destroy_pending = False
        super().__init__(coroutine, loop=loop, name=name or path or "workflow", context=context)
        # asyncio's global registry holds tasks by hash: thousands of replays would collide in it.
        asyncio.tasks._unregister_task(self)

    def __hash__(self) -> int:
        return self.number


class WorkflowLoop(CommandLoop):
    """Runs handles in order until none is ready; time stands still unless the replay moves `clock`."""

    def __init__(self, owner: Owner, clock: float) -> None:
        # Not a strong reference: a replay that is dropped must go at once, before the collector finds
        # its coroutines and runs their `finally` blocks where no command is refused.
        self._owner = weakref.ref(owner)
        self.clock = clock
        self.readings, self.read_at = 0, clock
        self.generators: dict[Any, random.Random] = {}
        interception.check()
        self.ready: collections.deque[asyncio.Handle] = collections.deque()
        self._numbers = 0
        self._generators: list[Any] = []

    @property
    def commands(self) -> Owner:
        owner = self._owner()
        if owner is None:
            raise Closed
        return owner

    # -- what asyncio's own primitives need --------------------------------------------------------

    def time(self) -> float:
        return self.clock

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Silent: a replay runs the same code many times, and an uncaught exception ends the execution."""

    def create_future(self) -> WorkflowFuture:
        return WorkflowFuture(self.number(), self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **_: Any) -> WorkflowTask:
        if self.discarded:
            coro.close()
            raise Closed
        return self.commands.new_task(coro, context, name)

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

    def run_until_blocked(self) -> bool:
        """Runs everything that can run without another result; False when there is no end to it."""
        ready = self.ready
        if not ready:
            return True
        with self.entered():
            for _ in range(SPIN):
                if not ready:
                    return True
                handle = ready.popleft()
                if not handle.cancelled():
                    try:
                        handle._run()
                    except (SystemExit, KeyboardInterrupt):
                        pass  # asyncio lets these two through; the task holds them as its exception as well
        return not ready

    def discard(self, coroutines: Iterable[Coroutine[Any, Any, Any]]) -> None:
        """Ends coroutines and async generators here and now, not when and where the collector comes by.

        They are thrown an error rather than closed: before Python 3.13 closing a coroutine does not
        reach an async generator that it awaits.
        """
        self.discarded = True
        with self.entered():
            for coroutine in coroutines:
                _end(coroutine, "cr_frame", coroutine)
            for generator in reversed(self._generators):
                closing = generator.aclose()
                with contextlib.suppress(BaseException):
                    closing.send(None)
                _end(generator, "ag_frame", closing)
            self._generators.clear()
        self.ready.clear()

    def entered(self) -> _Entered:
        """Makes this the running loop of the thread; the loop and task around it are put back after."""
        return _Entered(self, self._generators.append)


class _Entered:
    """A context manager written out: it is entered for every result that a replay takes."""

    __slots__ = ("_first", "_hooks", "_loop", "_outer", "_task")

    def __init__(self, loop: WorkflowLoop, first: Callable[[Any], None]) -> None:
        self._loop, self._first = loop, first

    def __enter__(self) -> None:
        self._outer = outer = asyncio._get_running_loop()
        self._task = asyncio.current_task(outer) if outer is not None else None
        self._hooks = sys.get_asyncgen_hooks()
        if outer is not None and self._task is not None:
            asyncio.tasks._leave_task(outer, self._task)
        asyncio._set_running_loop(self._loop)
        sys.set_asyncgen_hooks(self._first, None)

    def __exit__(self, *error: object) -> None:
        sys.set_asyncgen_hooks(*self._hooks)
        asyncio._set_running_loop(self._outer)
        if self._outer is not None and self._task is not None:
            asyncio.tasks._enter_task(self._outer, self._task)


def _end(code: Any, frame: str, thrown: Any) -> None:
    """Throws Closed until the code has ended; what will not end is kept from ever running again."""
    for _ in range(PATIENCE):
        if getattr(code, frame, None) is None:
            return
        with contextlib.suppress(BaseException):
            thrown.throw(Closed())
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


# -- as_completed -------------------------------------------------------------------------------------


def in_order(awaitables: Any) -> Any:
    """In a workflow: the awaitables as tasks made in the order given; elsewhere: as they came."""
    if in_workflow() is None or asyncio.isfuture(awaitables) or asyncio.iscoroutine(awaitables):
        return awaitables
    return [asyncio.ensure_future(one) for one in awaitables]


def _as_completed(fs, *, timeout=None):  # type: ignore[no-untyped-def]
    from stepfast import loop

    return loop.plain_as_completed(loop.in_order(fs), timeout=timeout)


# asyncio.as_completed makes its tasks from a set of coroutines, in the order of their addresses, which
# differs between replays. Its code is replaced, not its name, since authors write `from asyncio import
# as_completed` before they import stepfast. Outside workflows it does what it always did.
_function: Any = asyncio.as_completed
plain_as_completed: Any = types.FunctionType(_function.__code__, _function.__globals__, "as_completed")
plain_as_completed.__kwdefaults__ = _function.__kwdefaults__
_function.__code__ = _as_completed.__code__


# -- what differs between versions of Python -----------------------------------------------------------


async def wait_for(awaitable: Any, timeout: float | None) -> Any:
    """In a workflow as from Python 3.12 on: no task of its own, so that command ids are the same in all versions."""
    if in_workflow() is None or timeout is None or timeout <= 0:
        return await plain_wait_for(awaitable, timeout)
    async with asyncio.timeout(timeout):
        return await awaitable


async def _wait_for(fut, timeout):  # type: ignore[no-untyped-def]
    from stepfast import loop

    return await loop.wait_for(fut, timeout)


if sys.version_info < (3, 12):
    _function = asyncio.wait_for
    plain_wait_for: Any = types.FunctionType(_function.__code__, _function.__globals__, "wait_for")
    _function.__code__ = _wait_for.__code__


def _hash_of_gathering(future: Any) -> int:
    # What gather() returns is no future of the loop's own making, so it gets its number here.
    if not isinstance(future._loop, WorkflowLoop):
        return object.__hash__(future)
    if not hasattr(future, "number"):
        future.number = future._loop.number()
    number: int = future.number
    return number


interception.install()
_gathering: Any = asyncio.tasks._GatheringFuture  # type: ignore[attr-defined]
_gathering.__hash__ = _hash_of_gathering
