"""The Store and Queue ports on one SQLite file; what is to be done next is kept in memory as well.

The file has one owner. A claim made before this process opened it is a dead process's: its lease
counts as run out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from stepfast.backends.sqlite import deletion, forks, label_rows, metrics, overdue, rows, runs, showing, starts, writes
from stepfast.backends.sqlite import signals as signal_rows
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.pending_writes import PendingWrite
from stepfast.backends.sqlite.reads import SqliteReads
from stepfast.backends.sqlite.record_writes import put_record, put_records
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.embedded import Overdue
from stepfast.engine.embedded import Stored as Stored
from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.messages import Message
from stepfast.engine.ports import COMMITTED, NOT_COMMITTED, Clock, Commit, Committed, Delivery, End, NextRun
from stepfast.engine.start_items import Hold, TurnedAway
from stepfast.errors import ExecutionDeleted, Refused
from stepfast.model import (
    ENDED,
    SIGNAL_LIMITS,
    UNDER_WAY,
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
from stepfast.standing import StartInfo


class SqliteBackend(SqliteReads):
    """Both ports on one file; `on_message` and `on_wake` are called, from the writer's thread, after commits."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        super().__init__(file, clock)
        with file.reading() as db:
            used = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        self._numbers = itertools.count(1 + (used[0] if used else 0))
        self.on_message: Callable[[Stored], None] = lambda stored: None
        self.on_wake: Callable[[str, int], None] = lambda execution_id, seq: None
        self.on_dropped: Callable[[int], None] = lambda seq: None
        self.on_erased: Callable[[Sequence[tuple[str, str]]], None] = lambda sealed: None

    def close(self) -> None:
        self._file.close()

    def flush(self) -> None:
        """Writes deletions that have waited for some other commit to go with."""
        self._file.flush()

    # -- Store: writing ------------------------------------------------------------------------------------

    async def create(self, execution: Execution) -> Execution:
        held = await self._file.write(lambda tx: self._create(tx, execution))
        if isinstance(held, int):
            raise ExecutionDeleted(execution.execution_id, held)
        return held

    async def fork(self, fork: ForkCopy, children: Sequence[ForkCopy] = ()) -> Execution:
        held = await self._file.write(lambda tx: forks.put(tx, self._create, fork, children))
        if isinstance(held, Refused):
            raise held
        return held

    def _create(self, tx: Transaction, execution: Execution) -> Execution | int:
        """The execution that holds the id, or the generation of the deleted one that does not let this one in."""
        id = execution.execution_id
        if not tx.put(rows.execution_write(execution)):
            row = tx.execute(f"{rows.SELECT_EXECUTION} WHERE execution_id = ?", (id,)).fetchone()
            return deletion.generation_of(tx, id) if row is None else rows.execution(row)
        label_rows.add(tx, execution, execution.labels.items())
        self._wake(tx, id)
        return execution

    async def create_in_turn(self, execution: Execution, hold: Hold | None) -> Execution | None:
        def run(tx: Transaction) -> Execution | int | None:
            if not starts.may_create(tx, execution, hold):
                return None
            held = self._create(tx, execution)
            if held is execution:
                starts.place(tx, execution, hold)
            return held

        held = await self._file.write(run)
        if isinstance(held, int):
            raise ExecutionDeleted(execution.execution_id, held)
        return held

    async def fold(self, execution: Execution, start: StartInfo, input: str, turned: TurnedAway | None) -> bool:
        return await self._file.write(lambda tx: starts.fold(tx, execution, start, input, turned))

    async def begin(self, execution: Execution, start: StartInfo) -> bool:
        id = execution.execution_id

        def run(tx: Transaction) -> bool:
            tx.after.append(lambda: self._changes.forget(id))
            if not starts.begin(tx, execution, start):
                return False
            if not start.waits:
                self._wake(tx, id)
            return True

        return await self._file.write(run)

    async def commit(self, run_id: str, commit: Commit) -> Committed:
        write = _RecordCommit(self, run_of(run_id)[0], commit)
        committed = self._file.put(write)
        return write.outcome() if committed is None else await committed

    async def continue_as_new(self, turn: NextRun) -> bool:
        id = turn.execution.execution_id

        def run(tx: Transaction) -> bool:
            tx.after.append(lambda: self._changes.forget(id))
            deleted = runs.turn(tx, turn)
            if deleted is None:
                return False
            tx.after += [partial(self._dropped, seq) for seq in deleted]
            metrics.add(tx, End(turn.ended, turn.counts))
            self._wake(tx, id)
            return True

        return await self._file.write(run)

    async def report(self, run_id: str, record: Record, generation: int) -> bool:
        execution_id, _ = run_of(run_id)
        runs = "SELECT 1 FROM executions WHERE execution_id = ? AND status = 'RUNNING' AND generation = ?"

        def run(tx: Transaction) -> bool:
            if tx.execute(runs, (execution_id, generation)).fetchone() is None:
                return False
            if not put_record(tx, self._changes, execution_id, record):
                return False
            self._wake(tx, execution_id)
            return True

        return await self._file.write(run)

    async def relink(self, execution: Execution, link: Link) -> bool:
        return await self._file.write(lambda tx: tx.put(rows.link_write(execution, link)))

    async def note(self, execution: Execution, progress: str) -> bool:
        values = (progress, execution.execution_id, execution.generation)
        return await self._file.write(lambda tx: tx.execute(rows.UPDATE_PROGRESS, values).rowcount == 1)

    async def show(self, execution: Execution, shown: ShownState) -> bool:
        return await self._file.write(lambda tx: showing.show(tx, execution, shown))

    async def append(
        self, run_id: str, entry: OrderEntry, messages: Sequence[tuple[Message, float | None]] = ()
    ) -> bool:
        execution_id, _ = run_of(run_id)
        now = self._clock.now()

        def run(tx: Transaction) -> bool:
            if not writes.append(tx, execution_id, entry):
                return False
            self._send(tx, messages, now)
            return True

        return await self._file.write(run)

    async def finish(self, end: End) -> bool:
        return await self._file.write(lambda tx: self._end(tx, end))

    def _end(self, tx: Transaction, end: End) -> bool:
        execution = end.execution
        tx.after.append(lambda: self._changes.forget(execution.execution_id))
        if not writes.put_status(tx, execution, "RUNNING", execution.generation):
            return False
        if end.shown is not None:
            showing.put(tx, execution, end.shown)
        metrics.add(tx, end)
        if end.wake:
            self._wake(tx, execution.execution_id)
        return True

    async def cancel(self, end: End, records: Sequence[Record], order: int = 0) -> bool:
        def run(tx: Transaction) -> bool:
            execution, id = end.execution, end.execution.execution_id
            if not writes.fresh(tx, id, records) or not writes.is_free(tx, id, order):
                return False
            if not any(writes.put_status(tx, execution, status, execution.generation) for status in UNDER_WAY):
                return False
            writes.append(tx, id, OrderEntry(order, execution.generation, ended=True))
            put_records(tx, self._changes, id, records)
            metrics.add(tx, end)
            if end.wake:
                self._wake(tx, id)
            return True

        return await self._file.write(run)

    async def rewind(
        self,
        execution: Execution,
        cut: OrderEntry,
        records: Sequence[Record],
        history: Sequence[Event],
        link: Link | None = None,
        hold: Hold | None = None,
    ) -> bool:
        id = execution.execution_id
        before = replace(execution, status="FAILED", generation=execution.generation - 1)

        def run(tx: Transaction) -> bool:
            if not writes.fresh(tx, id, records) or not writes.is_free(tx, id, cut.number):
                return False
            if hold is not None and not starts.stands(tx, hold):
                return False
            if link is not None and not tx.put(rows.link_write(before, link)):
                return False
            if not writes.put_status(tx, execution, before.status, before.generation):
                return False
            if hold is not None:
                starts.give(tx, hold.id, id)
            writes.append(tx, id, cut)
            put_records(tx, self._changes, id, records)
            writes.add_history(tx, id, history)
            writes.drop_dead_letters(tx, id)
            self._wake(tx, id)
            return True

        return await self._file.write(run)

    async def intervene(self, turn: StatusTurn) -> bool:
        before, after, id = turn.before, turn.after, turn.after.execution_id

        def run(tx: Transaction) -> bool:
            if turn.entry is not None and not writes.is_free(tx, id, turn.entry.number):
                return False
            if turn.untouched and not writes.has_hand(tx, before):
                return False
            if not writes.put_status(tx, after, before.status, before.generation):
                return False
            if turn.entry is not None:
                writes.append(tx, id, turn.entry)
            writes.add_history(tx, id, turn.events)
            if after.status == "CLOSED":
                writes.drop_dead_letters(tx, id)
            if turn.wake:
                self._wake(tx, id)
            return True

        return await self._file.write(run)

    async def add_signal(self, execution_id: str, signal: Signal, limits: SignalLimits = SIGNAL_LIMITS) -> Signal:
        def run(tx: Transaction) -> Signal:
            held = signal_rows.add(tx, execution_id, signal, limits)
            if held is signal:
                self._wake(tx, execution_id)
            return held

        return await self._file.write(run)

    async def erase(self, execution: Execution) -> bool:
        id, now = execution.execution_id, self._clock.now()

        def run(tx: Transaction) -> bool:
            held = tx.execute("SELECT status, generation FROM executions WHERE execution_id = ?", (id,)).fetchone()
            if execution.status not in ENDED or held != (execution.status, execution.generation):
                return False
            self._gone(tx, deletion.delete(tx, id, execution.generation, now))
            return True

        return await self._file.write(run)

    async def expire(self, before: float) -> int:
        """Deletes some of the executions that ended for good before a time; 0 once there are none.

        FAILED ones are kept. Takes little time, so that the writes of others wait for it no longer than for a commit.
        """
        now = self._clock.now()

        def run(tx: Transaction) -> int:
            gone = deletion.expire(tx, before, now)
            starts.expire(tx, before)
            self._gone(tx, gone)
            return len(gone)

        return await self._file.write(run)

    def _gone(self, tx: Transaction, execution_ids: Sequence[str]) -> None:
        tx.after += [partial(self._changes.forget, id) for id in execution_ids]
        if tx.sealed:
            tx.after.append(partial(self.on_erased, tx.sealed))
        for id in execution_ids:
            tx.wakes.pop(id, None)  # Its row is deleted, and an execution that takes the id now needs another.

    def _wake(self, tx: Transaction, execution_id: str) -> None:
        """Puts a wake. One is enough for all that a transaction writes, since no advance follows before the commit."""
        if execution_id in tx.wakes:
            return
        seq = tx.execute("INSERT INTO wakes (execution_id) VALUES (?)", (execution_id,)).lastrowid
        assert seq is not None
        tx.wakes[execution_id] = lambda: self.on_wake(execution_id, seq)

    # -- Queue -----------------------------------------------------------------------------------------------

    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        """Delivers at once, and leaves the rows to the next commit: ahead of all that follows from them."""
        now = self._clock.now()
        stored = [self._stored(message, due, now) for message, due in messages]
        for arrival in stored:
            self._file.post_row(rows.INSERT_MESSAGE, rows.message_values(arrival.seq, arrival.delivery, arrival.due))
            self.on_message(arrival)

    def _send(self, tx: Transaction, messages: Sequence[tuple[Message, float | None]], now: float) -> None:
        stored = [self._stored(message, due, now) for message, due in messages]
        writes.put_messages(tx, stored)
        tx.after.append(partial(self._arrived, stored))

    def _stored(self, message: Message, due: float | None, now: float) -> Stored:
        return Stored(next(self._numbers), now if due is None else due, Delivery(message, now, due))

    def _dropped(self, seq: int) -> None:
        self.on_dropped(seq)

    def _arrived(self, stored: Sequence[Stored]) -> None:
        for arrival in stored:
            self.on_message(arrival)

    def delete(self, seq: int) -> None:
        """Drops a message whose work is done; if the write is lost, it is found done once more."""
        self._file.post_row("DELETE FROM messages WHERE seq = ?", (seq,))

    def refuse(self, seq: int) -> None:
        """Makes a message a dead letter, kept until its execution is resumed."""
        self._file.post_row("UPDATE messages SET dead = 1 WHERE seq = ?", (seq,))

    def advanced(self, execution_id: str, seq: int) -> None:
        """Drops the wakes up to this one; if the write is lost, one advance more is made."""
        self._file.post_row("DELETE FROM wakes WHERE execution_id = ? AND seq <= ?", (execution_id, seq))

    def outstanding(self) -> tuple[list[Stored], list[tuple[str, int]]]:
        """What an earlier owner of the file left to do: messages, and executions to advance.

        A message's stored due time is its first; one that was put off is delivered anew, and put off anew.
        """
        with self._file.reading() as db:
            messages = [
                rows.stored(row) for row in db.execute(f"{rows.SELECT_MESSAGE} WHERE dead = 0 ORDER BY due, seq")
            ]
            wakes = db.execute("SELECT execution_id, max(seq) FROM wakes GROUP BY execution_id ORDER BY 2").fetchall()
        return [Stored(seq, due, delivery) for seq, due, delivery in messages], wakes

    # -- for the sweep -----------------------------------------------------------------------------------------

    def messages_due_before(self, time: float, after: int, limit: int) -> list[Stored]:
        """Messages by number, from the one after `after` on, that were first due before a time."""
        with self._file.reading() as db:
            return [Stored(*row) for row in overdue.messages(db, time, after, limit)]

    def commands_due_before(self, execution_id: str, time: float) -> list[Overdue]:
        """Commands of an execution whose next try was due, or whose lease ended, before a time."""
        with self._file.reading() as db:
            return overdue.commands(db, execution_id, time)

    def wakes(self) -> dict[str, int]:
        """Executions that are to be advanced, with the number of their last wake."""
        with self._file.reading() as db:
            return overdue.wakes(db)


class _RecordCommit(PendingWrite[Committed]):
    """The write of `SqliteBackend.commit`. It is no function with a closure, since each step makes one or two."""

    __slots__ = ("backend", "commit", "execution_id")

    def __init__(self, backend: SqliteBackend, execution_id: str, commit: Commit) -> None:
        super().__init__()
        self.backend, self.execution_id, self.commit = backend, execution_id, commit

    def run(self, tx: Transaction) -> Committed:
        backend, commit = self.backend, self.commit
        if not put_record(tx, backend._changes, self.execution_id, commit.record):
            return NOT_COMMITTED
        if commit.wake and self.execution_id not in tx.wakes:
            backend._wake(tx, self.execution_id)
        if commit.shown is not None:
            showing.show(tx, *commit.shown)
        if commit.end is None:
            return COMMITTED
        return Committed(True, backend._end(tx, commit.end))
