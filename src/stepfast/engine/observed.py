"""A store that tells a listener what was written through it: metrics, logs and tests hang there, on each home alike."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.ports import Commit, Committed, End, NextRun, Store
from stepfast.engine.start_items import Hold
from stepfast.errors import StepfastError
from stepfast.model import (
    SIGNAL_LIMITS,
    Event,
    Execution,
    Link,
    OrderEntry,
    Record,
    Signal,
    SignalLimits,
    run_of,
)
from stepfast.shown import ShownState


class StoreListener:
    """What may be told; each method does nothing unless it is overridden.

    A method is called after its write is stored, by the writer, and never for a write that was
    refused. A crash right after the write leaves it out; a write whose answer was lost may be reported to nobody. It
    must neither raise nor wait: the write's caller waits for it.
    """

    def on_started(self, execution: Execution) -> None:
        """An execution was created."""

    def on_attempt(self, execution_id: str, record: Record) -> None:
        """The record of a step was written: the claim of an attempt, a retry, or the outcome."""

    def on_due(self, execution_id: str, record: Record, due: float) -> None:
        """What was due then has come: the first attempt of a step was claimed, or a timer is over. Before `on_attempt`.

        Not of a chained step, which the write of the step before it has claimed.
        """

    def on_waited(self, execution_id: str, record: Record) -> None:
        """The wait for a signal is over; the record names the signal that it has taken."""

    def on_signal(self, execution: Execution, signal: Signal) -> None:
        """A signal or an update was stored; the execution is as it stood then, without its input and result."""

    def on_ended(self, execution: Execution) -> None:
        """An execution has succeeded, failed or was cancelled; after `on_attempt` of the step that it ended with."""

    def on_resumed(self, execution: Execution) -> None:
        """A failed execution was resumed; the execution is of the new generation."""

    def on_continued(self, execution: Execution) -> None:
        """An execution continues as a new run; the execution is of that run."""

    def on_changed(self, execution_id: str) -> None:
        """Something of an execution was written that shows: a record, its status, its progress, or what it shows."""

    def on_run_ended(self, execution: Execution) -> None:
        """An execution continues as a new run; the execution is of the run that has ended. Before `on_continued`."""


def observed(store: Store, *listeners: StoreListener) -> Store:
    """The store, which tells the listeners, in this order, of what is written through what is returned."""
    return _Observed(store, listeners)


class _Observed:
    def __init__(self, store: Store, listeners: Sequence[StoreListener]) -> None:
        self._store, self._listeners = store, listeners
        # Each step comes by here, and most listeners have nothing to say to it.
        self._on_attempt = [listener.on_attempt for listener in listeners if _hears(listener, "on_attempt")]
        self._on_signal = [listener.on_signal for listener in listeners if _hears(listener, "on_signal")]
        self._on_due = [listener.on_due for listener in listeners if _hears(listener, "on_due")]
        self._on_changed = [listener.on_changed for listener in listeners if _hears(listener, "on_changed")]
        # A method without listeners is the store's own.
        self.read, self.read_many, self.load, self.peek = store.read, store.read_many, store.load, store.peek
        self.signals, self.signal = store.signals, store.signal
        self.append, self.entries, self.erase = store.append, store.entries, store.erase
        self.relink = store.relink
        self.history, self.page, self.faults = store.history, store.page, store.faults
        self.figures, self.idle, self.reader, self.limits = store.figures, store.idle, store.reader, store.limits
        self.starts, self.begin, self.fold = store.starts, store.begin, store.fold
        self.schedules, self.links, self.audit = store.schedules, store.links, store.audit
        self.workflow_pauses = store.workflow_pauses
        self.runs, self.load_run, self.run_history = store.runs, store.load_run, store.run_history

    async def create(self, execution: Execution) -> Execution:
        held = await self._store.create(execution)
        self._started(execution, held)
        return held

    async def create_in_turn(self, execution: Execution, hold: Hold | None) -> Execution | None:
        held = await self._store.create_in_turn(execution, hold)
        self._started(execution, held)
        return held

    async def fork(self, fork: ForkCopy, children: Sequence[ForkCopy] = ()) -> Execution:
        held = await self._store.fork(fork, children)
        self._started(fork.execution, held)
        return held

    def _started(self, execution: Execution, held: Execution | None) -> None:
        if held is execution:
            for listener in self._listeners:
                listener.on_started(execution)

    async def add_signal(self, execution_id: str, signal: Signal, limits: SignalLimits = SIGNAL_LIMITS) -> Signal:
        held = await self._store.add_signal(execution_id, signal, limits)
        if held is signal and self._on_signal:
            with suppress(StepfastError):  # the signal is stored, whatever becomes of this read
                for execution in await self._store.read_many([execution_id]):
                    for on_signal in self._on_signal:
                        on_signal(execution, signal)
        return held

    async def commit(self, execution_id: str, commit: Commit) -> Committed:
        committed = await self._store.commit(execution_id, commit)
        if committed.record:
            record = commit.record
            if commit.due is not None:
                for on_due in self._on_due:
                    on_due(execution_id, record, commit.due)
            if record.kind == "step":
                for on_attempt in self._on_attempt:
                    on_attempt(execution_id, record)
            elif record.kind == "signal" and record.status == "SUCCEEDED":
                for listener in self._listeners:
                    listener.on_waited(execution_id, record)
        if commit.end is not None:
            self._ended(commit.end, committed.end)
        if committed.record:
            for on_changed in self._on_changed:
                on_changed(run_of(execution_id)[0])
        return committed

    async def finish(self, end: End) -> bool:
        return self._ended(end, await self._store.finish(end))

    async def continue_as_new(self, turn: NextRun) -> bool:
        written = await self._store.continue_as_new(turn)
        if written:
            for listener in self._listeners:
                listener.on_run_ended(turn.ended)
                listener.on_continued(turn.execution)
        return self._changed(turn.execution.execution_id, written)

    async def cancel(self, end: End, records: Sequence[Record], order: int = 0) -> bool:
        return self._ended(end, await self._store.cancel(end, records, order))

    async def rewind(
        self,
        execution: Execution,
        cut: OrderEntry,
        records: Sequence[Record],
        history: Sequence[Event],
        link: Link | None = None,
        hold: Hold | None = None,
    ) -> bool:
        written = await self._store.rewind(execution, cut, records, history, link, hold)
        if written:
            for listener in self._listeners:
                listener.on_resumed(execution)
        return self._changed(execution.execution_id, written)

    def _ended(self, end: End, written: bool) -> bool:
        if written:
            for listener in self._listeners:
                listener.on_ended(end.execution)
        return self._changed(end.execution.execution_id, written)

    async def report(self, run_id: str, record: Record, generation: int) -> bool:
        return self._changed(run_id, await self._store.report(run_id, record, generation))

    async def note(self, execution: Execution, progress: str) -> bool:
        return self._changed(execution.execution_id, await self._store.note(execution, progress))

    async def show(self, execution: Execution, shown: ShownState) -> bool:
        return self._changed(execution.execution_id, await self._store.show(execution, shown))

    async def intervene(self, turn: StatusTurn) -> bool:
        return self._changed(turn.after.execution_id, await self._store.intervene(turn))

    def _changed(self, run_id: str, written: bool) -> bool:
        if written and self._on_changed:
            execution_id, _ = run_of(run_id)
            for on_changed in self._on_changed:
                on_changed(execution_id)
        return written


def _hears(listener: StoreListener, method: str) -> bool:
    """Whether the listener's class does something in this method."""
    return getattr(type(listener), method) is not getattr(StoreListener, method)
