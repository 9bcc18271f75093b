"""A large value costs its own execution and nobody else; ratios within one run, since machines differ."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stepfast import step, workflow
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.ports import Commit, End, Query
from stepfast.model import Execution, OrderEntry, Record, Signal
from tests.contract.clock import FixedClock
from tests.local.conftest import Embedded

HUGE = '"' + "x" * 10_000_000 + '"'


@step
def small(number: int) -> int:
    return number


@workflow("small-flow")
async def small_flow(number: int) -> int:
    return await small(number)


@workflow("large-flow")
async def large_flow(text: str) -> int:
    return len(text)


@pytest.mark.timing
def test_executions_are_not_slower_beside_eight_inputs_of_ten_megabytes(tmp_path: Path) -> None:
    """With values in the tree of keys they took 20 times as long."""
    made = Embedded(tmp_path / "a.db", small_flow, large_flow, durability="process")

    def cost(tag: str) -> float:
        begun = time.process_time()
        for number in range(40):
            made.run("small-flow", number, f"{tag}{number}")
        return time.process_time() - begun

    cost("warm")
    before = cost("before")
    for number in range(8):
        made.run("large-flow", HUGE[1:-1], f"large{number}")
    after = min(cost("after"), cost("again"))
    made.runtime.close()
    assert after < 4 * before


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> SqliteBackend:
    """Two executions that have everything: `small` in few bytes, `large` in 10 MB each."""
    made = SqliteBackend(SqliteFile(tmp_path_factory.mktemp("large") / "a.db", "process"), FixedClock())

    async def fill() -> None:
        for id, text in (("small", '"x"'), ("large", HUGE)):
            execution = Execution(id, "w", text, 1000.0)
            await made.create(execution)
            await made.commit(id, Commit(Record("a", "step", "a", "SUCCEEDED", 0, input=text, output=text), wake=False))
            await made.commit(id, Commit(Record("b", "step", "b", "SUCCEEDED", 0, output="1"), wake=False))
            await made.append(id, OrderEntry(0, 0, ("a",)))
            await made.add_signal(id, Signal("s", "go", text, 1000.0))
            await made.finish(End(replace(execution, status="FAILED", ended_at=1001.0)))

    asyncio.run(fill())
    return made


def resume_and_fail(backend: SqliteBackend, id: str) -> None:
    with backend._file.reading() as db:
        (generation,) = db.execute("SELECT generation FROM executions WHERE execution_id = ?", (id,)).fetchone()
    again = Execution(id, "w", "", 1000.0, generation=generation + 1)
    cut = OrderEntry(len(asyncio.run(backend.entries(id))), again.generation, cut=0)
    assert asyncio.run(backend.rewind(again, cut, [], []))
    assert asyncio.run(backend.finish(End(replace(again, status="FAILED", ended_at=1002.0))))


WITHOUT_VALUES: dict[str, Callable[[SqliteBackend, str], object]] = {
    "its status": lambda backend, id: asyncio.run(backend.read_many([id])),
    "a list": lambda backend, id: asyncio.run(backend.page(Query(prefix=id[:3], values=False))),
    "an end and a resume": resume_and_fail,
}


@pytest.mark.timing
@pytest.mark.parametrize("act", WITHOUT_VALUES.values(), ids=WITHOUT_VALUES)
def test_what_needs_no_values_reads_and_writes_none(
    backend: SqliteBackend, act: Callable[[SqliteBackend, str], object]
) -> None:
    def cost(id: str) -> float:
        best = float("inf")
        for _ in range(5):
            begun = time.process_time()
            for _ in range(20):
                act(backend, id)
            best = min(best, time.process_time() - begun)
        return best

    act(backend, "large")
    assert cost("large") < 5 * cost("small")


def test_a_value_is_stored_once_however_often_its_record_is_written(tmp_path: Path) -> None:
    """A step that is retried with a large input writes its record again and again."""
    made = SqliteBackend(SqliteFile(tmp_path / "a.db", "process"), FixedClock())
    made_id = "one"
    record = Record("a", "step", "a", "RUNNING", 0, input=HUGE[:1_000_000] + '"')

    async def write() -> None:
        await made.create(Execution(made_id, "w", "1", 1000.0))
        for revision in range(1, 30):
            assert await made.commit(made_id, Commit(replace(record, revision=revision), wake=False))

    asyncio.run(write())
    held = asyncio.run(made.load(made_id))
    assert held is not None
    assert held.records["a"].input == record.input
    made.close()
    assert (tmp_path / "a.db").stat().st_size < 2_000_000
