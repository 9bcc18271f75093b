"""Runs workflow code against its records. The commands that the code then waits for are `outstanding`.

A replay is live: with more records it goes on from where it stopped. It belongs to one generation of one execution,
and to one thread at a time. The code that makes a replay has to close it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stepfast.errors import InvalidRequest, NonDeterministic
from stepfast.language.continuing import ContinueAsNew
from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Record
from stepfast.replay import children, continuing, deadlocks
from stepfast.replay.cancelling import CancelMark, mark_of
from stepfast.replay.choices import has_outcome
from stepfast.replay.commands import Command as Command
from stepfast.replay.issuing import Issuing
from stepfast.replay.reading import OutcomeReader
from stepfast.replay.succession import Succession
from stepfast.replay.tasks import Started
from stepfast.replay.weights import weight
from stepfast.stored_text import bytes_of

_live: dict[int, list[Started]] = {}
"""The coroutines of every open replay. While they are held here, only close() runs their `finally` blocks."""


class Replay(Issuing):
    """One run of a workflow's code, as far as its records go.

    outstanding: commands without an outcome, in the order in which they were issued.
    issued: every command so far. taken: the commands whose outcome the code has seen, in order.
    applied: the order in which outcomes were applied wherever there was a choice.
    withdrawn: commands for whose outcome the code no longer waits, by choices that are not durable.
    seen: what was taken before the workflow's own coroutine ended; each id with the number of commands issued before.
    chained: claims that are part of the records of this generation, by the command that they claim.
    stale: the records are older than the order that was read with them, so both must be read again.
    weight: about how many bytes of memory it holds.
    cancelled: the code was cancelled, so that its execution ends as CANCELLED.
    finished: the code has ended, with either result (JSON text) or error, or with the input of a new run (continues).
    """

    def __init__(self, workflow: Workflow[..., Any], execution: Execution) -> None:
        super().__init__(workflow, execution)
        self.taken_signals: dict[str, None] = {}
        self.arrived: Any = None  # a signals.Arrived, made when it is first needed
        self.knows_signals = False  # whether `arrived` has all signals that were stored at the last load
        self.seen: dict[str, int] = {}
        self.stale = self.finished = False
        self.weight = 0
        self.result: str | None = None
        self.error: BaseException | None = None
        self.continues: str | None = None
        self._succession = Succession()
        self._outcomes = OutcomeReader()
        self._awaited: asyncio.Future[Any] | None = None  # the main task, then what is left to shut down
        self._shutdown: Iterator[asyncio.Future[Any]] | None = None
        self._left: dict[str, Command] = {}
        self.noted: str | None = None  # the progress that was written last

    # -- going on ------------------------------------------------------------------------------------

    def advance(self, records: Mapping[str, Record], applied: Sequence[str] = (), *, extend: bool = False) -> None:
        """Goes on with these records in the durable order.

        records: all records, or only new records. applied: the whole durable order. extend: extends the order.
        """
        for record in records.values():
            known = self.records.get(record.id)
            self.weight += weight(record) - (0 if known is None else weight(known))
            self.records[record.id] = record
            if type(record.output) is not str:
                self._outcomes.add(record)
            if record.signal is not None:
                self.taken_signals[record.signal] = None
            if record.then is not None and record.then.generation == self.execution.generation:
                self.chained[record.then.id] = record.then
            if record.recorded and (command := self.outstanding.get(record.id)) is not None:
                self._choices.add_outcome(command, record)
        if len(applied) > len(self.applied):
            self.applied = list(applied)
        self.stale, self._extends = False, extend
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
        """Runs the code until it waits, then applies one outcome. False when there is no outcome to apply."""
        loop = self.loop
        if loop.ready and not loop.run_until_blocked():
            self._break(deadlocks.in_circles())
        if self._broken is not None:
            self._finish()
        elif self._awaited is not None and self._awaited.done():
            self._shut_down()
            return True
        elif loop.unawaited.lost_calls and self._shutdown is None:
            self._break(loop.unawaited.error())
            self._finish()
        elif self._position < len(self.applied) and (cancel := self._next_cancel()) is not None:
            self._cancel(cancel)
            return True
        elif not self.outstanding:
            self._break_stuck()
            self._finish()
        elif (next_id := self._next(extend)) is not None:
            self._apply(next_id)
            return True
        return False

    def _shut_down(self) -> None:
        """After the workflow's own coroutine has ended: begins the next part of the shut-down, or finishes."""
        if self._shutdown is None:
            self.seen, self._left = dict(self.taken), dict(self.outstanding)
            self.handlers.end()
            if self._main is not None and (
                wrong := continuing.wrong_end(self._main, self._left, self.handlers.running)
            ):
                self._break(wrong)
            self.loop.unawaited.end(task() for _, _, task in self.loop.tasks)
            self._shutdown = self.loop.shut_down()
        if (next_future := next(self._shutdown, None)) is None:
            self._finish()
        else:
            self._await(next_future)

    def _break_stuck(self) -> None:
        """Fails code that nothing can wake. A failure of the workflow's own coroutine comes before this failure."""
        if self._shutdown is None:
            self._break(deadlocks.stuck())
        elif self._main is not None and (self._main.cancelled() or self._main.exception() is None):
            self._break(deadlocks.stuck_in_shutdown())

    def _next(self, extend: bool) -> str | None:
        if len(self.outstanding) == 1:  # there is no choice, so the order need not be recorded
            only = next(iter(self.outstanding))
            record = self.records.get(only)
            return only if record is not None and record.recorded else None
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
            if not has_outcome(next_id, self.records):
                self.stale = True
                return None
            self._position += 1
            return next_id
        return self._choose() if extend else None

    def _next_cancel(self) -> CancelMark | None:
        """The cancel that comes next in the durable order, once the code has taken what came before it."""
        self._pass_marks()
        mark = mark_of(self.applied[self._position]) if self._position < len(self.applied) else None
        return mark if mark is not None and mark.taken == len(self.taken) else None

    def _cancel(self, mark: CancelMark) -> None:
        """Throws CancelledError into the workflow's own coroutine where it waits, and limits the time that is left."""
        self._position += 1
        self.cancelled = True
        self.loop.clock = max(self.loop.clock, mark.at)
        with self.loop.entered():
            late = TimeoutError(f"the code was cancelled, and had not ended {mark.limit:g} s later")
            self.loop.call_at(mark.at + mark.limit, self._break, late)
            if self._main is not None:
                self._main.cancel()

    def _choose(self) -> str | None:
        """Extends the order by the earliest outcome. Timers come in the order in which they are due."""
        chosen = self._choices.choose(self.outstanding, self.records)
        if chosen is not None:
            self._begin_choices()
            self.applied.append(chosen)
            self._position += 1
        return chosen

    def made_durable(self) -> None:
        """The order is durable as far as it goes now, with what it has withdrawn."""
        self._asked = None
        self.withdrawn.clear()

    def chains(self, command: Command, records_for_a_hop: int) -> bool:
        """Whether the worker of this step had better replay, and go on with the steps that follow (Succession)."""
        return self._succession.chains(command, len(self.records), records_for_a_hop)

    @property
    def decided(self) -> bool:
        """Whether the durable order says all that the code has been through."""
        return self._asked is None

    @property
    def acts(self) -> bool:
        """Whether something follows from choices that are not durable: a command, one withdrawn, a status, or the end.

        The order must be durable before any of that is acted on. Choices that led to nothing may be made anew.
        """
        return not self.decided and (self.finished or bool(self.withdrawn) or self._reached != self._asked)

    @property
    def _reached(self) -> tuple[int, int, int]:
        """How many commands the code has asked for, updates it has answered, and values it has shown."""
        return len(self.issued), len(self.handlers.answers), self.showing.calls

    def _apply(self, id: str) -> None:
        command, record = self.outstanding.pop(id), self.records[id]
        waiter, command.waiter = command.waiter, None  # the command is kept, and would keep what has become of it
        self.taken[id] = len(self.issued)
        self._bytes += bytes_of(record.output)
        alone = not self.outstanding
        if alone:
            self._choices.clear_outcomes()
        self._succession.add(command, alone=alone)
        loop, ended = self.loop, record.ended_at or 0.0
        if ended > loop.clock:
            loop.clock = ended
        if command.kind == "timer":
            loop.ready.append(waiter)
            return
        if record.status == "SUCCEEDED":
            codec = command.step.result if command.step else command.codec
            assert codec is not None
            try:
                output = record.output
                text = output if output and type(output) is str else self._outcomes.read(record)
                waiter.set_result(codec.decode(text))
            except InvalidRequest as error:
                self._break(NonDeterministic(f"what {id!r} has recorded no longer fits its type: {error}"))
            return
        waiter.set_exception(children.failure_for(command, record))

    def _finish(self) -> None:
        self.finished = True
        if self._shutdown is None:
            self.seen = dict(self.taken)
        else:
            self.outstanding = self._left  # the code still waited for the commands that the shut-down has cancelled
        if self._broken is not None:
            self.error = self._broken
        else:
            assert self._main is not None
            try:
                value = self._main.result()
                self.loop.unawaited.check()
                self.result = self.workflow.result.text(value)
            except ContinueAsNew as turn:
                self.continues = turn.text
            except asyncio.CancelledError as error:
                self.error = error
            except BaseException as error:
                self.error = deadlocks.explained(error)
        self.close()

    def close(self) -> None:
        """Discards the replay. `finally` blocks run, and their commands are refused. Repeating it changes nothing."""
        if self.closed:
            return
        self.closed = True
        outstanding = dict(self.outstanding)
        self.loop.discard()
        _live.pop(id(self), None)
        self.outstanding = outstanding  # without this, `finally` blocks would take commands back

    def __del__(self) -> None:
        self.close()

    @property
    def shutting_down(self) -> bool:
        """True while tasks and generators run that the workflow's own coroutine has left when it ended."""
        return self._shutdown is not None and not self.finished

    @property
    def position(self) -> int:
        """How many ids of `applied` the code has followed."""
        return self._position
