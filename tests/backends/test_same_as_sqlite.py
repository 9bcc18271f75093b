"""A hypothesis state machine drives the table and the SQLite file side by side: both must say the same.

The file has a model of its own (tests/properties), so that what agrees with it is right.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from moto import mock_aws

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.ports import Commit, End, Query
from stepfast.model import Event, Execution, OrderEntry, Record, Signal
from tests.backends.cloud import Cloud
from tests.lanes import examples
from tests.properties.test_store_machine import BEHIND, EVENTS, FAILURE, JSON, LABELS, OFF, RECORDS, TEXTS

IDS = st.sampled_from(["a", "ab"])


def plausible(value: Any) -> Any:
    """The value with times to the microsecond: DynamoDB has no numbers as small as 1e-200, and no clock tells such."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, tuple | list):
        return type(value)(plausible(one) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: plausible(getattr(value, one.name)) for one in dataclasses.fields(value)})
    return value


STEPS = RECORDS.map(plausible)
SOME = st.lists(STEPS, max_size=3, unique_by=lambda one: one.id)


class BothStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.mock = mock_aws()
        self.mock.start()
        self.cloud = Cloud()
        self.folder = Path(tempfile.mkdtemp(prefix="stepfast-both-"))
        self.file = SqliteBackend(SqliteFile(self.folder / "both.db", "process"), self.cloud.clock)
        self.woken: list[str] = []
        self.file.on_wake = lambda execution_id, seq: self.woken.append(execution_id)
        self.writes = 0

    def teardown(self) -> None:
        self.file.close()
        shutil.rmtree(self.folder)
        self.mock.stop()

    def both(self, operation: str, *arguments: Any, **options: Any) -> Any:
        """Calls both stores, and compares what they answer and whom they wake."""
        self.woken.clear()
        self.cloud.woken.clear()
        expected = asyncio.run(getattr(self.file, operation)(*arguments, **options))
        found = asyncio.run(getattr(self.cloud.store, operation)(*arguments, **options))
        assert found == expected
        assert self.cloud.woken == self.woken
        return expected

    def stored(self, id: str) -> Any:
        return asyncio.run(self.file.load(id))

    def made(self, id: str, record: Record, off: int) -> Record:
        """A record whose revision follows, or is off; no two writes are alike, as tokens see to.

        Whatever was claimed is claimed now: the file takes older claims for a dead process's.
        """
        self.writes += 1
        held, now = self.stored(id), self.cloud.clock.time
        then = replace(record.then, started_at=now) if record.then else None
        before = held.records.get(record.id)
        return replace(
            record,
            revision=max(1, (before.revision if before else 0) + 1 + off),
            generation=held.execution.generation,
            token=f"t{self.writes}",
            started_at=now,
            then=then,
        )

    @initialize(labels=LABELS)
    def begin(self, labels: dict[str, str]) -> None:
        for id in ("a", "ab"):
            self.both("create", Execution(id, "w", "1", self.cloud.clock.time, labels=labels))

    @rule(id=IDS, workflow=st.sampled_from(["w", "v"]), input=JSON)
    def create(self, id: str, workflow: str, input: str) -> None:
        self.both("create", Execution(id, workflow, input, self.cloud.clock.time + 1))

    @rule(id=IDS, record=STEPS, off=OFF, wake=st.booleans())
    def commit(self, id: str, record: Record, off: int, wake: bool) -> None:
        self.both("commit", id, Commit(self.made(id, record, off), wake=wake))

    @rule(id=IDS, applied=st.lists(TEXTS, max_size=3).map(tuple), behind=BEHIND)
    def append(self, id: str, applied: tuple[str, ...], behind: int) -> None:
        self.writes += 1
        number = max(0, self.stored(id).cursor.revision + behind)
        self.both("append", id, OrderEntry(number, 0, (*applied, f"#{self.writes}"), applied, seal=f"{self.writes}"))

    @rule(id=IDS, off=OFF, result=st.none() | JSON, failure=FAILURE, last=st.none() | STEPS)
    def finish(self, id: str, off: int, result: str | None, failure: Any, last: Record | None) -> None:
        held = self.stored(id).execution
        ended = replace(held, generation=held.generation + off, ended_at=self.cloud.clock.time)
        if result is None:
            self.both("finish", End(replace(ended, status="FAILED", error=failure, causes=("pay",))))
        elif last is None:
            self.both("finish", End(replace(ended, status="SUCCEEDED", result=result)))
        else:
            end = replace(ended, status="SUCCEEDED", result=result)
            self.both("commit", id, Commit(self.made(id, last, 0), wake=False, end=End(end)))

    @rule(id=IDS, off=OFF, records=SOME, wrong=OFF)
    def cancel(self, id: str, off: int, records: list[Record], wrong: int) -> None:
        held = self.stored(id).execution
        ended = replace(held, status="CANCELLED", generation=held.generation + off, ended_at=self.cloud.clock.time)
        order = self.stored(id).cursor.revision
        self.both("cancel", End(ended), [self.made(id, one, wrong) for one in records], order)

    @rule(
        id=IDS,
        off=OFF,
        records=SOME,
        wrong=OFF,
        behind=BEHIND,
        events=EVENTS.map(plausible),
    )
    def rewind(self, id: str, off: int, records: list[Record], wrong: int, behind: int, events: list[Event]) -> None:
        held = self.stored(id)
        generation = held.execution.generation + 1 + off
        resumed = replace(
            held.execution, status="RUNNING", generation=generation, error=None, causes=(), ended_at=None, result=None
        )
        opened = [replace(self.made(id, one, wrong), generation=generation, status="OPEN") for one in records]
        cut = OrderEntry(max(0, held.cursor.revision + behind), generation, cut=0)
        self.both("rewind", resumed, cut, opened, events)

    @rule(id=IDS, signal_id=st.sampled_from(["s1", "s2"]), name=TEXTS, payload=JSON)
    def add_signal(self, id: str, signal_id: str, name: str, payload: str) -> None:
        self.both("add_signal", id, Signal(signal_id, name, payload, self.cloud.clock.time))

    @rule(
        workflow=st.none() | st.sampled_from(["w", "v"]),
        status=st.none() | st.sampled_from(["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]),
        labels=LABELS,
        since=st.none() | st.floats(900, 2000),
        prefix=st.sampled_from(["", "", "a", "ab", "b"]),
        values=st.booleans(),
    )
    def page(self, workflow: Any, status: Any, labels: Any, since: Any, prefix: str, values: bool) -> None:
        self.both("page", Query(workflow, status, labels, since, prefix=prefix, values=values))

    @rule(workflow=st.none() | st.sampled_from(["w", "v"]))
    def faults(self, workflow: str | None) -> None:
        self.both("faults", workflow, 10)

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.cloud.clock.time += seconds

    @invariant()
    def everything_is_the_same(self) -> None:
        for id in ("a", "ab", "c"):
            expected = self.stored(id)
            found = asyncio.run(self.cloud.store.load(id))
            assert (found is None) is (expected is None)
            if expected is not None:
                assert found == replace(expected, signals=found.signals)
                assert sorted(found.signals, key=str) == sorted(expected.signals, key=str)
        self.both("read", "a")
        self.both("read_many", ["a"])
        self.both("peek", "a", "pay")
        self.both("entries", "a")
        self.both("entries", "a", 1)
        self.both("history", "a")


TestBothStores = BothStores.TestCase
TestBothStores.settings = settings(
    max_examples=examples(5),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
