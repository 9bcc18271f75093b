"""Each check by which resumes, dispatches and reports of one family give way to each other, and the engine without it.

A scenario is one moment at which only that check, or the two that are named, can refuse. So each is played in both
homes as the engine is, and once more with the check taken out, which it has to notice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stepfast.backends.dynamodb.children import ChildWrites
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.backends.dynamodb.transactions import Transactions
from stepfast.backends.sqlite import rows, writes
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine import child_ids, children
from stepfast.engine.children import Children
from stepfast.engine.ports import Commit
from stepfast.engine.resuming import Resuming
from stepfast.model import OrderEntry, Record
from tests.contract.family_of_two import (
    CHILD,
    FAILURE,
    LINK,
    NOTED,
    PARENT,
    REGISTRY,
    Behind,
    asked,
    begun,
    end_of,
    fail_and_resume,
    family,
    generation_of,
    record_of,
    resume,
    resumed,
)
from tests.simulation.breaking import edited

Patch = pytest.MonkeyPatch
Wrong = Callable[[Patch], None]
Scenario = Callable[[Any], None]


# -- reports ---------------------------------------------------------------------------------------------


def a_report_is_overtaken_by_a_resume_of_the_parent(backend: Any) -> None:
    """A sibling has failed the parent and an operator resumed it, between the report's look and its write."""
    store = begun(backend)
    backend.run(store.finish(end_of(CHILD, "FAILED")))
    behind = Behind(store, "peek", lambda: fail_and_resume(store, PARENT))
    backend.run(family(backend, behind).report("p.waits-within"))
    assert not record_of(backend).recorded, "the failure of before the resume stands in the parent"


def a_report_comes_when_the_parent_is_of_a_later_generation(backend: Any) -> None:
    store = begun(backend)
    backend.run(store.finish(end_of(CHILD, "SUCCEEDED", result="1")))
    backend.run(fail_and_resume(store, PARENT))
    backend.run(family(backend, Behind(store, "peek")).report("p.waits-within"))
    assert not record_of(backend).recorded


def a_child_reports_whose_place_another_has(backend: Any) -> None:
    store = begun(backend)
    later = replace(NOTED, revision=2, children=("p.waits-within", "p.waits-within_g1"))
    assert backend.run(store.commit("p", Commit(later, wake=False)))
    backend.run(store.finish(end_of(CHILD, "SUCCEEDED", result="1")))
    backend.run(family(backend, Behind(store, "peek")).report("p.waits-within"))
    assert record_of(backend) == later


def a_child_reports_whose_outcome_is_recorded(backend: Any) -> None:
    store = begun(backend)
    outcome = replace(NOTED, status="SUCCEEDED", revision=2, output="7", ended_at=1500.0)
    assert backend.run(store.commit("p", Commit(outcome, wake=False)))
    backend.run(store.finish(end_of(CHILD, "SUCCEEDED", result="1")))
    backend.run(family(backend, Behind(store, "peek")).report("p.waits-within"))
    assert record_of(backend) == outcome


def a_report_is_written_whatever_generation_the_parent_has(patch: Patch) -> None:
    always = 'Condition("stat = :runs", {":runs": {"S": "RUNNING"}})'
    edited(patch, ChildWrites, "report", ('stands("RUNNING", generation)', always))
    unchecked = ((" AND generation = ?", ""), ("(execution_id, generation)", "(execution_id,)"))
    edited(patch, SqliteBackend, "report", *unchecked)


def a_report_does_not_look_at_the_parent(patch: Patch) -> None:
    look = '(peeked[0].status, peeked[0].generation) != ("RUNNING", link.generation)'
    edited(patch, Children, "report", (look, "False"))


def a_report_is_of_any_child(patch: Patch) -> None:
    edited(patch, Children, "report", ("record.children[-1:] != (id,)", "False"))


def a_report_replaces_an_outcome(patch: Patch) -> None:
    edited(patch, Children, "report", ("record.recorded or", ""))


# -- links -----------------------------------------------------------------------------------------------


def two_generations_take_a_child_up(backend: Any) -> None:
    """The dispatch of generation 1 has read the child; then that of generation 2 moves the link."""
    store = begun(backend)
    backend.run(fail_and_resume(store, PARENT))

    async def overtake() -> None:
        await fail_and_resume(store, resumed(PARENT))
        held = await store.read("p.waits-within")
        assert await store.relink(held, replace(LINK, generation=2))

    behind = Behind(store, "read", overtake)
    backend.run(family(backend, behind).dispatch(resumed(PARENT), asked(), None, again=True))
    assert generation_of(backend, "p.waits-within") == ("RUNNING", 0, 2)


def a_dispatch_comes_late(backend: Any) -> None:
    """Its parent still runs in generation 0 where it looks, and the link is of a later one."""
    store = begun(backend)
    assert backend.run(store.relink(CHILD, replace(LINK, generation=1)))
    backend.run(family(backend, Behind(store, "peek")).dispatch(PARENT, asked(), None, again=True))
    assert generation_of(backend, "p.waits-within") == ("RUNNING", 0, 1)


