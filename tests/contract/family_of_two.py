"""A parent and its child in a store of either home, and somebody who acts between two calls of another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from stepfast import child, signal, workflow
from stepfast.engine.children import Children
from stepfast.engine.ports import Commit, End
from stepfast.language.registry import Registry
from stepfast.model import Execution, Failure, Link, OrderEntry, Record
from stepfast.replay.children import command_of

Act = Callable[[], Awaitable[object]]


@workflow("waits-within")
async def waits_within(number: int) -> int:
    await signal("go")
    return number


@workflow("asks-for-it")
async def asks_for_it(number: int) -> int:
    return await child(waits_within, number)


REGISTRY = Registry([waits_within, asks_for_it])
COMMAND = "child:waits-within"
PARENT = Execution("p", "asks-for-it", "1", 1000.0)
LINK = Link("p", COMMAND, 0, root="p")
CHILD = Execution("p.waits-within", "waits-within", "1", 1001.0, link=LINK)
NOTED = Record(COMMAND, "child", "waits-within", "OPEN", 0, input="1", children=("p.waits-within",))
FAILURE = Failure("E", "m")


class Behind:
    """A store where somebody acts behind the first call of a method; a method called without end is a fault."""

    def __init__(self, store: Any, method: str, act: Act | None = None) -> None:
        self._store, self._method, self._act, self._calls = store, method, act, 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)
        if name != self._method:
            return call

        async def called(*arguments: Any, **named: Any) -> Any:
            self._calls += 1
            assert self._calls < 9, f"{name} is called again and again"
            answer = await call(*arguments, **named)
            if self._act is not None and self._calls == 1:
                await self._act()
            return answer

        return called


def begun(backend: Any) -> Any:
    """The store, in which a parent waits for its child."""
    for execution in (PARENT, CHILD):
        backend.run(backend.store.create(execution))
    backend.run(backend.store.commit("p", Commit(NOTED, wake=False)))
    return backend.store


def end_of(execution: Execution, status: Any, **changes: Any) -> End:
    changes = {"error": FAILURE, **changes} if status == "FAILED" else changes
    return End(replace(execution, status=status, ended_at=2000.0, **changes), wake=False)


def resumed(execution: Execution) -> Execution:
    generation = execution.generation + 1
    return replace(execution, status="RUNNING", generation=generation, resumed_at=3000.0, error=None, ended_at=None)


async def fail_and_resume(store: Any, execution: Execution, link: Link | None = None) -> None:
    assert await store.finish(end_of(execution, "FAILED"))
    await resume(store, execution, link)


async def resume(store: Any, execution: Execution, link: Link | None = None) -> None:
    after = resumed(execution)
    assert await store.rewind(after, OrderEntry(execution.generation, after.generation, cut=0), [], [], link)


def family(backend: Any, store: Any) -> Children:
    return Children(store, backend.queue, backend.clock, REGISTRY)


def asked() -> Any:
    return command_of(COMMAND, waits_within, 1, None, "cancel")


def record_of(backend: Any) -> Record:
    record: Record = backend.run(backend.store.load("p")).records[COMMAND]
    return record


def generation_of(backend: Any, id: str) -> tuple[str, int, int]:
    """Status, generation, and generation of the link."""
    held = backend.run(backend.store.read(id))
    assert held is not None, f"there is no execution {id}"
    return held.status, held.generation, held.link.generation if held.link is not None else 0
