"""A parent is cancelled while its child ends: whichever write comes first, no outcome is changed by the other."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast.backends.dynamodb.transactions import Transactions
from stepfast.backends.sqlite import rows, writes
from stepfast.engine.cancelling import Cancelling
from stepfast.engine.queries import ReadOperations
from tests.contract.family_of_two import CHILD, REGISTRY, Behind, begun, end_of, family, generation_of, record_of
from tests.simulation.breaking import edited

Patch = pytest.MonkeyPatch


async def cancel(backend: Any, store: Any) -> None:
    reading = ReadOperations(store, backend.clock, REGISTRY)
    await Cancelling(store, backend.clock, reading).terminate("p")


def settled(backend: Any) -> tuple[str, str]:
    """The statuses of parent and child once the children of what has ended are ended, too."""
    store = backend.store
    backend.run(family(backend, store).settle(backend.run(store.load("p"))))
    return generation_of(backend, "p")[0], generation_of(backend, "p.waits-within")[0]


def the_child_is_reported_behind_the_read_of_the_cancel(backend: Any) -> None:
    store = begun(backend)

    async def report() -> None:
        assert await store.finish(end_of(CHILD, "SUCCEEDED", result="7"))
        await family(backend, store).report("p.waits-within")

    backend.run(cancel(backend, Behind(store, "load", report)))
    record = record_of(backend)
    assert (record.status, record.output) == ("SUCCEEDED", "7")
    assert settled(backend) == ("CANCELLED", "SUCCEEDED")


def test_an_outcome_that_is_recorded_before_the_cancel_stays(backend: Any) -> None:
    the_child_is_reported_behind_the_read_of_the_cancel(backend)


def test_a_child_that_ends_before_the_cancel_and_reports_after_it_keeps_its_end(backend: Any) -> None:
    store = begun(backend)
    backend.run(cancel(backend, Behind(store, "load", lambda: store.finish(end_of(CHILD, "SUCCEEDED", result="7")))))
    backend.run(family(backend, store).report("p.waits-within"))
    assert record_of(backend).status == "CANCELLED"
    assert settled(backend) == ("CANCELLED", "SUCCEEDED")


def test_a_cancel_between_the_look_and_the_write_of_a_report_refuses_it(backend: Any) -> None:
    store = begun(backend)
    assert backend.run(store.finish(end_of(CHILD, "SUCCEEDED", result="7")))
    behind = Behind(store, "peek", lambda: cancel(backend, store))
    backend.run(family(backend, behind).report("p.waits-within"))
    assert record_of(backend).status == "CANCELLED"
    assert settled(backend) == ("CANCELLED", "SUCCEEDED")


def test_a_child_that_still_runs_is_ended_with_its_cancelled_parent(backend: Any) -> None:
    store = begun(backend)
    backend.run(cancel(backend, store))
    assert settled(backend) == ("CANCELLED", "CANCELLED")
    assert not backend.run(store.finish(end_of(CHILD, "SUCCEEDED", result="7")))


def test_it_is_noticed_when_a_cancel_does_not_look_at_what_was_recorded(backend: Any, monkeypatch: Patch) -> None:
    generation = 'Condition("gen <= :if_gen", {":if_gen": number(record.generation)})'
    edited(monkeypatch, Transactions, "_put_record", ("follows(record.revision, record.generation)", generation))
    edited(monkeypatch, writes, "fresh", ("revision == record.revision - 1 and", ""))
    monkeypatch.setattr(rows, "UPDATE_RECORD", rows.UPDATE_RECORD.replace("revision = ?", "revision >= ?"))
    with pytest.raises(AssertionError):
        the_child_is_reported_behind_the_read_of_the_cancel(backend)