def a_child_was_cancelled_before_the_resume(backend: Any) -> None:
    store = begun(backend)
    backend.run(store.finish(end_of(CHILD, "CANCELLED")))
    backend.run(fail_and_resume(store, PARENT))
    backend.run(family(backend, Behind(store, "peek")).dispatch(resumed(PARENT), asked(), None, again=True))
    assert generation_of(backend, "p.waits-within_g1") == ("RUNNING", 0, 1)
    record = record_of(backend)
    assert (record.status, record.children) == ("OPEN", ("p.waits-within", "p.waits-within_g1"))


def a_child_has_failed_in_the_generation_that_asks(backend: Any) -> None:
    store = begun(backend)
    backend.run(store.finish(end_of(CHILD, "FAILED")))
    backend.run(family(backend, Behind(store, "peek")).dispatch(PARENT, asked(), None, again=True))
    assert generation_of(backend, "p.waits-within") == ("FAILED", 0, 0)
    assert record_of(backend).status == "FAILED"


def another_has_resumed_the_child_which_has_failed_again(backend: Any) -> None:
    store = begun(backend)
    backend.run(store.finish(end_of(CHILD, "FAILED")))
    backend.run(fail_and_resume(store, PARENT))

    async def overtake() -> None:
        moved = replace(CHILD, link=replace(LINK, generation=1))
        await resume(store, CHILD, moved.link)
        assert await store.finish(end_of(resumed(moved), "FAILED"))

    behind = Behind(store, "read", overtake)
    backend.run(family(backend, behind).dispatch(resumed(PARENT), asked(), None, again=True))
    assert generation_of(backend, "p.waits-within") == ("FAILED", 1, 1)
    assert record_of(backend).status == "FAILED"


def a_link_moves_from_wherever_it_is(patch: Patch) -> None:
    linked = "linked(stands(execution.status, execution.generation), execution)"
    edited(patch, ChildWrites, "relink", (linked, "stands(execution.status, execution.generation)"))
    patch.setattr(rows, "UPDATE_LINK", rows.UPDATE_LINK.replace(" AND link = :if_link", ""))


def the_order_of_links_is_not_looked_at(patch: Patch) -> None:
    edited(patch, child_ids, "standing", ("before.generation > link.generation", "False"))
    patch.setattr(children, "standing", child_ids.standing)


def a_cancelled_child_is_taken_up(patch: Patch) -> None:
    edited(patch, child_ids, "standing", ('held.status == "CANCELLED" and', "False and"))
    patch.setattr(children, "standing", child_ids.standing)


def a_child_is_resumed_in_the_generation_in_which_it_failed(patch: Patch) -> None:
    edited(patch, Children, "_take_up", (" and (before.generation < link.generation or before.left)", ""))


def a_child_is_resumed_whatever_its_generation(patch: Patch) -> None:
    edited(patch, Children, "_take_up", ("rewind(id, held.generation, link=link)", "rewind(id, None, link=link)"))


# -- resumes ---------------------------------------------------------------------------------------------


def a_child_is_resumed_whose_parent_failed_by_something_else(backend: Any) -> None:
    store = begun(backend)
    for execution, causes in ((CHILD, ()), (PARENT, ("work",))):
        backend.run(store.finish(end_of(execution, "FAILED", causes=causes)))
    backend.run(Resuming(store, backend.clock, REGISTRY).resume("p.waits-within"))
    assert generation_of(backend, "p") == ("FAILED", 0, 0)


def a_resume_by_dispatch_comes_late(backend: Any) -> None:
    store = begun(backend)
    newer = replace(LINK, generation=1)
    assert backend.run(store.relink(CHILD, newer))
    backend.run(store.finish(end_of(replace(CHILD, link=newer), "FAILED")))
    assert backend.run(Resuming(store, backend.clock, REGISTRY).rewind("p.waits-within", 0, link=LINK)).cut is None
    assert generation_of(backend, "p.waits-within") == ("FAILED", 0, 1)


def a_result_is_recorded_while_a_resume_is_planned(backend: Any) -> None:
    """An attempt that still runs after the failure records its result behind the read of the resume."""
    store = begun(backend)
    waits = Record("work", "step", "work", "RETRYING", 0, attempt=1, due=9000.0)
    outcome = replace(waits, status="SUCCEEDED", revision=2, output="7", due=None, ended_at=2001.0)
    assert backend.run(store.commit("p", Commit(waits, wake=False)))
    assert backend.run(store.finish(end_of(PARENT, "FAILED")))
    assert backend.run(store.commit("p", Commit(outcome, wake=False)))
    planned = replace(waits, due=0.0, revision=2)
    assert not backend.run(store.rewind(resumed(PARENT), OrderEntry(0, 1, cut=0), [planned], []))
    assert backend.run(store.load("p")).records["work"] == outcome


