"""Runs workflow code against recorded results; what it then still waits for is `outstanding`.

A replay is live: given more records it goes on from where it stood. It belongs to one generation of
one execution and to one thread at a time. Its creator closes it.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import heapq
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from logging import LogRecord
from typing import Any

from stepfast.errors import Deadlock, ForbiddenInWorkflow, InvalidRequest, NonDeterministic, StepFailed
from stepfast.language.logger import LogLines
from stepfast.language.steps import Step, StepCall
from stepfast.language.workflows import Workflow
from stepfast.model import Chained, Execution, Failure, Record
from stepfast.replay.asyncio_internals import explained, get_running_loop, owner_of
from stepfast.replay.commands import Command as Command
from stepfast.replay.commands import CommandFuture, shortened
from stepfast.replay.loop import Closed, WorkflowLoop
from stepfast.replay.tasks import Started, WorkflowTask
from stepfast.values.codec import Codec

_live: dict[int, list[Started]] = {}
"""The coroutines of every replay not yet closed: held here, the collector leaves their `finally` blocks to close()."""


class Replay:
    """One run of a workflow's code, as far as its records carry it.

    outstanding: commands that wait for an outcome, in the order issued.
    issued: every command asked for so far. taken: ids whose outcome was given to the code, in order.
    applied: the order in which outcomes were applied wherever there was a choice.
    seen: what was taken until the workflow's own coroutine ended, each with how many commands were issued before.
    chained: claims that ride in the records of this generation, by the command they claim.
    stale: the records read are older than the order read with them; read again.
    finished, and then either result (JSON text) or error.
    """

    def __init__(self, workflow: Workflow[..., Any], execution: Execution) -> None:
        self.execution = execution
        self.workflow = workflow
        self.records: dict[str, Record] = {}
        self.chained: dict[str, Chained] = {}
        self.applied: list[str] = []
        self.taken_signals: dict[str, None] = {}
        self.arrived: Any = None  # what signals.Arrived knows, once somebody asks for it
        self.outstanding: dict[str, Command] = {}
        self.issued: dict[str, Command] = {}
        self.taken: dict[str, int] = {}
        self.seen: dict[str, int] = {}
        self.stale = self.finished = self.closed = False
        self.result: str | None = None
        self.error: BaseException | None = None
        self._position = 0
        self._recorded: list[tuple[float, str]] = []  # heap of outstanding commands with an outcome
        self._dues: list[tuple[float, str]] = []  # heap of timers
        self._uses: Counter[tuple[str, str]] = Counter()
        self._timers: dict[int, str] = {}  # by id(): handles of one time and callback are equal
        self._broken: BaseException | None = None
        self._main: WorkflowTask | None = None
        self._awaited: asyncio.Future[Any] | None = None  # the main task, then what is left to shut down
        self._shutdown: Iterator[asyncio.Future[Any]] | None = None
        self._left: dict[str, Command] = {}
        self.lines = LogLines(execution, self.records, self.chained, self.issued)
        self.loop = WorkflowLoop(self, execution.created_at)  # type: ignore[abstract]

    # -- going on ------------------------------------------------------------------------------------

    def advance(self, records: Mapping[str, Record], applied: Sequence[str] = (), *, extend: bool = False) -> None:
        """Goes on with these records, following the durable order and, only if told to, extending it.

        `records` may be all of them or just those that are new; `applied` is the whole durable order.
        """
        for record in records.values():
            self.records[record.id] = record
            if record.signal is not None:
                self.taken_signals[record.signal] = None
            if record.then is not None and record.then.generation == self.execution.generation:
                self.chained[record.then.id] = record.then
            if record.recorded and (command := self.outstanding.get(record.id)) is not None:
                self._note_outcome(command, record)
        if len(applied) > len(self.applied):
            self.applied = list(applied)
        self.stale = False
        if self._main is None:
            self._start()
        while not self.finished and self._step(extend):
            pass

    def _start(self) -> None:
        try:
            coroutine = self.workflow.coroutine(self.execution.input)
        except InvalidRequest as error:
            self._break(NonDeterministic(f"the recorded input no longer fits its type: {error}"))
            self._finish()
        else:
            _live[id(self)] = self.loop.tasks
            self._main = self.new_task(coroutine, contextvars.Context())
            self._await(self._main)

    def _await(self, future: asyncio.Future[Any]) -> None:
        self._awaited = future
        self.loop.stop_after(future)

    def _step(self, extend: bool) -> bool:
        """Runs the code until it waits, then applies one outcome; False if there is none to apply."""
        if not self.loop.run_until_blocked():
            self._break(
                Deadlock(
                    "the workflow runs in circles without waiting for any step, timer or signal; "
                    "to wait for a time, await asyncio.sleep with more than 0 seconds"
                )
            )
        if self._broken is not None:
            self._finish()
        elif self._awaited is not None and self._awaited.done():
            self._shut_down()
            return True
        elif self._shutdown is None and (forgotten := self.loop.unawaited.error()) is not None:
            self._break(forgotten)
            self._finish()
        elif not self.outstanding:
            self._break_stuck()
            self._finish()
        elif (next_id := self._next(extend)) is not None:
            self._apply(next_id)
            return True
        return False

    def _shut_down(self) -> None:
        """Goes on with what is to be done after the workflow's own coroutine, or finishes."""
        if self._shutdown is None:
            self.seen, self._left = dict(self.taken), dict(self.outstanding)
            self.loop.unawaited.end(task() for _, _, task in self.loop.tasks)
            self._shutdown = self.loop.shut_down()
        if (next_future := next(self._shutdown, None)) is None:
            self._finish()
        else:
            self._await(next_future)

    def _break_stuck(self) -> None:
        """Fails what waits for nothing; but where the workflow's own coroutine has failed, by that failure."""
        if self._shutdown is None:
            self._break(
                Deadlock(
                    "the workflow waits for something that no step, timer or signal will bring: "
                    "a future, event, lock or queue that nothing in the workflow will set"
                )
            )
        elif self._main is not None and (self._main.cancelled() or self._main.exception() is None):
            self._break(
                Deadlock(
                    "the workflow has returned, but a task that was left, and is cancelled by that, waits in its "
                    "except or finally block for something that no step, timer or signal will bring"
                )
            )

    def _next(self, extend: bool) -> str | None:
        if len(self.outstanding) == 1:  # no choice: the order needs no record
            only = next(iter(self.outstanding))
            return only if self._has_outcome(only) else None
        if self._position < len(self.applied):
            next_id = self.applied[self._position]
            if next_id not in self.outstanding:
                self._break(
                    NonDeterministic(
                        f"the recorded order goes on with {next_id!r}, but the code does not wait for it; "
                        f"it waits for {', '.join(map(repr, list(self.outstanding)[:5]))}"
                    )
                )
                self._finish()
                return None
            if not self._has_outcome(next_id):
                self.stale = True
                return None
            self._position += 1
            return next_id
        return self._choose() if extend else None

    def _choose(self) -> str | None:
        """Extends the order by the earliest outcome; timers come in the order in which they were due."""
        held, chosen = [], None
        while self._recorded and chosen is None:
            outcome = heapq.heappop(self._recorded)
            if outcome[1] not in self.outstanding:
                continue
            if self._is_early(self.outstanding[outcome[1]]):
                held.append(outcome)
            else:
                chosen = outcome[1]
        for outcome in held:
            heapq.heappush(self._recorded, outcome)
        if chosen is not None:
            self.applied.append(chosen)
            self._position += 1
        return chosen

    def _is_early(self, command: Command) -> bool:
        """True for a timer while another one that was due before it has no outcome yet."""
        if command.kind != "timer":
            return False
        dues = self._dues
        while dues and (dues[0][1] not in self.outstanding or self._has_outcome(dues[0][1])):
            heapq.heappop(dues)
        return bool(dues) and dues[0][0] < (command.due or 0.0)

    def _note_outcome(self, command: Command, record: Record) -> None:
        ended = record.ended_at or 0.0
        heapq.heappush(self._recorded, (min(ended, command.due) if command.due is not None else ended, command.id))

    def _has_outcome(self, id: str) -> bool:
        return id in self.records and self.records[id].recorded

    def _apply(self, id: str) -> None:
        command, record = self.outstanding.pop(id), self.records[id]
        self.taken[id] = len(self.issued)
        self.loop.clock = max(self.loop.clock, record.ended_at or 0.0)
        if command.kind == "timer":
            self.loop.ready.append(command.waiter)
            return
        if record.status == "SUCCEEDED":
            codec = command.step.result if command.step else command.codec
            assert codec is not None
            try:
                command.waiter.set_result(codec.decode(record.output or "null"))
            except InvalidRequest as error:
                self._break(NonDeterministic(f"what {id!r} has recorded no longer fits its type: {error}"))
            return
        failure = record.error or Failure("Unknown", "")
        told = (failure.type, failure.message, record.attempt, failure.error_class, failure.bases)
        command.waiter.set_exception(StepFailed(command.name, id, *told))

    def _break(self, error: BaseException) -> None:
        """Fails the execution whatever workflow code does with it."""
        self._broken = self._broken or error

    def _finish(self) -> None:
        self.finished = True
        if self._shutdown is None:
            self.seen = dict(self.taken)
        else:
            self.outstanding = self._left  # what the shut-down has cancelled was still waited for
        if self._broken is not None:
            self.error = self._broken
        else:
            assert self._main is not None
            try:
                value = self._main.result()
                self.loop.unawaited.check()
                self.result = self.workflow.result.encode(value)[0]
            except asyncio.CancelledError as error:
                self.error = error
            except BaseException as error:
                self.error = explained(error)
        self.close()

    def close(self) -> None:
        """Discards the replay; commands of `finally` blocks that this runs are refused."""
        if self.closed:
            return
        self.closed = True
        outstanding = dict(self.outstanding)
        self.loop.discard()
        _live.pop(id(self), None)
        self.outstanding = outstanding  # what `finally` blocks have just taken back is still waited for

    def __del__(self) -> None:
        self.close()

    @property
    def shutting_down(self) -> bool:
        """True once the workflow's own coroutine has ended, and while what it has left is run to its end."""
        return self._shutdown is not None and not self.finished

    @property
    def position(self) -> int:
        """How much of `applied` the code has been through."""
        return self._position

    # -- what the running code asks for ----------------------------------------------------------------

    def step(self, step: Step[..., Any], arguments: dict[str, Any]) -> asyncio.Future[Any]:
        id = self._id(step.name)
        _ = step.result.adapter  # a type without JSON form fails here, before the step has run
        text = step.arguments.encode(arguments)
        record = self.records.get(id)
        begun = record is not None and record.status != "OPEN" and record.input is not None
        if record is not None and begun and not step.arguments.codec.same(record.input or "", text):
            raise self._mismatch(id, f"with the input {shortened(record.input or '')}", f"it with {shortened(text)}")
        return self._issue(Command(id, "step", step.name, None, input=text, step=step))

    def signal(self, name: str, codec: Codec) -> asyncio.Future[Any]:
        _ = codec.adapter
        return self._issue(Command(self._id("signal:" + name), "signal", name, None, codec=codec))

    def timer(self, handle: asyncio.TimerHandle, when: float) -> None:
        if self.closed:
            raise Closed
        self._timers[id(handle)] = command_id = self._id(":timer")
        record, delay = self.records.get(command_id), when - self.loop.clock
        if record is not None and record.status == "OPEN" and record.due is not None:
            when = record.due  # re-opened by a resume: it waits its whole time again
        # Asked now: a handle that is cancelled, as anyio does when a scope ends, forgets what it would have called.
        self._add(Command(command_id, "timer", "timer", handle, due=when, delay=delay, owner=owner_of(handle)))
        heapq.heappush(self._dues, (when, command_id))

    def timer_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.outstanding.pop(self._timers.pop(id(handle), ""), None)

    def refuse(self, error: ForbiddenInWorkflow) -> ForbiddenInWorkflow:
        """Fails the execution even where workflow code or a library in it swallows the error."""
        self._break(error)
        return error

    def now(self) -> float:
        return self.loop.clock

    def log(self, record: LogRecord) -> None:
        self.lines.add(record, self.closed or self._position < len(self.applied))

    def entropy(self, use: str) -> bytes:
        if self.closed:
            raise Closed
        key = (self._path(), "entropy:" + use)
        self._uses[key] += 1
        seed = f"{self.execution.execution_id}|{key[0]}|{use}|{self._uses[key]}"
        return hashlib.sha256(seed.encode()).digest()

    def new_task(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: contextvars.Context | None,
        name: str | None = None,
        eager: bool = False,
    ) -> WorkflowTask:
        if self.closed:
            coroutine.close()
            raise Closed
        if self._main is None:
            path, reserved = "", None
        else:
            path = self._id(getattr(coroutine, "__name__", None) or type(coroutine).__name__)
            reserved = path if isinstance(coroutine, StepCall) else None
        return WorkflowTask(coroutine, self.loop.number(), path, reserved, self.loop, context, name, eager=eager)

    def place(self, name: str) -> tuple[str, contextvars.Context]:
        """The next path for a name in the task that runs, and the task's context."""
        task = asyncio.current_task(self.loop)
        return self._id(name), task.context if isinstance(task, WorkflowTask) else contextvars.copy_context()

    def _issue(self, command: Command) -> asyncio.Future[Any]:
        if self.closed:
            raise Closed
        command.waiter = CommandFuture(self.loop.number(), self.loop, self.outstanding, command.id)
        self._add(command)
        future: asyncio.Future[Any] = command.waiter
        return future

    def _add(self, command: Command) -> None:
        id, record = command.id, self.records.get(command.id)
        command.issued_at = self.loop.clock
        if record is not None and record.kind != command.kind:
            raise self._mismatch(id, f"as a {record.kind}", f"a {command.kind}")
        self.outstanding[id] = self.issued[id] = command
        if record is not None and record.recorded:
            self._note_outcome(command, record)

    def _mismatch(self, id: str, recorded: str, asked: str) -> NonDeterministic:
        error = NonDeterministic(f"{id!r} was recorded {recorded}; the code now asks for {asked}")
        self._break(error)
        return error

    def _task(self) -> WorkflowTask | None:
        """The task whose code runs now; None between tasks."""
        task = asyncio.current_task(self.loop) if get_running_loop() is self.loop else None
        return task if isinstance(task, WorkflowTask) else None

    def _path(self) -> str:
        return task.path if (task := self._task()) else ""

    def _id(self, name: str) -> str:
        """Structural: the path of the task that asks, the name, and how often that task has used it."""
        if self.closed:
            raise Closed
        task = self._task()
        if task is not None and task.reserved is not None and not name.startswith((":", "signal:")):
            reserved, task.reserved = task.reserved, None
            return reserved
        path = task.path if task is not None else ""
        self._uses[path, name] += 1
        used = self._uses[path, name]
        return (f"{path}/" if path else "") + (name if used == 1 else f"{name}#{used}")
