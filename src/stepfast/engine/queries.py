"""What clients and operators look at: executions, lists, histories, figures, and the code run against its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from stepfast.engine import map_results, recordings
from stepfast.engine.child_list import children_page
from stepfast.engine.history import (
    around_end,
    begin_events,
    begun,
    end_events,
    history_of,
    record_events,
    signal_events,
)
from stepfast.engine.listing import FaultGroup, fits, groups_of
from stepfast.engine.metrics import Tallies
from stepfast.engine.outline import Outline, outline_of
from stepfast.engine.ports import Clock, Page, Query, Store
from stepfast.engine.record_reader import RecordPage, RecordQuery
from stepfast.errors import ExecutionNotFound, WrongStatus
from stepfast.language.registry import Registry
from stepfast.model import ENDED_FOR_GOOD, Event, Execution, ExecutionStatus, Snapshot
from stepfast.replay.replay import Replay
from stepfast.replay.signals import MAX_CHECKED_SIGNALS, MAX_SHOWN_SIGNALS, Refusal, refusals
from stepfast.standing import hand_mark

T = TypeVar("T")
OTHERS = "others"
"""The cursor of the page after the execution whose id is all of the prefix, where a page takes one alone."""


class ReadOperations:
    """The half of the operations that changes nothing."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store, self._clock, self._registry = store, clock, registry

    async def read(self, execution_id: str) -> Execution:
        """The execution without its commands; ExecutionNotFound."""
        return existing(await self._store.read(execution_id), execution_id)

    async def load(self, execution_id: str, *, signals: bool = True) -> Snapshot:
        """The execution with all its items, or without its signals; ExecutionNotFound."""
        return existing(await self._store.load(execution_id, signals=signals), execution_id)

    async def load_brief(self, execution_id: str) -> Snapshot:
        """The execution with all its items, its signals without their payloads; ExecutionNotFound."""
        snapshot = await self.load(execution_id, signals=False)
        signals = await self._store.signals(snapshot.execution.run_id, payloads=False)
        return replace(snapshot, signals=tuple(signals))

    async def outline(self, execution: Execution, query: RecordQuery) -> Outline:
        """A page of the execution's records, at a cost that does not grow with their number."""
        return await outline_of(self._store.reader, execution, query)

    async def outline_of_one(self, execution: Execution, command_id: str) -> Outline:
        """The record of one command, if it has one, in the place of a page."""
        records = await self._store.reader.named(execution, [command_id])
        return Outline(execution, RecordPage(tuple(records.values()), None))

    async def is_longer(self, execution_id: str, records: int) -> bool:
        """Whether the execution has more records than this, or too many values to read all records at once."""
        return await self.if_longer(execution_id, records) is not None

    async def if_longer(self, execution_id: str, records: int) -> Execution | None:
        """The execution without its commands if it is longer, as of `is_longer`; ExecutionNotFound."""
        execution = await self.read(execution_id)
        return execution if await self._store.reader.is_longer(execution.run_id, records) else None

    async def load_run(self, execution_id: str, run: int) -> Snapshot:
        """One run of the execution, its signals without their payloads if it is the current one; ExecutionNotFound."""
        current = (await self.read(execution_id)).run
        if run == current:
            return await self.load_brief(execution_id)
        # A later run is not looked for: SQLite raises OverflowError for a number beyond 64 bits.
        earlier = await self._store.load_run(execution_id, run) if run < current else None
        return _kept(earlier, execution_id, run)

    async def runs(self, execution_id: str, limit: int, before: int | None = None) -> list[Execution]:
        """At most `limit` runs that are kept, the latest first, from the current one on; ExecutionNotFound.

        before: only runs of a lower number.
        """
        current = await self.read(execution_id)
        before = None if before is not None and before > current.run else before
        latest = [current] if before is None else []
        earlier = await self._store.runs(execution_id, limit - len(latest), before) if limit > len(latest) else []
        return [*latest, *earlier]

    async def run_history(self, execution_id: str, run: int) -> list[Event]:
        """What happened in one run, in order; ExecutionNotFound."""
        current = (await self.read(execution_id)).run
        if run == current:
            return await self.history(execution_id)
        earlier = await self._store.load_run(execution_id, run) if run < current else None
        snapshot = _kept(earlier, execution_id, run)
        return history_of(snapshot, await self._store.run_history(execution_id, run))

    async def history(self, execution_id: str) -> list[Event]:
        """What happened to the execution, in order; ExecutionNotFound. A signal that nobody took says why.

        Outputs that are stored apart are StoredTexts.
        """
        snapshot = await self.load(execution_id)
        reasons = {refusal.signal.signal_id: refusal.reason for refusal in await self.not_taken(snapshot)}
        return history_of(snapshot, await self._store.history(snapshot.execution.run_id), reasons, unread=True)

    async def items(self, execution_id: str, limit: int, cursor: str | None, failed: bool) -> map_results.ItemResults:
        """A page of the items of the execution's maps; ExecutionNotFound, and InvalidRequest for an unknown cursor."""
        return await map_results.page(self._store, execution_id, limit, cursor, failed)

    async def recording(
        self, execution_id: str, cursor: str | None, run: int | None = None
    ) -> recordings.RecordingPage:
        """A page of all that is recorded of a run; ExecutionNotFound, and InvalidRequest for an unknown cursor."""
        return existing(await recordings.page(self._store, execution_id, cursor, run), execution_id)

    async def recorded_value(
        self, execution_id: str, command: str | None, name: str, offset: int, run: int | None = None
    ) -> recordings.ValuePiece:
        """A piece of a large value of a run; ExecutionNotFound, and InvalidRequest where there is no such value."""
        return await recordings.value(self._store, execution_id, command, name, offset, run)

    async def events_of_records(self, execution_id: str, query: RecordQuery) -> tuple[list[Event], str | None]:
        """What happened to the commands of a page, by time, and the position of the next page; ExecutionNotFound.

        The first page has the start of the execution, too. Outputs that are stored apart are StoredTexts.
        """
        execution = await self.read(execution_id)
        page = await self._store.reader.page(execution, query)
        events = [] if query.after else [*begin_events(execution)]
        for record in sorted(page.records, key=begun):
            events.extend(record_events(record, unread=True))
        return sorted(events, key=lambda event: event.at), page.next

    async def other_events(self, execution_id: str) -> list[Event]:
        """What happened beside the commands: resumes, signals and the end, by time; ExecutionNotFound."""
        execution = await self.read(execution_id)
        run_id = execution.run_id
        kept, signals = await self._store.history(run_id), await self._store.signals(run_id)
        kept, after_end = around_end(execution, kept)
        events = sorted([*kept, *signal_events(signals, {})], key=lambda event: event.at)
        return [*events, *end_events(execution), *after_end]

    async def not_taken(self, snapshot: Snapshot) -> list[Refusal]:
        """The signals of an execution that has not ended for good which nobody has taken, at most 100, and why."""
        if snapshot.execution.status in ENDED_FOR_GOOD:
            return []
        taken = {record.signal for record in snapshot.records.values()}
        left = [signal for signal in snapshot.signals if signal.signal_id not in taken][:MAX_SHOWN_SIGNALS]
        if not left:
            return []
        payloads: list[str | None] = [None] * len(left)
        for place, signal in enumerate(left[:MAX_CHECKED_SIGNALS]):
            whole = (
                signal
                if signal.payload
                else await self._store.signal(snapshot.execution.execution_id, signal.signal_id)
            )
            payloads[place] = whole.payload if whole is not None else None
        try:
            replay = self.replay(snapshot)
        except Exception:  # Broken code must not hide the signals: the reasons are then given without it.
            replay = None
        return list(refusals(left, replay, payloads))

    async def read_many(self, execution_ids: Sequence[str]) -> list[Execution]:
        """Those of the executions that exist, in the order asked for, each once, without input and result."""
        executions = {execution.execution_id: execution for execution in await self._store.read_many(execution_ids)}
        return [executions[id] for id in dict.fromkeys(execution_ids) if id in executions]

    async def page(self, query: Query) -> Page:
        """Executions, newest first; InvalidRequest for a cursor that is not ours.

        The one whose id is all of the prefix comes before the others, whenever it was started. Children of a parent
        come as of child_list.py; ExecutionNotFound if there is no such parent.
        """
        if query.parent is not None:
            return await children_page(self._store, query)
        if not query.prefix or query.cursor not in (None, OTHERS):
            return await self._store.page(query)
        whole = None if query.cursor == OTHERS else await self._whole(query)
        query = replace(query, cursor=None)
        if whole is None:
            return await self._store.page(query)
        if query.limit == 1:
            return Page((whole,), OTHERS)
        others = await self._store.page(replace(query, limit=query.limit - 1))
        return Page((whole, *others.executions), others.next)

    async def _whole(self, query: Query) -> Execution | None:
        """The execution of this very id, if the query's filters take it."""
        if query.values:
            execution = await self._store.read(query.prefix)
        else:
            execution = next(iter(await self._store.read_many([query.prefix])), None)
        if execution is None or query.contains not in execution.execution_id:
            return None
        return execution if fits(query, execution) else None

    async def fault_groups(self, workflow: str | None, limit: int) -> tuple[list[FaultGroup], bool]:
        """FAILED executions in groups, and False if there are more than the `limit` that were looked at."""
        faults, complete = await self._store.faults(workflow, limit)
        return groups_of(faults), complete

    def now(self) -> float:
        """Seconds since the epoch, UTC, by the clock of the engine."""
        return self._clock.now()

    async def figures(self, workflow: str, since: int, until: int) -> Mapping[int, Tallies]:
        """What was counted as executions of a workflow ended, by hour since the epoch; until is not included."""
        return await self._store.figures(workflow, since, until)

    def replay(self, snapshot: Snapshot) -> Replay | None:
        """The execution's code run against its records, closed; None where it is not deployed."""
        replay = self.open_replay(snapshot)
        if replay is not None:
            replay.close()
        return replay

    def open_replay(self, snapshot: Snapshot) -> Replay | None:
        """The execution's code run against its records, which the caller closes; None where it is not deployed."""
        workflow = self._registry.get(snapshot.execution.workflow)
        if workflow is None:
            return None
        replay = Replay(workflow, snapshot.execution)
        replay.sent = snapshot.cursor.dispatched
        try:
            replay.advance(snapshot.records, snapshot.cursor.applied)
        except BaseException:
            replay.close()
            raise
        return replay


def _kept(snapshot: Snapshot | None, execution_id: str, run: int) -> Snapshot:
    if snapshot is None:
        raise recordings.no_run(execution_id, run)
    return snapshot


def require_untouched(execution: Execution, seen: str | None) -> None:
    """Raises WrongStatus if the last intervention is not the one of this mark; None takes any."""
    hand = execution.intervention
    if seen is None or hand_mark(hand) == seen:
        return
    how: str = hand.action if hand is not None else "another change"
    if hand is not None and hand.by is not None:
        how += f" by {hand.by}"
    raise WrongStatus(
        f"execution {execution.execution_id!r} was changed since it was chosen (last: {how}), and is left as it is",
        execution.status,
    )


def require_status(execution: Execution, status: ExecutionStatus, done: str) -> None:
    """WrongStatus unless the execution stands so. done: what can only be done to such a one, as a participle."""
    if execution.status != status:
        text = f"execution {execution.execution_id!r} is {execution.status}: only a {status} one can be {done}"
        raise WrongStatus(text, execution.status)


def existing(value: T | None, execution_id: str) -> T:
    if value is None:
        raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
    return value
