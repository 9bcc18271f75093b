"""A hypothesis state machine drives the real file and a model made of dicts side by side, and compares them.

Every operation of the Store and the Queue, with right and wrong revisions, statuses and generations, and the
file closed and opened again at any moment.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend, Stored
from stepfast.engine.messages import Message
from stepfast.engine.order import cursor_of
from stepfast.engine.ports import NOT_COMMITTED, Commit, End, Fault, Query
from stepfast.errors import InvalidRequest
from stepfast.model import Attempt, Chained, Event, Execution, Failure, OrderEntry, Record, Signal
from tests.lanes import examples

T = TypeVar("T")

IDS = st.sampled_from(["a", "ab", "ü c", "d"])
COMMANDS = st.sampled_from(["pay", "pay#2", "branch/pay", ":timer"])
GENERATIONS = st.integers(0, 2)
OFF = st.sampled_from([0, 0, 0, 0, -1, 1, 5])
"""How far a write's revision is from the right one."""
TIMES = st.floats(0, 4_000_000_000, allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.sampled_from(["null", '{"a":1}', '"é\\u0000"', "[]"])
FAILURE = st.builds(Failure, TEXTS, TEXTS, st.none() | TEXTS, st.none() | TEXTS)
FAILURES = st.none() | FAILURE
ATTEMPTS = st.builds(Attempt, st.integers(1, 9), TIMES, st.none() | TIMES, FAILURES, st.none() | TIMES)
MESSAGES = st.builds(Message, st.sampled_from(["step", "timer", "park"]), IDS, COMMANDS, GENERATIONS, TEXTS)
SENT = st.lists(st.tuples(MESSAGES, st.none() | TIMES), max_size=3)
RECORDS = st.builds(
    Record,
    id=COMMANDS,
    kind=st.sampled_from(["step", "timer", "signal"]),
    name=TEXTS,
    status=st.sampled_from(["OPEN", "RUNNING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED"]),
    generation=GENERATIONS,
    attempt=st.integers(0, 9),
    interrupted=st.integers(0, 9),
    token=st.none() | TEXTS,
    lease=st.none() | TIMES,
    due=st.none() | TIMES,
    input=st.none() | JSON,
    output=st.none() | JSON,
    error=FAILURES,
    first_at=st.none() | TIMES,
    started_at=st.none() | st.floats(0, 100_000),
    ended_at=st.none() | TIMES,
    then=st.none() | st.builds(Chained, COMMANDS, TIMES, GENERATIONS, TEXTS, st.floats(0, 100_000)),
    signal=st.none() | TEXTS,
    attempts=st.lists(ATTEMPTS, max_size=3).map(tuple),
)
COMMAND_IDS = st.lists(COMMANDS, max_size=4).map(tuple)
ENTRIES = st.builds(OrderEntry, st.just(0), GENERATIONS, COMMAND_IDS, COMMAND_IDS, COMMAND_IDS, st.none())
BEHIND = st.sampled_from([0, 0, 0, 0, -1, -2])
"""By how much the number of an entry is less than that of the next in the log."""
LABELS = st.dictionaries(st.sampled_from(["team", "é"]), st.sampled_from(["x", "y", ""]), max_size=2)
EVENTS = st.lists(st.builds(Event, TIMES, TEXTS, st.none() | COMMANDS, st.dictionaries(TEXTS, TEXTS)), max_size=2)


class Time:
    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Items:
    """One execution's items in the model."""

    execution: Execution
    records: dict[str, Record] = field(default_factory=dict)
    log: list[OrderEntry] = field(default_factory=list)
    signals: dict[str, Signal] = field(default_factory=dict)
    history: list[Event] = field(default_factory=list)


class StoreMachine(RuleBasedStateMachine):
    """`held` is the model; after every rule all of it is compared with what the file gives."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="stepfast-machine-"))
        self.clock = Time()
        self.held: dict[str, Items] = {}
        self.marks: dict[str, tuple[int, dict[str, Record]]] = {}
        self.messages: dict[int, tuple[Message, float, float, bool]] = {}
        self.wakes: dict[str, list[int]] = {}
        self.woken: list[tuple[str, int]] = []
        self.arrived: list[Stored] = []
        self._open()

    def _open(self) -> None:
        self.opened_at = self.clock.time
        self.backend = SqliteBackend(SqliteFile(self.folder / "machine.db", "process"), self.clock)
        self.backend.on_wake = lambda execution_id, seq: self.woken.append((execution_id, seq))
        self.backend.on_message = self.arrived.append

    def teardown(self) -> None:
        self.backend.close()
        shutil.rmtree(self.folder)

    def call(self, coroutine: Coroutine[Any, Any, T], wakes: tuple[str, ...] = (), sent: Any = ()) -> T:
        """Runs a call and checks what it woke and sent; both are then outstanding in the model, too."""
        self.woken.clear()
        self.arrived.clear()
        result = asyncio.run(coroutine)
        if result in (False, NOT_COMMITTED):
            wakes, sent = (), ()
        assert [id for id, _ in self.woken] == list(wakes)
        for id, seq in self.woken:
            self.wakes.setdefault(id, []).append(seq)
        now = self.clock.time
        expected = [(message, now if due is None else due, now) for message, due in sent]
        assert [(one.delivery.message, one.due, one.delivery.sent_at) for one in self.arrived] == expected
        for one, (message, due, _) in zip(self.arrived, expected, strict=True):
            self.messages[one.seq] = (message, due, now, False)
        return result

    def _follows(self, id: str, record: Record) -> bool:
        stored = self.held[id].records.get(record.id) if id in self.held else None
        if stored is None:
            return record.revision == 1
        return record.revision == stored.revision + 1 and record.generation >= stored.generation

    def _next(self, id: str, record: Record, off: int) -> Record:
        stored = self.held[id].records.get(record.id)
        return replace(record, revision=max(1, (stored.revision if stored else 0) + 1 + off))

    # -- executions ------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        for id in ("a", "ab"):
            self.create(id, "w", "null", {"team": "x"})

    @rule(id=IDS, workflow=st.sampled_from(["w", "v"]), input=JSON, labels=LABELS)
    def create(self, id: str, workflow: str, input: str, labels: dict[str, str]) -> None:
        execution = Execution(id, workflow, input, self.clock.time, labels=labels)
        if id in self.held:
            assert self.call(self.backend.create(execution)) == self.held[id].execution
        else:
            assert self.call(self.backend.create(execution), (id,)) is execution
            self.held[id] = Items(execution)

    def _ended(self, id: str, off: int, **changes: Any) -> tuple[Execution, bool]:
        stored = self.held[id].execution
        ended = replace(stored, generation=stored.generation + off, ended_at=self.clock.time, **changes)
        return ended, stored.status == "RUNNING" and off == 0

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        off=OFF,
        failure=st.builds(Failure, TEXTS, TEXTS) | FAILURES,
        result=JSON,
        causes=st.lists(COMMANDS, max_size=2).map(tuple),
    )
    def finish(self, data: Any, off: int, failure: Failure | None, result: str, causes: tuple[str, ...]) -> None:
        id = data.draw(st.sampled_from(sorted(self.held)))
        outcome: dict[str, Any] = {"status": "SUCCEEDED", "result": result}
        if failure is not None:
            outcome = {"status": "FAILED", "error": failure, "causes": causes}
        ended, fits = self._ended(id, off, **outcome)
        assert self.call(self.backend.finish(End(ended))) is fits
        if fits:
            self.held[id].execution = ended

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        off=OFF,
        records=st.lists(RECORDS, max_size=3, unique_by=lambda one: one.id),
        by=OFF,
        behind=BEHIND,
    )
    def cancel(self, data: Any, off: int, records: list[Record], by: int, behind: int) -> None:
        id = data.draw(st.sampled_from(sorted(self.held)))
        ended, fits = self._ended(id, off, status="CANCELLED")
        records = [self._next(id, one, by) for one in records]
        fits = fits and all(self._follows(id, one) for one in records)
        number = max(0, len(self.held[id].log) + behind)
        fits = fits and number == len(self.held[id].log)
        assert self.call(self.backend.cancel(End(ended), records, number)) is fits
        if fits:
            self.held[id].execution = ended
            self.held[id].log.append(OrderEntry(number, ended.generation, ended=True))
            self.held[id].records |= {one.id: one for one in records}

    @rule(
        data=st.data(),
        wrong=st.sampled_from(["nothing", "nothing", "generation", "records"]),
        off=st.sampled_from([1, -1, 5]),
        behind=BEHIND,
        records=st.lists(RECORDS, max_size=3, unique_by=lambda one: one.id),
        events=EVENTS,
    )
    def rewind(
        self,
        data: Any,
        wrong: str,
        off: int,
        behind: int,
        records: list[Record],
        events: list[Event],
    ) -> None:
        failed = [id for id, one in self.held.items() if one.execution.status == "FAILED"]
        id = data.draw(st.sampled_from([*sorted(failed * 9), *sorted(self.held)]))
        held = self.held[id]
        resumed = replace(
            held.execution,
            status="RUNNING",
            generation=held.execution.generation + 1 + off * (wrong == "generation"),
            error=None,
            causes=(),
            ended_at=None,
        )
        records = [self._next(id, one, off * (wrong == "records")) for one in records]
        kept = data.draw(st.integers(0, len(cursor_of(held.log).applied)))
        cut = OrderEntry(max(0, len(held.log) + behind), resumed.generation, cut=kept)
        fits = held.execution.status == "FAILED" and wrong != "generation"
        fits = fits and all(self._follows(id, one) for one in records)
        fits = fits and cut.number == len(held.log)
        assert self.call(self.backend.rewind(resumed, cut, records, events), (id,)) is fits
        if fits:
            held.execution = resumed
            held.log.append(cut)
            held.records |= {one.id: one for one in records}
            held.history += events
            dead = {seq for seq, one in self.messages.items() if one[0].execution_id == id and one[3]}
            self.messages = {seq: one for seq, one in self.messages.items() if seq not in dead}

    # -- commands, order, signals ------------------------------------------------------------------------

    @precondition(lambda self: self.held)
    @rule(data=st.data(), record=RECORDS, off=OFF, wake=st.booleans())
    def commit(self, data: Any, record: Record, off: int, wake: bool) -> None:
        id = data.draw(st.sampled_from(sorted(self.held)))
        record = self._next(id, record, off)
        fits = self._follows(id, record)
        assert self.call(self.backend.commit(id, Commit(record, wake=wake)), (id,) if wake else ()).record is fits
        if fits:
            self.held[id].records[record.id] = record

    @precondition(lambda self: self.held)
    @rule(data=st.data(), entry=ENTRIES, behind=BEHIND, messages=SENT)
    def append(self, data: Any, entry: OrderEntry, behind: int, messages: list[tuple[Message, float | None]]) -> None:
        id = data.draw(st.sampled_from(sorted(self.held)))
        log = self.held[id].log
        entry = replace(entry, number=max(0, len(log) + behind))
        fits = entry.number == len(log)
        assert self.call(self.backend.append(id, entry, messages), (), messages) is fits
        if fits:
            log.append(entry)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), signal_id=st.sampled_from(["s1", "s2"]), name=TEXTS, payload=JSON)
    def add_signal(self, data: Any, signal_id: str, name: str, payload: str) -> None:
        id = data.draw(st.sampled_from(sorted(self.held)))
        signal, signals = Signal(signal_id, name, payload, self.clock.time), self.held[id].signals
        if signal_id in signals:
            assert self.call(self.backend.add_signal(id, signal)) == signals[signal_id]
        else:
            assert self.call(self.backend.add_signal(id, signal), (id,)) is signal
            signals[signal_id] = signal

    # -- the queue and the wakes -----------------------------------------------------------------------------

    @rule(messages=SENT)
    def send(self, messages: list[tuple[Message, float | None]]) -> None:
        self.call(self.backend.send(messages), (), messages)

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), refuse=st.booleans())
    def dispose(self, data: Any, refuse: bool) -> None:
        seq = data.draw(st.sampled_from(sorted(self.messages)))
        if refuse:
            self.backend.refuse(seq)
            self.messages[seq] = (*self.messages[seq][:3], True)
        else:
            self.backend.delete(seq)
            del self.messages[seq]

    @precondition(lambda self: any(self.wakes.values()))
    @rule(data=st.data())
    def advanced(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted(id for id, seqs in self.wakes.items() if seqs)))
        seq = data.draw(st.sampled_from(self.wakes[id]))
        self.backend.advanced(id, seq)
        self.wakes[id] = [one for one in self.wakes[id] if one > seq]

    @rule(seconds=st.floats(0, 1000))
    def time_passes(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule()
    def reopen(self) -> None:
        self.backend.close()
        self._open()

    # -- reading ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def remember_a_mark(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted(self.held)))
        delta = self.call(self.backend.changes(id))
        assert delta is not None
        assert delta.snapshot == self.call(self.backend.load(id))
        self.marks[id] = (delta.mark, dict(delta.snapshot.records))

    @precondition(lambda self: self.marks)
    @rule(data=st.data())
    def load_what_has_changed(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted(self.marks)))
        mark, known = self.marks[id]
        delta = self.call(self.backend.changes(id, mark))
        assert delta is not None
        loaded = delta.snapshot
        now = {command: self._seen(one) for command, one in self.held[id].records.items()}
        known = {command: self._seen(one) for command, one in known.items()}
        # What this owner wrote itself comes as it was written, even where a drawn start lies before its opening.
        changed = {command: self._seen(one) for command, one in loaded.records.items()}
        assert known | changed == now
        if known == now and mark == delta.mark:
            assert loaded.records == {}

    @rule(
        workflow=st.none() | st.sampled_from(["w", "v"]),
        status=st.none() | st.sampled_from(["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]),
        labels=LABELS,
        since=st.none() | st.floats(0, 10_000),
        until=st.none() | st.floats(0, 10_000),
        limit=st.integers(1, 3),
        prefix=st.sampled_from(["", "", "a", "ü", "ü ", "e"]),
        values=st.booleans(),
    )
    def page(
        self, workflow: Any, status: Any, labels: Any, since: Any, until: Any, limit: int, prefix: str, values: bool
    ) -> None:
        def fits(one: Execution) -> bool:
            return (
                (workflow is None or one.workflow == workflow)
                and (not prefix or (one.execution_id.startswith(prefix) and one.execution_id != prefix))
                and (status is None or one.status == status)
                and labels.items() <= one.labels.items()
                and (since is None or one.created_at >= since)
                and (until is None or one.created_at < until)
            )

        expected = sorted(
            (items.execution for items in self.held.values() if fits(items.execution)),
            key=lambda one: (one.created_at, one.execution_id.encode()),
            reverse=True,
        )
        found: list[Execution] = []
        if not values:
            expected = [replace(one, input="", result=None) for one in expected]
        query = Query(workflow, status, labels, since, until, limit, prefix=prefix, values=values)
        while True:
            page = self.call(self.backend.page(query))
            found += page.executions
            assert len(page.executions) == limit or page.next is None
            if page.next is None:
                break
            query = replace(query, cursor=page.next)
        assert found == expected

    @rule(workflow=st.none() | st.sampled_from(["w", "v"]), limit=st.integers(1, 3))
    def faults(self, workflow: str | None, limit: int) -> None:
        executions = [items.execution for items in self.held.values()]
        expected = [
            Fault(
                one.execution_id,
                one.workflow,
                one.created_at,
                one.error.step if one.error else None,
                one.error.type if one.error else None,
                one.generation,
            )
            for one in sorted(executions, key=lambda one: (one.created_at, one.execution_id.encode()), reverse=True)
            if one.status == "FAILED" and workflow in (None, one.workflow)
        ]
        assert self.call(self.backend.faults(workflow, limit)) == (expected[:limit], len(expected) <= limit)

    @rule(ids=st.lists(IDS))
    def read_many(self, ids: list[str]) -> None:
        found = self.call(self.backend.read_many(ids))
        assert {one.execution_id: one for one in found} == {
            id: replace(self.held[id].execution, input="", result=None) for id in ids if id in self.held
        }
        assert len(found) == len({one.execution_id for one in found})

    @rule(cursor=TEXTS)
    def page_with_a_cursor_of_nobody(self, cursor: str) -> None:
        with pytest.raises(InvalidRequest):
            asyncio.run(self.backend.page(Query(cursor=cursor)))

    @rule(limit=st.integers(1, 3), after=st.just("") | IDS)
    def idle(self, limit: int, after: str) -> None:
        self.backend.flush()  # deletes and the like are left to the next commit
        busy = {one[0].execution_id for one in self.messages.values() if not one[3]}
        busy |= {id for id, seqs in self.wakes.items() if seqs}
        running = [id for id, items in self.held.items() if items.execution.status == "RUNNING"]
        free = sorted((id for id in running if id not in busy and id.encode() > after.encode()), key=str.encode)
        position = free[limit - 1] if len(free) >= limit else ""
        assert self.call(self.backend.idle(limit, after)) == (free[:limit], position)

    # -- the comparison ----------------------------------------------------------------------------------

    def _seen(self, record: Record) -> Record:
        """A record as this owner of the file sees it: leases of an earlier one are over."""
        if record.then is not None and record.then.started_at < self.opened_at:
            record = replace(record, then=replace(record.then, lease=0.0))
        if record.status == "RUNNING" and (record.started_at or 0.0) < self.opened_at:
            record = replace(record, lease=0.0)
        return record

    @invariant()
    def everything_is_as_the_model_has_it(self) -> None:
        for id in ("a", "ab", "ü c", "d"):
            held = self.held.get(id)
            loaded = asyncio.run(self.backend.load(id))
            if held is None:
                assert loaded is None
                continue
            assert loaded is not None
            assert asyncio.run(self.backend.read(id)) == loaded.execution == held.execution
            assert loaded.cursor == cursor_of(held.log)
            assert asyncio.run(self.backend.entries(id)) == held.log
            assert loaded.records == {command: self._seen(one) for command, one in held.records.items()}
            assert {one.signal_id: one for one in loaded.signals} == held.signals
            assert asyncio.run(self.backend.history(id)) == held.history
            for command in ("pay", ":timer"):
                assert asyncio.run(self.backend.peek(id, command)) == (held.execution, loaded.records.get(command))

    @invariant()
    def what_is_outstanding_is_as_the_model_has_it(self) -> None:
        self.backend.flush()
        messages, wakes = self.backend.outstanding()
        found = {one.seq: (one.delivery.message, one.due, one.delivery.sent_at, False) for one in messages}
        assert found == {seq: one for seq, one in self.messages.items() if not one[3]}
        assert [one.due for one in messages] == sorted(one.due for one in messages)
        assert dict(wakes) == {id: max(seqs) for id, seqs in self.wakes.items() if seqs}


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=examples(25),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
