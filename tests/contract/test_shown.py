"""What code shows is kept with its execution, never goes back, and the index of labels follows it (rule *shown*)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from stepfast import set_labels, set_status, signal, step, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Commit, End, Query
from stepfast.language.registry import Registry
from stepfast.model import Execution, Record
from stepfast.shown import ShownState, base_labels, mark_of, status_value

ONE = Execution("one", "w", "1", 1000.0, sent="0a 0b", labels={"team": "a", "kind": "x"})
FIRST, SECOND = mark_of(1, 0, 1), mark_of(1, 0, 2)


def ids(backend: Any, **labels: str) -> list[str]:
    page = backend.run(backend.store.page(Query(labels=labels)))
    return [execution.execution_id for execution in page.executions]


def read(backend: Any) -> Execution:
    execution: Execution = backend.run(backend.store.read("one"))
    return execution


def test_a_status_is_kept_with_the_execution_and_wakes_nobody(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    backend.woken.clear()
    assert backend.run(backend.store.show(ONE, ShownState(FIRST, '{"done": 1}')))
    execution = read(backend)
    assert status_value(execution.shown) == {"done": 1}
    assert replace(execution, shown=None) == ONE
    assert backend.run(backend.store.read_many(["one"])) == [replace(execution, input="")]
    assert backend.woken == []


def test_what_is_shown_never_goes_back(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    assert backend.run(backend.store.show(ONE, ShownState(SECOND, '"second"')))
    for mark in (FIRST, SECOND):
        assert not backend.run(backend.store.show(ONE, ShownState(mark, '"first"', {"team": "z"}, ONE.labels)))
    assert status_value(read(backend).shown) == "second"
    assert read(backend).labels == ONE.labels


def test_the_index_follows_labels_that_code_has_changed(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    labels = {"team": "b", "stage": "paid"}
    assert backend.run(backend.store.show(ONE, ShownState(FIRST, None, labels, ONE.labels)))
    execution = read(backend)
    assert (execution.labels, base_labels(execution.labels, execution.shown, 1)) == (labels, ONE.labels)
    assert ids(backend, team="b") == ids(backend, stage="paid") == ["one"]
    assert ids(backend, team="a") == ids(backend, kind="x") == []
    backend.run(backend.store.finish(End(replace(execution, status="SUCCEEDED", result="2", ended_at=1001.0))))
    assert ids(backend, stage="paid") == ["one"]
    assert backend.run(backend.store.erase(read(backend)))
    assert ids(backend, stage="paid") == []


def test_an_execution_that_has_ended_or_gone_on_shows_nothing_new(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    assert not backend.run(backend.store.show(replace(ONE, generation=1), ShownState(SECOND, "2")))
    end = End(replace(ONE, status="SUCCEEDED", result="2", ended_at=1001.0), shown=ShownState(FIRST, '"done"'))
    backend.run(backend.store.finish(end))
    assert not backend.run(backend.store.show(ONE, ShownState(SECOND, '"late"')))
    assert status_value(read(backend).shown) == "done"


def test_a_chained_result_brings_what_follows_from_it(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    record = Record("pay", "step", "pay", "SUCCEEDED", 0, output="1", ended_at=1001.0)
    assert backend.run(
        backend.store.commit("one", Commit(record, wake=False, shown=(ONE, ShownState(FIRST, '"paid"'))))
    )
    assert status_value(read(backend).shown) == "paid"
    refused = Commit(replace(record, output="2"), wake=False, shown=(ONE, ShownState(SECOND, '"twice"')))
    assert not backend.run(backend.store.commit("one", refused))
    assert status_value(read(backend).shown) == "paid"


@step
async def work(number: int) -> int:
    return number


@workflow("shows")
async def shows(width: int) -> int:
    set_status("begun")
    set_labels({"stage": "begun"}, kind=None)
    for count, done in enumerate(asyncio.as_completed([work(number) for number in range(width)]), 1):
        await done
        set_status({"done": count})
    await signal("end", int)
    set_labels(stage="ended")
    return width


class Bench:
    """An advancer over a store; the outcomes of steps are written by hand."""

    def __init__(self, backend: Any) -> None:
        self.backend, registry = backend, Registry([shows])
        self.advancer = Advancer(backend.store, backend.queue, backend.clock, registry)
        self.operations = Operations(backend.store, backend.clock, registry, self.advancer)

    def end(self, id: str, number: int) -> None:
        record = Record(
            id,
            "step",
            "work",
            "SUCCEEDED",
            0,
            input=f'{{"number":{number}}}',
            output=str(number),
            ended_at=1001.0 + number,
        )
        assert self.backend.run(self.backend.store.commit("one", Commit(record, wake=True)))

    def advance(self) -> object:
        self.backend.run(self.advancer.advance("one"))
        self.advancer.forget()
        return status_value(read(self.backend).shown)


def test_code_shows_what_it_says_once_its_order_is_durable(backend: Any) -> None:
    bench = Bench(backend)
    backend.run(bench.operations.start("shows", 2, "one", {"kind": "x"}))
    assert bench.advance() == "begun"
    assert (ids(backend, stage="begun"), ids(backend, kind="x")) == (["one"], [])
    records = ("work", "work#2")
    shown = [read(backend).shown]
    for number, id in enumerate(records):
        bench.end(id, number)
        assert bench.advance() == {"done": number + 1}
        entries = backend.run(backend.store.entries("one"))
        assert sum(len(entry.applied) for entry in entries) >= number  # the order that led to it came first
        shown.append(read(backend).shown)
    assert bench.advance() == {"done": 2}, "a replay shows nothing again"
    assert shown == sorted(shown, key=str)
    backend.run(bench.operations.signal("one", "end", 1))
    bench.advance()
    execution = read(backend)
    assert (execution.status, execution.labels) == ("SUCCEEDED", {"stage": "ended"})
    assert ids(backend, stage="ended") == ["one"]
