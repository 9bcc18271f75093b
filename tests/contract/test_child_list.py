"""The children of an execution, listed in both homes: by the page, of all its runs, with those that it has left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.child_list import children_page
from stepfast.engine.ports import Commit, Query
from stepfast.errors import ExecutionNotFound, InvalidRequest
from stepfast.model import Execution, Link, Record
from tests.contract.test_runs_contract import after

PARENT = Execution("p", "ask", "1", 1000.0)


def started(backend: Any, command: str, *ids: str, run: int = 1, **more: Any) -> None:
    """A command of the parent with these children, the last of which it waits for."""
    parent = backend.run(backend.store.read("p"))
    record = Record(command, "child", "wait", "OPEN", parent.generation, first_at=1.0, children=ids)
    assert backend.run(backend.store.commit(parent.run_id, Commit(record, wake=False)))
    for id in ids:
        link = Link("p", command, 0, root="p", run=run)
        backend.run(backend.store.create(replace(Execution(id, "wait", '"in"', 1001.0, link=link), **more)))


@pytest.fixture
def parent(backend: Any) -> Any:
    backend.run(backend.store.create(PARENT))
    return backend


def pages(backend: Any, **asked: Any) -> list[list[str]]:
    query = Query(parent="p", **asked)
    shown = [backend.run(children_page(backend.store, query))]
    while (cursor := shown[-1].next) is not None:
        shown.append(backend.run(children_page(backend.store, replace(query, cursor=cursor))))
    return [[child.execution_id for child in page.executions] for page in shown]


def test_children_come_by_the_page_and_other_commands_are_passed_over(parent: Any) -> None:
    for number in range(5):
        started(parent, f"child:wait#{number}", f"c{number}")
    step = Record("child:step", "step", "s", "OPEN", 0)
    assert parent.run(parent.store.commit("p", Commit(step, wake=False)))
    everything = [f"c{number}" for number in range(5)]
    assert pages(parent) == [everything]
    assert [id for page in pages(parent, limit=2) for id in page] == everything
    assert all(len(page) <= 2 for page in pages(parent, limit=2))
    assert pages(parent, values=False) == [everything]


def test_a_child_comes_with_its_values_or_without_them(parent: Any) -> None:
    started(parent, "child:wait", "c")
    for values, input in ((True, '"in"'), (False, "")):
        (child,) = parent.run(children_page(parent.store, Query(parent="p", values=values))).executions
        assert (child.execution_id, child.input) == ("c", input)


def test_children_of_earlier_runs_come_last(parent: Any) -> None:
    started(parent, "child:wait", "first")
    assert parent.run(parent.store.continue_as_new(after(PARENT)))
    second = parent.run(parent.store.read("p"))
    assert parent.run(parent.store.continue_as_new(after(second)))  # a run without children
    started(parent, "child:wait", "third", run=3)
    started(parent, "child:wait#2", "third-too", run=3)
    assert [id for page in pages(parent) for id in page] == ["third", "third-too", "first"]
    assert [id for page in pages(parent, limit=1) for id in page] == ["third", "third-too", "first"]


def test_a_child_that_the_parent_has_left_or_replaced_is_listed(parent: Any) -> None:
    started(parent, "child:wait", "replaced", "current")
    started(parent, "child:wait#2", "left")
    child = parent.run(parent.store.read("left"))
    assert parent.run(parent.store.relink(child, replace(child.link, left=True)))
    assert pages(parent) == [["replaced", "current", "left"]]
    assert pages(parent, limit=1)[0] == ["replaced", "current"], "children of one command stay together"


def test_a_foreign_execution_and_a_child_that_is_not_there_are_not_listed(parent: Any) -> None:
    started(parent, "child:wait", "mine")
    parent.run(parent.store.create(Execution("foreign", "wait", "1", 1.0)))
    named = Record("child:wait#2", "child", "wait", "OPEN", 0, children=("foreign", "not-yet", "mine"))
    assert parent.run(parent.store.commit("p", Commit(named, wake=False)))
    assert pages(parent) == [["mine"]]


def test_filters_hold_for_children(parent: Any) -> None:
    started(parent, "child:wait", "a1", labels={"team": "a"})
    started(parent, "child:wait#2", "b1", workflow="other")
    assert pages(parent, workflow="other") == [["b1"]]
    assert pages(parent, labels={"team": "a"}) == [["a1"]]
    assert pages(parent, prefix="a") == [["a1"]]
    assert pages(parent, status="FAILED") == [[]]
    assert pages(parent, since=2000.0) == [[]]


def test_a_page_ends_before_its_values_are_too_many(parent: Any) -> None:
    for number in range(3):
        started(parent, f"child:wait#{number}", f"c{number}", input='"' + "x" * 1000 + '"')
    assert pages(parent, bytes=2500) == [["c0", "c1"], ["c2"]]
    assert pages(parent, bytes=10) == [["c0"], ["c1"], ["c2"]]


def test_no_such_parent_and_foreign_cursors_are_refused(parent: Any) -> None:
    with pytest.raises(ExecutionNotFound, match="'nobody'"):
        parent.run(children_page(parent.store, Query(parent="nobody")))
    listed = parent.run(parent.store.page(Query(limit=1)))
    for cursor in ("x", "W10=", "WyJjaGlsZHJlbiIsIDAsICIiXQ==", listed.next or "bnVsbA=="):
        with pytest.raises(InvalidRequest, match="cursor"):
            parent.run(children_page(parent.store, Query(parent="p", cursor=cursor)))
