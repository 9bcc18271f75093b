"""Every private name of asyncio that the deterministic loop needs, and every replacement in asyncio itself.

This module replaces code of asyncio that is not deterministic or does not know our loop. It replaces code objects
rather than names, since authors write `from asyncio import as_completed` before they import stepfast. Outside
workflows each function behaves as in plain asyncio.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from stepfast.frames import calls, with_code
from stepfast.language.unawaited import is_waiting
from stepfast.language.workflow_loop import CommandLoop, in_workflow
from stepfast.replay.determinism import plain_monotonic

T = TypeVar("T")

NEEDED: dict[str, str] = {
    "asyncio.tasks._enter_task": "makes a task the current one while its first step runs",
    "asyncio.tasks._leave_task": "undoes that",
    "asyncio.tasks._GatheringFuture": "what gather() returns: it is numbered, so that sets of futures keep their order",
    "warnings._warn_unawaited_coroutine": "called by the interpreter for a coroutine that was never awaited",
    **({"asyncio.tasks._unregister_task": "takes a task out of a registry"} if sys.version_info < (3, 14) else {}),
    **({"asyncio.tasks._current_tasks": "the current task of a loop"} if sys.version_info < (3, 12) else {}),
}
"""Private names that Python 3.11 to 3.13 have, and their use. Python 3.14 has all of them but the last."""


def check_python() -> None:
    """Raises ImportError, in one line, on a Python that lacks one of the private names above."""
    modules = {"asyncio": asyncio, "asyncio.tasks": asyncio.tasks, "warnings": warnings}
    missing = [name for name in NEEDED if not hasattr(modules[name.rpartition(".")[0]], name.rpartition(".")[2])]
    if missing:
        raise ImportError(
            f"this version of stepfast does not work with Python {sys.version.split()[0]}, which lacks "
            f"{', '.join(missing)}: use Python 3.11, 3.12 or 3.13, or a newer stepfast"
        )


check_python()
# These two are in asyncio's __all__, for whoever writes an event loop.
get_running_loop = asyncio._get_running_loop
set_running_loop = asyncio._set_running_loop
enter_task = asyncio.tasks._enter_task
leave_task = asyncio.tasks._leave_task
init_future = asyncio.Future.__init__  # a call through super() takes three times as long (CPython 3.11)
# Until Python 3.11 `asyncio.current_task` is a Python function around this dict; then it is written in C.
_tasks: Any = asyncio.tasks
current_task: Callable[[asyncio.AbstractEventLoop], asyncio.Task[Any] | None] = (
    _tasks._current_tasks.get if sys.version_info < (3, 12) else asyncio.current_task
)


def forget_task(task: asyncio.Task[Any]) -> None:
    """Takes a task out of asyncio's global registry.

    Until Python 3.13 the registry is a set: thousands of replays whose tasks have the same numbers would collide in
    it. From 3.14 on it is a linked list, in which nothing collides, and `asyncio.all_tasks` reads it in C.
    """
    if sys.version_info < (3, 14):
        asyncio.tasks._unregister_task(task)


class QuickHandle(asyncio.Handle):
    """A handle of a loop that is not in debug mode, which asyncio's own asks its loop for (CPython 3.11 to 3.14)."""

    __slots__ = ()

    def __init__(
        self, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: contextvars.Context | None = None
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None


class QuickLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, whose `call_soon` costs two calls and not five. Each step goes through it three times."""

    _debug: bool
    _closed: bool
    _ready: Any

    def time(self) -> float:
        return plain_monotonic()  # at every turn, without asking whether workflow code runs

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = QuickHandle(callback, args, self, context)
        self._ready.append(handle)
        return handle


def begun(coroutine: Coroutine[Any, Any, T], scope: contextvars.Context) -> asyncio.Task[T]:
    """A task that has already run until it waits for something, or to its end.

    Code that never waits costs no turn of the loop this way. Python 3.12 brought eager tasks. On 3.11
    the handle of the new task, which is the last in the queue of the loop (`BaseEventLoop._ready`), is taken out of it
    and run here.
    """
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        return asyncio.Task(coroutine, loop=loop, context=scope, eager_start=True)
    task = asyncio.Task(coroutine, loop=loop, context=scope)
    ready, outer = getattr(loop, "_ready", None), current_task(loop)
    if not ready:
        return task  # the loop is not asyncio's own, so the task begins at its next turn
    first = ready.pop()
    if outer is not None:
        leave_task(loop, outer)
    try:
        scope.run(first._callback, *first._args)  # as Handle._run, which logs what asyncio's own tasks never raise
    finally:
        if outer is not None:
            enter_task(loop, outer)
    return task


def is_idle(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether no handle waits in the queue of a loop (`BaseEventLoop._ready`); False for a loop without a queue."""
    return not getattr(loop, "_ready", True)


@calls("workflow")
def run_turn(ready: Any, most: int) -> int:
    """Runs at most `most` of the handles that are ready as a turn begins, as Handle._run does; returns how many."""
    turn = min(len(ready), most)
    for _ in range(turn):
        handle = ready.popleft()
        if not handle._cancelled:
            try:
                handle._context.run(handle._callback, *handle._args)
            except BaseException:
                pass  # SystemExit and KeyboardInterrupt are kept by the task, too; the loop of a workflow logs nothing
    return turn


# -- as_completed: it makes its tasks from a set of coroutines, in the order of their memory addresses ----------------


def in_order(awaitables: Any) -> Any:
    """In a workflow, tasks of the awaitables, made in the order of the call. Elsewhere the awaitables unchanged."""
    if in_workflow() is None or asyncio.isfuture(awaitables) or asyncio.iscoroutine(awaitables):
        return awaitables
    return [asyncio.ensure_future(awaitable) for awaitable in awaitables]


def _as_completed(fs, *, timeout=None):  # type: ignore[no-untyped-def]
    from stepfast.replay import asyncio_internals as ours

    return ours.plain_as_completed(ours.in_order(fs), timeout=timeout)


plain_as_completed = with_code(asyncio.as_completed, _as_completed.__code__)


# -- all_tasks: the tasks of our loops are not in asyncio's registry --------------------------------------------------


def tasks_of(loop: Any) -> set[asyncio.Task[Any]] | None:
    """The tasks of a workflow that are not done; None for any other loop. `loop` is as for asyncio.all_tasks()."""
    loop = get_running_loop() if loop is None else loop
    return set(loop.pending_tasks()) if isinstance(loop, CommandLoop) else None


def _all_tasks(loop=None):  # type: ignore[no-untyped-def]
    from stepfast.replay import asyncio_internals as ours

    tasks = ours.tasks_of(loop)
    return ours.plain_all_tasks(loop) if tasks is None else tasks


if sys.version_info < (3, 14):
    plain_all_tasks = with_code(asyncio.all_tasks, _all_tasks.__code__)


# -- eager_task_factory: libraries call it with a loop, such as LangGraph 1.2, and its tasks would have no path -------


def eager_task(loop: Any, coroutine: Any, **options: Any) -> Any:
    """What asyncio.eager_task_factory does, but the tasks of a workflow are made by the workflow's loop."""
    if isinstance(loop, CommandLoop):
        options["eager_start"] = True
        return loop.create_task(coroutine, **options)
    return plain_eager_task_factory(loop, coroutine, **options)


plain_eager_task_factory: Any = getattr(asyncio, "eager_task_factory", None)  # it came with Python 3.12
if plain_eager_task_factory is not None:
    for module in (asyncio, asyncio.tasks):
        setattr(module, "eager_task_factory", eager_task)  # noqa: B010 - mypy reads Python 3.11, which has no such name


# -- wait_for: Python 3.11 makes a task in it, later versions do not --------------------------------------------------


async def wait_for(awaitable: Any, timeout: float | None) -> Any:
    """In a workflow as in Python 3.12: it makes no task, so command ids are the same in all versions of Python."""
    if in_workflow() is None or timeout is None or timeout <= 0:
        return await plain_wait_for(awaitable, timeout)
    async with asyncio.timeout(timeout):
        return await awaitable


async def _wait_for(fut, timeout):  # type: ignore[no-untyped-def]
    from stepfast.replay import asyncio_internals as ours

    return await ours.wait_for(fut, timeout)


if sys.version_info < (3, 12):
    plain_wait_for = with_code(asyncio.wait_for, _wait_for.__code__)


# -- timeouts: an error keeps the scope that raised it, so that a resume finds the timer behind it --------------------

_SCOPE = "_stepfast_scope"


def scope_of(error: TimeoutError) -> object | None:
    """The scope that raised an error, an asyncio.Timeout or a cancel scope of anyio; None for any other error."""
    note = getattr(error, _SCOPE, None)
    return note.scope if isinstance(note, _Note) else None


class _Note:
    """The scope of an error. It is not pickled with the error, since a scope holds its task."""

    def __init__(self, scope: object) -> None:
        self.scope = scope

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


def _note(error: TimeoutError, scope: object) -> None:
    """Notes the scope on its error. Outside workflows it does nothing."""
    if in_workflow() is not None and not hasattr(error, _SCOPE):
        setattr(error, _SCOPE, _Note(scope))


def owner_of(handle: asyncio.TimerHandle) -> object:
    """The object whose method a timer calls (`Handle._callback`); the timer itself if it calls a plain function."""
    return getattr(handle._callback, "__self__", handle)  # type: ignore[attr-defined]


async def _exit_timeout(scope: Any, *raised: Any) -> Any:
    try:
        return await plain_exit_timeout(scope, *raised)
    except TimeoutError as error:
        _note(error, scope)
        raise


# The replacement is in the class, where `async with` looks it up. Since Python 3.12 asyncio.wait_for uses it too.
plain_exit_timeout: Any = asyncio.Timeout.__aexit__
asyncio.Timeout.__aexit__ = _exit_timeout  # type: ignore[assignment, method-assign]


# -- a coroutine that is never awaited is an error of the workflow, but not of a replay that is discarded --------------


def _warn_unawaited(coroutine: Any) -> None:
    loop = get_running_loop()
    if not (isinstance(loop, CommandLoop) and loop.unawaited.coroutine(coroutine)):
        plain_warn_unawaited(coroutine)


# The interpreter looks this name up whenever it finalizes a coroutine that has not begun (Python 3.7 to 3.14).
plain_warn_unawaited: Any = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
warnings._warn_unawaited_coroutine = _warn_unawaited  # type: ignore[attr-defined]


# -- gather() returns a future that the loop has not made, so the future gets its number here -------------------------


def _hash_of_gathering(future: Any) -> int:
    if not isinstance(future._loop, CommandLoop):
        return object.__hash__(future)
    if not hasattr(future, "number"):
        future.number = future._loop.number()
    number: int = future.number
    return number


def _begin_gathering(future: Any, *args: Any, **options: Any) -> None:
    plain_begin_gathering(future, *args, **options)
    if isinstance(future._loop, CommandLoop):
        future._loop.unawaited.gathers(future)


def _watch_gathering(future: Any, callback: Any, /, *, context: Any = None) -> None:
    if isinstance(future._loop, CommandLoop) and is_waiting(callback):
        future.watched = True
    plain_watch_gathering(future, callback, context=context)


_gathering: Any = asyncio.tasks._GatheringFuture  # type: ignore[attr-defined]
plain_begin_gathering, plain_watch_gathering = _gathering.__init__, _gathering.add_done_callback
_gathering.__hash__ = _hash_of_gathering
_gathering.__init__, _gathering.add_done_callback = _begin_gathering, _watch_gathering


# -- a cancel scope of anyio keeps the scopes within it in a set, in the order of their memory addresses --------------


class _Ordered(dict[Any, None]):
    """The part of a set that anyio uses, in the order of insertion."""

    def add(self, item: Any) -> None:
        self[item] = None

    def remove(self, item: Any) -> None:
        del self[item]

    def discard(self, item: Any) -> None:
        self.pop(item, None)


_ordered: set[type] = set()


def order_cancel_scopes() -> None:
    """In workflows, a cancelled scope of anyio cancels the scopes within it in the order in which they were entered.

    fail_after and fail_at note on their error which scope raised it. Nothing happens unless anyio is imported. Checked
    with anyio 4.16, whose `CancelScope._deliver_cancellation` goes through the set `_child_scopes`. A version of anyio
    without that set keeps its own order.
    """
    if "anyio" not in sys.modules:
        return
    scope: Any = importlib.import_module("anyio._backends._asyncio").CancelScope
    if scope in _ordered:
        return
    _ordered.add(scope)
    plain = scope.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        if in_workflow() is not None and hasattr(self, "_child_scopes"):
            self._child_scopes = _Ordered()

    scope.__init__ = init
    _note_scopes_of_errors(scope)


def _note_scopes_of_errors(scope: Any) -> None:
    """Notes each scope that ends: anyio runs no other code between the end of a scope and the error of its timeout."""
    plain_exit = scope.__exit__

    def leave(self: Any, *raised: Any) -> Any:
        try:
            return plain_exit(self, *raised)
        finally:
            _last_left.scope = self if in_workflow() is not None else None

    scope.__exit__ = leave
    tasks: Any = importlib.import_module("anyio._core._tasks")
    for name, replacement in {"fail_at": _fail_at, "fail_after": _fail_after}.items():
        generator: Any = getattr(getattr(tasks, name, None), "__wrapped__", None)
        if generator is not None:  # fail_at came with 4.15
            plain_fail[name] = with_code(generator, replacement.__code__)
            generator.__defaults__ = generator.__kwdefaults__ = None


plain_fail: dict[str, Any] = {}
_last_left = threading.local()
"""`scope` is the scope that ended last in this thread. Other threads run other workflows, with their own scopes."""


def noting_scope(name: str, args: Any, kwargs: Any) -> Iterator[Any]:
    """Does what `anyio.fail_at` or `fail_after` does, and notes the scope on the error that it raises."""
    try:
        yield from plain_fail[name](*args, **kwargs)
    except TimeoutError as error:
        _note(error, _last_left.scope)
        raise


# The code of these functions runs with the globals of anyio's module, so each imports what it needs.
def _fail_at(*args, **kwargs):  # type: ignore[no-untyped-def]
    from stepfast.replay import asyncio_internals as ours

    yield from ours.noting_scope("fail_at", args, kwargs)


def _fail_after(*args, **kwargs):  # type: ignore[no-untyped-def]
    from stepfast.replay import asyncio_internals as ours

    yield from ours.noting_scope("fail_after", args, kwargs)
