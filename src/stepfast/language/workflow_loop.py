"""The event loop of workflow code: code is "in a workflow" where the running loop is a CommandLoop."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from stepfast.errors import ForbiddenInWorkflow
from stepfast.language import direct
from stepfast.values.codec import Codec

if TYPE_CHECKING:
    import asyncio
    from logging import LogRecord

    from stepfast.language.handlers import AskedFunction
    from stepfast.language.steps import Step
    from stepfast.language.unawaited import Unawaited
    from stepfast.language.workflows import Workflow
    from stepfast.model import Execution, OnCancel

    _EventLoop = asyncio.AbstractEventLoop
else:
    _EventLoop = object


class Commands(Protocol):
    """The commands that a replay offers to the workflow code that it runs."""

    execution: Execution

    @property
    def repeats(self) -> bool: ...
    def step(self, step: Step[..., Any], arguments: dict[str, Any]) -> Awaitable[Any]: ...
    def signal(self, name: str, codec: Codec, link: str | None = None) -> Awaitable[Any]: ...
    def child(
        self, workflow: Workflow[..., Any], input: Any, id: str | None, on_cancel: OnCancel
    ) -> Awaitable[Any]: ...
    def note_progress(self, key: str, progress: dict[str, Any]) -> None: ...
    def show_value(self, text: str) -> None: ...
    def show_labels(self, changes: Mapping[str, str | None]) -> None: ...
    def now(self) -> float: ...
    def entropy(self, use: str) -> bytes: ...
    def patched(self, patch: str) -> bool: ...
    def deprecate_patch(self, patch: str) -> None: ...
    def place(self, name: str) -> tuple[str, contextvars.Context]: ...
    def next_input(self, input: Any) -> str: ...
    def length(self) -> tuple[int, int]: ...
    def refuse(self, error: ForbiddenInWorkflow) -> ForbiddenInWorkflow: ...
    def log(self, record: LogRecord) -> None: ...
    def register(self, handler: AskedFunction) -> None: ...
    async def updates_done(self) -> None: ...


class CommandLoop(_EventLoop):
    """An event loop that runs workflow code. Its subclass is an AbstractEventLoop, which this module does not load."""

    discarded = False
    """True once the replay is closed: code that runs after that only cleans up."""
    clock = 0.0
    """Seconds since the epoch, UTC, at the last result that the workflow has seen."""
    unawaited: Unawaited

    @property
    def commands(self) -> Commands:
        raise NotImplementedError

    def number(self) -> int:
        """The next number for a task or future. It is the hash, so that sets of tasks have one order in all replays."""
        raise NotImplementedError

    def pending_tasks(self) -> Sequence[asyncio.Task[Any]]:
        """The tasks that are not done, in the order in which they were made."""
        raise NotImplementedError


_running: Callable[[], object | None] | None = None
"""What asyncio answers by, once asyncio is loaded. Each step asks it three times."""


def running_loop() -> object | None:
    """The event loop that runs in this thread, or None. It loads nothing: without asyncio, no loop runs.

    Importing asyncio takes as long as importing all of what authors need of stepfast.
    """
    global _running
    if _running is None:
        _running = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return None if _running is None else _running()


def loop_of_workflow() -> CommandLoop | None:
    """The loop of the workflow code that runs in this thread, or None outside workflow code."""
    loop = running_loop() if _running is None else _running()
    return loop if isinstance(loop, CommandLoop) else None


def in_workflow() -> Commands | None:
    """The commands of the replay running in this thread, or None outside workflow code."""
    loop = loop_of_workflow()
    return None if loop is None else loop.commands


_path: contextvars.ContextVar[str | None] = contextvars.ContextVar("stepfast_path", default=None)


@contextmanager
def issuing_under(path: str) -> Iterator[None]:
    """Ids of commands that are issued in the block begin with this path, and not with the path of the task.

    Integrations use it for libraries whose tasks may change with each version. A task that is started in the block has
    an id below this path, and is outside of the block.
    """
    token = _path.set(path)
    try:
        yield
    finally:
        _path.reset(token)


path_of_block: Callable[[], str | None] = _path.get
"""The path of the block of `issuing_under` that runs, or None."""


def outside_of_block(context: contextvars.Context | None) -> contextvars.Context | None:
    """The context for a new task: tasks that are started in a block have paths of their own."""
    if _path.get() is None:
        return context
    context = contextvars.copy_context() if context is None else context
    context.run(_path.set, None)
    return context


def repeats_progress() -> bool:
    """Whether workflow code repeats what an earlier pass has done, or is being discarded. True outside of workflows.

    Tracing leaves such passes out. Not all of them are known: a fresh replay that gets as far as the newest record
    counts as new.
    """
    loop = running_loop()
    return not isinstance(loop, CommandLoop) or loop.discarded or loop.commands.repeats


def commands_for(call: str) -> Commands:
    """The commands of the running replay. Raises ForbiddenInWorkflow, which names the call, outside workflow code."""
    commands = in_workflow()
    if commands is None:
        if direct.in_direct_run():
            raise ForbiddenInWorkflow(
                f"{call} needs an engine, and this workflow is called as a plain function: start it with "
                "stepfast.Embedded, stepfast.Client or `stepfast run`"
            )
        raise ForbiddenInWorkflow(f"{call} works only in workflow code: call it from a function with @workflow")
    return commands
