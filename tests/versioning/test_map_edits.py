"""Edits of a map while it runs or after it has failed; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from stepfast import Retry, map_items, step, workflow
from stepfast.testing import MotoCloud
from tests.versioning.versions import Versions, go
from tests.waiting import until

ONCE = Retry(max_attempts=1)


def item(ran: list[str], broken: int | None = None, gates: dict[int, threading.Event] | None = None) -> Any:
    """The step `item`, which fails for one item, and waits for the gates of others."""

    @step(name="item", retry=ONCE)
    def work(number: int) -> int:
        ran.append(f"item {number}")
        if gates and number in gates:
            gates[number].wait(30)
        if number == broken:
            raise ValueError(f"no {number}")
        return number

    return work


def mapping(work: Any, items: tuple[int, ...] = (1, 2, 3, 4), waits: bool = False, **options: Any) -> Any:
    """The workflow `w`, which maps these items and returns how many succeeded."""

    @workflow("w")
    async def w() -> int:
        report = await map_items(work, items, **{"batch": 1, **options})
        if waits:
            await go()
        return report.succeeded

    return w


def failed(app: Versions, code: Any) -> None:
    app.reopen(code)
    app.start("w")
    assert app.ends("FAILED").error is not None


def test_the_code_of_a_mapped_step_changes(app: Versions, ran: list[str]) -> None:
    """change what the step of a `map_items()` does inside, its retry policy or its timeout"""
    failed(app, mapping(item(ran, broken=3)))
    assert app.mended(mapping(item(ran))).result == "4"
    assert sorted(ran) == ["item 1", "item 2", "item 3", "item 3", "item 4"]


NUMBERS = tuple(range(1, 13))


def test_the_code_changes_in_the_middle_of_a_map(app: Versions, ran: list[str]) -> None:
    """What has run stands, what was running runs again, and what comes runs the new code."""

    @step(name="item")
    async def held(number: int) -> int:
        ran.append(f"item {number}")
        if number == 5:
            await asyncio.Event().wait()
        return number

    app.reopen(mapping(held, NUMBERS, batch=2, concurrency=2))
    app.start("w")
    until(lambda: "item 5" in ran)
    app.reopen(mapping(item(new := list[str]()), NUMBERS, batch=2, concurrency=2))
    assert app.ends().result == "12"
    assert "item 1" not in new
    assert {"item 5", "item 12"} <= set(new)
    assert {*ran, *new} == {f"item {number}" for number in NUMBERS}


def test_functions_are_replaced_in_the_middle_of_a_map() -> None:
    """The same on AWS: batches that old functions began are ended by new ones."""
    old, new = list[str](), list[str]()
    code = mapping(item(old), NUMBERS, batch=2, concurrency=2)
    with MotoCloud(code) as cloud:
        run = cloud.start(code)
        cloud.run_until(lambda: len(old) == 5)
        cloud.deploy(mapping(item(new), NUMBERS, batch=2, concurrency=2))
        assert cloud.run_until(run).result == 12
    assert new
    assert sorted([*old, *new]) == sorted(f"item {number}" for number in NUMBERS)


def test_tolerate_changes(app: Versions, ran: list[str]) -> None:
    """change `tolerate` of a `map_items()`"""
    failed(app, mapping(item(ran, broken=3)))
    assert app.mended(mapping(item(ran, broken=3), tolerate=1)).result == "3"
    assert sorted(ran) == ["item 1", "item 2", "item 3", "item 3", "item 4"]


def test_concurrency_is_raised(app: Versions, ran: list[str]) -> None:
    """raise `concurrency` of a `map_items()`"""
    failed(app, mapping(item(ran, broken=2), concurrency=1))
    assert app.mended(mapping(item(ran), concurrency=4)).result == "4"
    assert sorted(ran) == ["item 1", "item 2", "item 2", "item 3", "item 4"]


def test_concurrency_is_lowered(app: Versions, ran: list[str]) -> None:
    """lower `concurrency` of a `map_items()` that has started more batches than the new number"""
    gates = {1: threading.Event(), 2: threading.Event()}
    code = mapping(item(ran, gates=gates), concurrency=3, waits=True)
    app.reopen(code)
    app.start("w")
    until(lambda: "item 4" in ran)
    for gate in gates.values():
        gate.set()
    until(lambda: "signal:go" in app.waiting(extend=False))
    app.refused(mapping(item(ran), concurrency=2, waits=True), "'child:map-item#3'")
    assert app.mended(code).result == "4"
    assert len(ran) == 4


def test_the_items_change(app: Versions, ran: list[str]) -> None:
    """change `batch`, the items or the step of a `map_items()`"""
    app.begin(mapping(item(ran), waits=True))
    app.refused(mapping(item(ran), items=(1, 2, 5, 4), waits=True), "'child:map-item#3' was recorded with the input")
    assert app.mended(mapping(item(ran), waits=True)).result == "4"
    assert len(ran) == 4