def a_resume_was_planned_for_an_older_generation(backend: Any) -> None:
    """Its number in the log and its revision are those that come next, as after a deletion and a new start."""
    store = begun(backend)
    backend.run(fail_and_resume(store, PARENT))
    backend.run(fail_and_resume(store, resumed(PARENT)))
    latest = resumed(resumed(PARENT))
    failed = Record("work", "step", "work", "FAILED", 2, attempt=1, error=FAILURE, ended_at=2001.0)
    assert backend.run(store.commit("p", Commit(failed, wake=False)))
    assert backend.run(store.finish(end_of(latest, "FAILED")))
    planned = Record("work", "step", "work", "OPEN", 1, revision=2)
    assert not backend.run(store.rewind(resumed(PARENT), OrderEntry(2, 1, cut=0), [planned], []))
    assert generation_of(backend, "p") == ("FAILED", 2, 0)


def a_parent_is_resumed_whatever_it_failed_by(patch: Patch) -> None:
    edited(patch, Resuming, "_failed_above", (" or execution.link.command not in parent.causes", ""))


def a_resume_by_dispatch_does_not_look_at_the_link(patch: Patch) -> None:
    edited(patch, Resuming, "rewind", ("execution.link.generation > link.generation", "False"))


def records_are_opened_again_whatever_their_revision(patch: Patch) -> None:
    generation = 'Condition("gen <= :if_gen", {":if_gen": number(record.generation)})'
    edited(patch, Transactions, "_put_record", ("follows(record.revision, record.generation)", generation))
    edited(patch, writes, "fresh", ("revision == record.revision - 1 and", ""))


def records_are_opened_again_whatever_their_generation(patch: Patch) -> None:
    edited(patch, Transactions, "_put_record", ("record.generation))", "10**6))"))
    edited(patch, writes, "fresh", (" and generation <= record.generation", ""))


def an_execution_is_resumed_whatever_its_generation(patch: Patch) -> None:
    status = 'Condition("stat = :if_stat", {":if_stat": text("FAILED")})'
    edited(patch, DynamoStore, "rewind", ('stands("FAILED", execution.generation - 1)', status))
    current = 'tx.execute("SELECT generation FROM executions WHERE execution_id = ?", (id,)).fetchone()[0]'
    edited(patch, SqliteBackend, "rewind", ("before.status, before.generation", f"before.status, {current}"))


NOTICED: dict[Wrong, Scenario] = {
    a_report_is_written_whatever_generation_the_parent_has: a_report_is_overtaken_by_a_resume_of_the_parent,
    a_report_does_not_look_at_the_parent: a_report_comes_when_the_parent_is_of_a_later_generation,
    a_report_is_of_any_child: a_child_reports_whose_place_another_has,
    a_report_replaces_an_outcome: a_child_reports_whose_outcome_is_recorded,
    a_link_moves_from_wherever_it_is: two_generations_take_a_child_up,
    the_order_of_links_is_not_looked_at: a_dispatch_comes_late,
    a_cancelled_child_is_taken_up: a_child_was_cancelled_before_the_resume,
    a_child_is_resumed_in_the_generation_in_which_it_failed: a_child_has_failed_in_the_generation_that_asks,
    a_child_is_resumed_whatever_its_generation: another_has_resumed_the_child_which_has_failed_again,
    a_parent_is_resumed_whatever_it_failed_by: a_child_is_resumed_whose_parent_failed_by_something_else,
    a_resume_by_dispatch_does_not_look_at_the_link: a_resume_by_dispatch_comes_late,
    records_are_opened_again_whatever_their_revision: a_result_is_recorded_while_a_resume_is_planned,
}
"""What goes wrong without a check, and the scenario that notices it."""
PAIR: tuple[Wrong, Wrong] = (
    records_are_opened_again_whatever_their_generation,
    an_execution_is_resumed_whatever_its_generation,
)
"""Two checks of which either refuses what the other would have let through."""


@pytest.mark.parametrize("scenario", [*NOTICED.values(), a_resume_was_planned_for_an_older_generation])
def test_of_two_that_meet_at_a_family_one_gives_way(backend: Any, scenario: Scenario) -> None:
    scenario(backend)


@pytest.mark.parametrize("wrong", NOTICED)
def test_a_check_of_a_family_that_is_missing_is_noticed(backend: Any, wrong: Wrong, monkeypatch: Patch) -> None:
    wrong(monkeypatch)
    with pytest.raises(AssertionError):
        NOTICED[wrong](backend)


@pytest.mark.parametrize("wrong", PAIR)
def test_either_of_two_checks_refuses_a_resume_of_an_older_generation(
    backend: Any, wrong: Wrong, monkeypatch: Patch
) -> None:
    wrong(monkeypatch)
    a_resume_was_planned_for_an_older_generation(backend)


def test_without_both_checks_a_resume_of_an_older_generation_is_written(backend: Any, monkeypatch: Patch) -> None:
    for wrong in PAIR:
        wrong(monkeypatch)
    with pytest.raises(AssertionError):
        a_resume_was_planned_for_an_older_generation(backend)
