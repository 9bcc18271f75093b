"""Reads of several items are not of one moment: what is written in between must never be taken for half of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfast.engine.ports import Commit, End
from stepfast.model import Execution, Failure, OrderEntry, Record
from tests.backends.cloud import Cloud
from tests.backends.interleaving import Torn, elsewhere

ONE = Execution("one", "w", "1", 1000.0)
FAILED = replace(ONE, status="FAILED", error=Failure("E", "down"), ended_at=2000.5, causes=("a",))
STEP = Record("a", "step", "a", "SUCCEEDED", 0)


@pytest.fixture
def started(cloud: Cloud) -> Cloud:
    cloud.run(cloud.store.create(ONE))
    return cloud


def rewound(cloud: Cloud, count: int) -> None:
    """Resumes the failed execution, re-opening all its steps."""
    records = [Record(f"a#{one:02}", "step", "a", "OPEN", 1, revision=2) for one in range(count)]
    resumed = replace(ONE, generation=1)
    assert elsewhere(cloud.make_store().rewind(resumed, OrderEntry(1, 1, cut=0), records, []))


@pytest.mark.parametrize(("count", "size"), [(0, 10), (3, 10), (25, 100_000)])
def test_a_load_in_the_middle_of_a_rewind_sees_all_of_it(started: Cloud, count: int, size: int) -> None:
    """The rewind comes after the first page of records was read, and before the meta is."""
    for one in range(count):
        record = replace(STEP, id=f"a#{one:02}", status="FAILED", output=f'"{"x" * size}"')
        assert started.run(started.store.commit("one", Commit(record, wake=False)))
    assert started.run(started.store.append("one", OrderEntry(0, 0, ("a#00",))))
    assert started.run(started.store.finish(End(FAILED)))
    torn = Torn(lambda: rewound(started, count))
    loaded = started.run(started.make_store(dynamodb=torn).load("one"))
    assert loaded.execution.generation == 1
    assert [(one.status, one.generation) for one in loaded.records.values()] == [("OPEN", 1)] * count
    assert loaded.cursor.revision == 2
    assert torn.queries > 1


def test_new_records_do_not_make_up_for_those_that_a_slow_reader_has_missed(started: Cloud) -> None:
    """Between the two pages of one read the execution is resumed, goes on, and records something new."""
    for one in range(25):
        record = replace(STEP, id=f"a#{one:02}", status="FAILED", output=f'"{"x" * 100_000}"')
        assert started.run(started.store.commit("one", Commit(record, wake=False)))
    assert started.run(started.store.append("one", OrderEntry(0, 0, ("a#00",))))
    assert started.run(started.store.finish(End(FAILED)))

    def go_on() -> None:
        rewound(started, 1)
        assert elsewhere(started.make_store().commit("one", Commit(replace(STEP, id="z", generation=1), wake=False)))

    loaded = started.run(started.make_store(dynamodb=Torn(go_on)).load("one"))
    assert loaded.execution.generation == 1
    assert loaded.records["a#00"].status == "OPEN"


def test_what_follows_from_a_record_that_is_newer_than_the_execution_is_not_written(started: Cloud) -> None:
    """A timer that was re-opened meanwhile would else be ended by a message of the generation before."""
    assert started.run(started.store.commit("one", Commit(replace(STEP, id="a#00", status="FAILED"), wake=False)))
    assert started.run(started.store.append("one", OrderEntry(0, 0)))
    assert started.run(started.store.finish(End(FAILED)))
    rewound(started, 1)
    _, record = started.run(started.store.peek("one", "a#00"))
    assert (record.status, record.generation) == ("OPEN", 1)
    ended = replace(record, status="SUCCEEDED", generation=0, revision=record.revision + 1)
    assert not started.run(started.store.commit("one", Commit(ended, wake=True)))
    assert started.run(started.store.peek("one", "a#00"))[1] == record
