"""The deterministic event loop of workflow code: a FIFO of ready handles, no I/O, recorded time.

Everything an asyncio loop offers beyond that is refused with a word on what to do instead. So are
I/O calls that workflow code makes past the loop, as far as the interpreter's audit events tell.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import sys
import types
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn, Protocol

from stepfast.errors import ForbiddenInWorkflow
from stepfast.workflow import CommandLoop, Commands, in_workflow


class Owner(Commands, Protocol):
    """What the loop asks of the replay that it belongs to."""

    def timer(self, handle: asyncio.TimerHandle, when: float) -> None: ...
    def timer_cancelled(self, handle: asyncio.TimerHandle) -> None: ...
    def refuse(self, error: ForbiddenInWorkflow) -> ForbiddenInWorkflow: ...
    def new_task(self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context | None) -> WorkflowTask: ...


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
    ) -> None:
        self.number = number
        self.path = path
        self.reserved = reserved
        self._log_destroy_pending = False
        super().__init__(coroutine, loop=loop, name=path or "workflow", context=context)
        # asyncio's global registry holds tasks by hash: thousands of replays would collide in it.
        asyncio.tasks._unregister_task(self)

    def __hash__(self) -> int:
        return self.number


class WorkflowLoop(CommandLoop):
    """Runs handles in order until none is ready; time stands still unless the replay moves `clock`."""

    def __init__(self, owner: Owner, clock: float) -> None:
        self.commands: Owner = owner
        self.clock = clock
        self.ready: collections.deque[asyncio.Handle] = collections.deque()
        self._numbers = 0
        self._generators: list[Any] = []

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
        return self.commands.new_task(coro, context)

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
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.commands.timer(handle, when)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.commands.timer_cancelled(handle)

    # -- what the replay needs ---------------------------------------------------------------------

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def run_until_blocked(self) -> None:
        """Runs everything that can run without another result."""
        ready = self.ready
        with self.entered():
            while ready:
                handle = ready.popleft()
                if not handle.cancelled():
                    # asyncio lets these two through; the task holds them as its exception as well.
                    with contextlib.suppress(SystemExit, KeyboardInterrupt):
                        handle._run()

    def close_generators(self) -> None:
        """Closes async generators here and now, not when and where the collector comes by."""
        for generator in reversed(self._generators):
            with contextlib.suppress(BaseException):
                generator.aclose().send(None)
        self._generators.clear()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Makes this the running loop of the thread; the loop and task around it are put back after."""
        outer = asyncio._get_running_loop()
        task = asyncio.current_task(outer) if outer is not None else None
        hooks = sys.get_asyncgen_hooks()
        if outer is not None and task is not None:
            asyncio.tasks._leave_task(outer, task)
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=self._generators.append, finalizer=None)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(outer)
            if outer is not None and task is not None:
                asyncio.tasks._enter_task(outer, task)


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

_FORBIDDEN_EVENTS = frozenset(
    [
        "open",
        "os.listdir",
        "os.scandir",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.truncate",
        "os.chmod",
        "os.link",
        "os.symlink",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "os.forkpty",
        "os.startfile",
        "os.kill",
        "subprocess.Popen",
        "time.sleep",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.sendto",
        "http.client.connect",
        "urllib.Request",
        "smtplib.connect",
        "ftplib.connect",
        "imaplib.open",
        "poplib.connect",
        "sqlite3.connect",
        "shutil.copyfile",
        "shutil.move",
        "shutil.rmtree",
        "tempfile.mkstemp",
        "tempfile.mkdtemp",
        "_thread.start_new_thread",
        "pty.spawn",
        "webbrowser.open",
        "signal.pthread_kill",
    ]
)
# Reading program text and time zones is no I/O of the workflow's: imports, tracebacks, zoneinfo.
_READERS = frozenset({"importlib", "_frozen_importlib", "_frozen_importlib_external", "linecache"})


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _FORBIDDEN_EVENTS:
        return
    loop = asyncio._get_running_loop()
    if not isinstance(loop, WorkflowLoop) or _reads_program(arguments):
        return
    shown = f"({arguments[0]!r})"[:80] if arguments and isinstance(arguments[0], str | int | float) else ""
    raise loop.commands.refuse(
        ForbiddenInWorkflow(
            f"workflow code called {event}{shown}: workflow code is replayed and must not do I/O or block; "
            "move the call into a function with @step and await that"
            + (" (to wait, use asyncio.sleep)" if event == "time.sleep" else "")
        )
    )


def _reads_program(arguments: tuple[Any, ...]) -> bool:
    if arguments and "zoneinfo" in str(arguments[0]):
        return True
    frame: types.FrameType | None = sys._getframe(2)
    bottom = WorkflowLoop.run_until_blocked.__code__
    while frame is not None and frame.f_code is not bottom:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _READERS:
            return True
        frame = frame.f_back
    return False


sys.addaudithook(_guard)


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
