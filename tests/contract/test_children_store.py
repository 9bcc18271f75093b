"""What the stores promise of children, and what the engine does with links that are out of date."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast import child, signal, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.child_ids import child_id, later_child_id
from stepfast.engine.children import Children
from stepfast.engine.ports import Commit, End, Query
from stepfast.language.registry import Registry
from stepfast.model import Execution, Failure, Link, OrderEntry, Record
from stepfast.replay.children import command_of
from stepfast.replay.commands import Command


@workflow("wait")
async def wait(number: int) -> int:
    await signal("go")
    return number


@workflow("ask")
async def ask(number: int) -> int:
    return await child(wait, number)


REGISTRY = Registry([wait, ask])
PARENT = Execution("p", "ask", "1", 1000.0)
LINK = Link("p", "child:wait", 0, root="p")
CHILD = Execution("p.wait", "wait", "1", 1001.0, link=LINK)
OUTCOME = Record("child:wait", "child", "wait", "SUCCEEDED", 0, input="1", output="1", children=("p.wait",))


@pytest.fixture
def store(backend: Any) -> Any:
    for execution in (PARENT, CHILD):
        backend.run(backend.store.create(execution))
    backend.woken.clear()
    return backend.store


def ended(execution: Execution, status: Any, **changes: Any) -> End:
    return End(replace(execution, status=status, ended_at=2000.0, **changes), wake=execution.link is not None)


def asked(number: int = 1, id: str | None = None) -> Command:
    return command_of("child:wait", wait, number, id, "cancel")


def test_an_execution_comes_back_with_its_link(backend: Any, store: Any) -> None:
    assert backend.run(store.read("p.wait")) == CHILD
    assert backend.run(store.read_many(["p.wait"]))[0].link == LINK


def test_a_report_is_written_with_a_wake_while_the_parent_runs_in_its_generation(backend: Any, store: Any) -> None:
    assert not backend.run(store.report("p", OUTCOME, 1))
    assert backend.woken == []
    assert backend.run(store.report("p", OUTCOME, 0))
    assert backend.woken == ["p"]
    assert backend.run(store.load("p")).records == {OUTCOME.id: OUTCOME}


def test_a_report_is_refused_once_the_record_or_the_parent_has_changed(backend: Any, store: Any) -> None:
    assert backend.run(store.commit("p", Commit(replace(OUTCOME, status="OPEN", output=None), wake=False)))
    assert not backend.run(store.report("p", OUTCOME, 0))
    backend.run(store.finish(ended(PARENT, "FAILED", error=Failure("E", "m"))))
    assert not backend.run(store.report("p", replace(OUTCOME, revision=2), 0))
    assert not backend.run(store.report("nobody", OUTCOME, 0))


def test_a_link_is_moved_only_from_the_one_that_was_read(backend: Any, store: Any) -> None:
    moved = replace(LINK, generation=1)
    assert backend.run(store.relink(CHILD, moved))
    assert not backend.run(store.relink(CHILD, replace(LINK, generation=2)))
    assert backend.run(store.read("p.wait")) == replace(CHILD, link=moved)
    assert backend.woken == []


def test_a_link_and_an_end_leave_each_other_alone(backend: Any, store: Any) -> None:
    moved = replace(LINK, generation=1)
    assert backend.run(store.relink(CHILD, moved))
    assert backend.run(store.finish(ended(CHILD, "SUCCEEDED", result="1")))  # made from the child as it was read before
    stored = backend.run(store.read("p.wait"))
    assert (stored.status, stored.result, stored.link) == ("SUCCEEDED", "1", moved)
    assert backend.woken == ["p.wait"]
    assert not backend.run(store.relink(replace(CHILD, link=moved), replace(LINK, generation=2)))  # it does not run


def test_a_resume_moves_the_link_of_a_child_in_the_same_write(backend: Any, store: Any) -> None:
    backend.run(store.finish(ended(CHILD, "FAILED", error=Failure("E", "m"))))
    failed, moved = backend.run(store.read("p.wait")), replace(LINK, generation=1)
    resumed = replace(failed, status="RUNNING", generation=1, error=None, ended_at=None, resumed_at=3000.0)
    other = replace(resumed, link=replace(LINK, generation=7))
    assert not backend.run(store.rewind(other, OrderEntry(0, 1, cut=0), [], [], moved))  # not the link that is stored
    assert backend.run(store.read("p.wait")) == failed
    assert backend.run(store.rewind(resumed, OrderEntry(0, 1, cut=0), [], [], moved))
    assert backend.run(store.read("p.wait")) == replace(resumed, link=moved)


def test_a_list_of_roots_and_the_dead_letters_leave_children_out(backend: Any, store: Any) -> None:
    backend.run(store.finish(ended(CHILD, "FAILED", error=Failure("E", "m"))))

    def ids(**query: Any) -> list[str]:
        return [one.execution_id for one in backend.run(store.page(Query(values=False, **query))).executions]

    assert (ids(), ids(roots=True), ids(status="FAILED")) == (["p.wait", "p"], ["p"], ["p.wait"])
    assert backend.run(store.faults(None, 10)) == ([], True)
    failed = backend.run(store.read("p.wait"))
    assert backend.run(store.relink(failed, replace(LINK, left=True)))
    assert ids(roots=True) == ["p.wait", "p"]
    assert [fault.execution_id for fault in backend.run(store.faults(None, 10))[0]] == ["p.wait"]


def test_an_erase_takes_children_along_whatever_their_status_but_not_those_that_were_left(
    backend: Any, store: Any
) -> None:
    below = replace(CHILD, execution_id="p.wait.deep", link=Link("p.wait", "child:wait", 0, root="p", depth=2))
    left = replace(CHILD, execution_id="left", link=replace(LINK, command="child:wait#2", left=True))
    backend.run(store.commit("p", Commit(replace(OUTCOME, status="OPEN", output=None), wake=False)))
    noted = replace(OUTCOME, id="child:wait#2", status="OPEN", output=None, children=("left",))
    backend.run(store.commit("p", Commit(noted, wake=False)))
    backend.run(store.commit("p.wait", Commit(replace(OUTCOME, children=("p.wait.deep",)), wake=False)))
    for execution in (below, left):
        backend.run(store.create(execution))
    backend.run(store.finish(ended(PARENT, "CANCELLED")))
    assert backend.run(store.erase(backend.run(store.read("p"))))
    remaining = [id for id in ("p", "p.wait", "p.wait.deep", "left") if backend.run(store.read(id)) is not None]
    assert remaining == ["left"]


# -- the engine ------------------------------------------------------------------------------------------


def family(backend: Any, max_depth: int = 32) -> Children:
    return Children(backend.store, backend.queue, backend.clock, REGISTRY, max_depth)


def test_a_child_that_is_started_after_its_parent_has_ended_ends_at_once(backend: Any, store: Any) -> None:
    backend.run(store.finish(ended(PARENT, "CANCELLED")))
    backend.run(Advancer(store, backend.queue, backend.clock, REGISTRY).advance("p.wait"))
    assert backend.run(store.read("p.wait")).status == "CANCELLED"


def test_a_dispatch_of_an_older_generation_moves_no_link_back(backend: Any, store: Any) -> None:
    newer = replace(LINK, generation=1)
    backend.run(store.relink(CHILD, newer))
    backend.run(family(backend).dispatch(PARENT, asked(), None, again=False))
    assert backend.run(store.read("p.wait")).link == newer


def test_no_write_comes_between_the_link_of_a_failed_child_and_its_resume(
    backend: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that died there would leave a failure from before the resume for the next dispatch to report."""
    noted = replace(OUTCOME, status="OPEN", output=None)
    backend.run(store.commit("p", Commit(noted, wake=False)))
    for execution in (CHILD, PARENT):
        backend.run(store.finish(ended(execution, "FAILED", error=Failure("E", "m"))))
    resumed = replace(PARENT, status="RUNNING", generation=1, resumed_at=3000.0)
    assert backend.run(store.rewind(resumed, OrderEntry(0, 1, cut=0), [replace(noted, generation=1, revision=2)], []))
    seen: list[tuple[str, int]] = []
    relink = type(store).relink

    async def watched(self: Any, execution: Execution, link: Link) -> bool:
        written: bool = await relink(self, execution, link)
        seen.append((execution.status, link.generation))
        return written

    monkeypatch.setattr(type(store), "relink", watched)
    backend.run(family(backend).dispatch(resumed, asked(), None, again=True))
    child = backend.run(store.read("p.wait"))
    assert child.link is not None
    assert (child.status, child.generation, child.link.generation) == ("RUNNING", 1, 1)
    assert ("FAILED", 1) not in seen
    assert not backend.run(store.load("p")).records["child:wait"].recorded


