"""The wake of an end that its own process has written: it reads no commands where no child may run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stepfast import child, signal, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.resuming import Resuming
from stepfast.language.registry import Registry
from stepfast.model import Execution, Link, Signal

refuses = False


@workflow("waits")
async def waits() -> None:
    await signal("go")


@workflow("ends")
async def ends(leaves: bool) -> int:
    """leaves: a child that it does not wait for."""
    if refuses:
        raise ValueError("refused")
    if leaves:
        left = asyncio.ensure_future(child(waits, id="below"))
        await signal("end")
        assert not left.done()
    return 7


@workflow("asks")
async def asks() -> int:
    return await child(ends, False)


REGISTRY = Registry([waits, ends, asks])
PARENT = Execution("p", "asks", "null", 1000.0)
CHILD = Execution("p.ends", "ends", "false", 1001.0, link=Link("p", "child:ends", 0, root="p"))


class Process:
    """An advancer with what it remembers, and how often it has loaded an execution with its records."""

    def __init__(self, backend: Any, patch: pytest.MonkeyPatch) -> None:
        self._backend, self.loads = backend, 0
        self._advancer = Advancer(backend.store, backend.queue, backend.clock, REGISTRY)
        load = type(backend.store).load

        async def counted(store: Any, *arguments: Any, **options: Any) -> Any:
            self.loads += 1
            return await load(store, *arguments, **options)

        patch.setattr(type(backend.store), "load", counted)

    def advance(self, id: str) -> int:
        """Returns how often it loaded."""
        self.loads = 0
        self._backend.run(self._advancer.advance(id))
        return self.loads


@pytest.fixture
def process(backend: Any, monkeypatch: pytest.MonkeyPatch) -> Process:
    monkeypatch.setattr(f"{__name__}.refuses", False)
    backend.run(backend.store.create(PARENT))
    return Process(backend, monkeypatch)


def ran(backend: Any, process: Process, execution: Execution) -> Execution:
    """The execution as it has ended."""
    id = execution.execution_id
    process.advance("p")
    if backend.run(backend.store.read(id)) is None:
        backend.run(backend.store.create(execution))
    process.advance(id)
    if backend.run(backend.store.read(id)).status == "RUNNING":
        backend.run(backend.store.add_signal(id, Signal("one", "end", "null", 2000.0)))
        process.advance(id)
    ended: Execution = backend.run(backend.store.read(id))
    return ended


def test_an_end_without_children_is_followed_without_its_records(
    backend: Any, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ran(backend, process, CHILD).status == "SUCCEEDED"
    assert process.advance("p.ends") == 0
    assert backend.run(backend.store.load("p")).records["child:ends"].output == "7"
    assert process.advance("p.ends") > 0, "the end counts once: what wakes the execution after that is not known"
    assert Process(backend, monkeypatch).advance("p.ends") > 0, "another process has not written the end"


def test_an_end_that_leaves_a_child_behind_is_followed_with_its_records(backend: Any, process: Process) -> None:
    assert ran(backend, process, replace(CHILD, execution_id="own", input="true")).status == "SUCCEEDED"
    assert backend.run(backend.store.read("below")).status == "RUNNING"
    assert process.advance("own") > 0
    assert backend.run(backend.store.read("below")).status == "CANCELLED"


def test_an_end_of_a_later_generation_is_another_end(
    backend: Any, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.refuses", True)
    own = replace(CHILD, execution_id="own", input="true")
    assert ran(backend, process, own).status == "FAILED"
    monkeypatch.setattr(f"{__name__}.refuses", False)
    backend.run(Resuming(backend.store, backend.clock, REGISTRY).rewind("own"))
    assert ran(backend, Process(backend, monkeypatch), own).status == "SUCCEEDED"
    process.advance("own")
    assert backend.run(backend.store.read("below")).status == "CANCELLED"
