"""What workflow code asks for while it runs: commands with their ids, time, chance, and tasks."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from logging import LogRecord
from typing import Any

from stepfast.errors import FailsExecution, ForbiddenInWorkflow, NonDeterministic
from stepfast.language.calls import CommandCall
from stepfast.language.handlers import AskedFunction
from stepfast.language.logger import LogLines
from stepfast.language.steps import Step
from stepfast.language.workflow_loop import outside_of_block, path_of_block
from stepfast.language.workflows import Workflow
from stepfast.model import Chained, Execution, OnCancel, Record
from stepfast.replay import children, continuing
from stepfast.replay.asyncio_internals import current_task, owner_of
from stepfast.replay.cancelling import id_after
from stepfast.replay.choices import Choices
from stepfast.replay.commands import Command, CommandFuture, Withdrawn, shortened
from stepfast.replay.handlers import Handlers, looks_only
from stepfast.replay.loop import Closed, WorkflowLoop
from stepfast.replay.patching import Patching
from stepfast.replay.reading import same_input
from stepfast.replay.showing import Showing
from stepfast.replay.tasks import WorkflowTask
from stepfast.shown import base_labels
from stepfast.stored_text import text_of
from stepfast.values.codec import Codec


class Issuing(Patching):
    """The half of a Replay that its code calls: see there for what the attributes mean."""

    def __init__(self, workflow: Workflow[..., Any], execution: Execution) -> None:
        super().__init__()
        self.workflow, self.execution = workflow, execution
        self.records, self.applied = {}, []
        self.chained: dict[str, Chained] = {}
        self.outstanding: dict[str, Command] = {}
        self.issued: dict[str, Command] = {}
        self.withdrawn = Withdrawn()
        self.closed = self.cancelled = False
        self.progress: dict[str, dict[str, Any]] = {}
        self.showing = Showing(base_labels(execution.labels, execution.shown, execution.run))
        self._bytes = 0  # of the inputs of what was issued, and the outcomes of what was taken
        self._choices = Choices()
        self._uses: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._timers: dict[int, str] = {}  # by id(), since handles with the same time and callback are equal
        self.taken: dict[str, int] = {}
        self._broken: BaseException | None = None
        self._main: WorkflowTask | None = None
        self.lines = LogLines(execution, self.records, self.chained, self.issued)
        self.loop = WorkflowLoop(self, clock_of(execution))  # type: ignore[abstract]
        self.handlers = Handlers(self.loop)

    def _break(self, error: BaseException) -> None:
        """Fails the execution, also where workflow code catches the error. The first error counts."""
        self._broken = self._broken or error

    def step(self, step: Step[..., Any], arguments: dict[str, Any]) -> asyncio.Future[Any]:
        id = self._id(step.name)
        _ = step.result.adapter  # raises for a type without JSON form, before the step runs
        text = step.arguments.codec.text(arguments)
        record = self.records.get(id)
        begun = record is not None and record.status != "OPEN" and record.input is not None
        if record is not None and begun and record.repair is None and not self._stands(step, record, text):
            recorded = shortened(text_of(record.input) or "")
            raise self._mismatch(id, f"with the input {recorded}", f"it with {shortened(text)}")
        return self._issue(Command(id, "step", step.name, None, text, step))

    def _stands(self, step: Step[..., Any], record: Record, asked: str) -> bool:
        try:
            return same_input(step, record.input, asked)
        except NonDeterministic as error:
            self._break(error)
            raise

    def signal(self, name: str, codec: Codec, link: str | None = None) -> asyncio.Future[Any]:
        """link: the name that signals for this wait have, in place of its own, which makes its id."""
        _ = codec.adapter
        return self._issue(Command(self._id("signal:" + name), "signal", link or name, None, codec=codec))

    def child(
        self, workflow: Workflow[..., Any], input: Any, id: str | None, on_cancel: OnCancel
    ) -> asyncio.Future[Any]:
        command = children.command_of(self._id(children.child_name(workflow)), workflow, input, id, on_cancel)
        if (differs := children.other_input(command, self.records.get(command.id))) is not None:
            raise self._mismatch(command.id, *differs)
        return self._issue(command)

    def waits(self) -> list[Command]:
        """The outstanding waits for signals, in the order in which they were issued."""
        return self._choices.waits(self.outstanding)

    def timer(self, handle: asyncio.TimerHandle, when: float) -> None:
        if self.closed and self.handlers.only_looks is None:
            raise Closed
        self._timers[id(handle)] = command_id = self._id(":timer")
        record, delay = self.records.get(command_id), when - self.loop.clock
        if record is not None and record.status == "OPEN" and record.due is not None:
            when = record.due  # a resume has opened it again, so it waits its whole time again
        # owner_of() works only now: a handle that is cancelled, as by anyio when a scope ends, forgets its callback.
        self._add(Command(command_id, "timer", "timer", handle, due=when, delay=delay, owner=owner_of(handle)))
        self._choices.add_timer(when, command_id)

    def timer_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.withdrawn.take(self.outstanding, self._timers.pop(id(handle), ""))

    def refuse(self, error: ForbiddenInWorkflow) -> ForbiddenInWorkflow:
        """Fails the execution, also where workflow code or a library swallows the error. Returns the error to raise."""
        self._break(error)
        return error

    def note_progress(self, key: str, progress: dict[str, Any]) -> None:
        if not self.closed:
            self.progress[key] = progress

    def show_value(self, text: str) -> None:
        if not self.closed:
            self.showing.set_value(text)

    def show_labels(self, changes: Mapping[str, str | None]) -> None:
        if not self.closed:
            self.showing.set_labels(changes)

    def now(self) -> float:
        return self.loop.clock

    def next_input(self, input: Any) -> str:
        """The input of a new run as it is stored. A refusal fails the execution, as in `refuse`."""
        if self.closed:
            raise Closed
        try:
            return continuing.input_text(self.workflow, self._path(), input)
        except FailsExecution as error:
            self._break(error)
            raise

    def length(self) -> tuple[int, int]:
        """How many commands the code has issued by now, and bytes of their inputs and of the outcomes it has seen."""
        return len(self.issued), self._bytes

    @property
    def repeats(self) -> bool:
        return self._follows or self.lines.is_behind()

    @property
    def _follows(self) -> bool:
        return self.closed or self._position < len(self.applied)

    def log(self, record: LogRecord) -> None:
        self.lines.add(record, self._follows)

    def register(self, handler: AskedFunction) -> None:
        if not self.closed:
            self.handlers.add(handler)

    async def updates_done(self) -> None:
        await self.handlers.all_done()

    def entropy(self, use: str) -> bytes:
        if self.handlers.only_looks is not None:
            raise looks_only(self.handlers.only_looks)
        if self.closed:
            raise Closed
        key = (self._path(), "entropy:" + use)
        self._uses[key] += 1
        seed = f"{seed_of(self.execution, len(self.taken))}|{key[0]}|{use}|{self._uses[key]}"
        return hashlib.sha256(seed.encode()).digest()

    def new_task(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: contextvars.Context | None,
        name: str | None = None,
        eager: bool = False,
    ) -> WorkflowTask:
        if self.handlers.only_looks is not None:
            coroutine.close()
            raise looks_only(self.handlers.only_looks)
        if self.closed:
            coroutine.close()
            raise Closed
        if self._main is None:
            path, reserved = "", None
        else:
            path = self._id(getattr(coroutine, "__name__", None) or type(coroutine).__name__)
            reserved = path if isinstance(coroutine, CommandCall) else None
        scope = outside_of_block(context)
        return WorkflowTask(coroutine, self.loop.number(), path, reserved, self.loop, scope, name, eager=eager)

    def place(self, name: str) -> tuple[str, contextvars.Context]:
        """The next command path for a name in the task that runs, and the context of the task."""
        task = asyncio.current_task(self.loop)
        return self._id(name), task.context if isinstance(task, WorkflowTask) else contextvars.copy_context()

    def _issue(self, command: Command) -> asyncio.Future[Any]:
        if self.closed:
            raise Closed
        command.waiter = CommandFuture(self.loop.number(), self.loop, self.outstanding, self.withdrawn, command.id)
        self._add(command)
        future: asyncio.Future[Any] = command.waiter
        return future

    def _add(self, command: Command) -> None:
        id, record = command.id, self.records.get(command.id)
        command.issued_at = self.loop.clock
        if record is not None and record.kind != command.kind:
            raise self._mismatch(id, f"as a {record.kind}", f"a {command.kind}")
        self.outstanding[id] = self.issued[id] = command
        if command.kind == "signal":
            self._choices.add_wait(command)
        self._bytes += len((command.input or "").encode())
        if record is not None and record.recorded:
            self._choices.add_outcome(command, record)

    def _mismatch(self, id: str, recorded: str, asked: str) -> NonDeterministic:
        error = NonDeterministic(f"{id!r} was recorded {recorded}; the code now asks for {asked}")
        self._break(error)
        return error

    def _task(self) -> WorkflowTask | None:
        """The task whose code runs; None between tasks."""
        task = current_task(self.loop)  # None while another loop runs in this one: see _Entered
        return task if isinstance(task, WorkflowTask) else None

    def _path(self) -> str:
        return task.path if (task := self._task()) else ""

    def _id(self, name: str) -> str:
        """A structural id: the path of the task, the name, and how often the task has used the name."""
        if self.handlers.only_looks is not None:
            raise looks_only(self.handlers.only_looks)
        if self.closed:
            raise Closed
        task = self._task()
        if task is not None and task.reserved is not None and not name.startswith((":", "signal:")):
            reserved, task.reserved = task.reserved, None
            return reserved
        path = path_of_block() or (task.path if task is not None else "")
        key = (path, name)
        self._uses[key] = used = self._uses.get(key, 0) + 1
        id = (f"{path}/" if path else "") + (name if used == 1 else f"{name}#{used}")
        return id_after(id) if self.cancelled else id


def seed_of(execution: Execution, taken: int) -> str:
    """What code draws chance from that has taken so many outcomes.

    A fork repeats what its origin has drawn before the command that it runs anew, and draws anew what comes after.
    """
    for seed, last in execution.forked.seeds if execution.forked is not None and execution.run == 1 else ():
        if taken <= last:
            return seed
    return execution.run_id


def clock_of(execution: Execution) -> float:
    """Where the time begins that the code of a run sees: of a fork, where that of its origin has begun."""
    forked = execution.forked
    return execution.run_began_at if forked is None or execution.run > 1 else forked.clock