def test_a_dispatch_with_another_input_in_a_later_generation_starts_another_child(backend: Any, store: Any) -> None:
    again = replace(PARENT, generation=1)
    backend.run(store.finish(ended(PARENT, "FAILED", error=Failure("E", "m"))))
    noted = replace(OUTCOME, status="OPEN", output=None)
    backend.run(store.commit("p", Commit(noted, wake=False)))
    failed = backend.run(store.read("p"))
    resumed = replace(failed, status="RUNNING", generation=1, error=None, ended_at=None, resumed_at=3000.0)
    opened = replace(noted, generation=1, revision=2)
    assert backend.run(store.rewind(resumed, OrderEntry(0, 1, cut=0), [opened], []))
    backend.run(family(backend).dispatch(again, asked(2), None, again=False))
    record = backend.run(store.load("p")).records["child:wait"]
    assert record.children == ("p.wait", "p.wait_g1")
    assert backend.run(store.read("p.wait")).status == "CANCELLED"
    assert backend.run(store.read("p.wait_g1")).input == "2"


@pytest.mark.parametrize(
    "other", [replace(CHILD, link=None), replace(CHILD, link=replace(LINK, command="child:wait#2"))]
)
def test_an_id_that_is_somebody_elses_fails_the_command_and_leaves_the_execution_alone(
    backend: Any, other: Execution
) -> None:
    for execution in (PARENT, other):
        backend.run(backend.store.create(execution))
    backend.run(family(backend).dispatch(PARENT, asked(), None, again=False))
    record = backend.run(backend.store.load("p")).records["child:wait"]
    assert (record.status, record.error.type) == ("FAILED", "ExecutionConflict")
    assert "'p.wait' exists and was not started by this call" in record.error.message
    assert backend.run(backend.store.read("p.wait")) == other


def test_a_child_too_deep_fails_its_command(backend: Any, store: Any) -> None:
    backend.run(family(backend, max_depth=1).dispatch(CHILD, asked(), None, again=False))
    record = backend.run(store.load("p.wait")).records["child:wait"]
    assert (record.status, record.error.type) == ("FAILED", "TooManyLevels")
    assert "max_child_depth" in record.error.message


def test_ids_of_children_tell_calls_apart_and_are_ids_whatever_the_names() -> None:
    def id_of(command_id: str, parent: str = "p") -> str:
        return child_id(parent, replace_id(asked(), command_id))

    assert (id_of("child:wait"), id_of("child:wait#2")) == ("p.wait", "p.wait-2")
    assert child_id("p", asked(id="mine")) == "mine"
    paths = ["child:wait", "child:wait#2", "child:wait-2", "branch/child:wait", "branch#2/child:wait", "child:wait_g1"]
    assert len({id_of(path) for path in paths}) == len(paths)
    assert all(len(id_of(path, "x" * 128)) <= 128 for path in paths)
    assert later_child_id("p.wait", 3) == "p.wait_g3"
    assert len(later_child_id("x" * 128, 3)) <= 128


def replace_id(command: Command, id: str) -> Command:
    command.id = id
    return command
