"""What a step's heartbeats report: kept in its record, written with its lease, and there for the next attempt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast import Retry, current_step, step, workflow
from stepfast.engine.ports import Commit
from stepfast.errors import NotStorable
from stepfast.model import Execution, Record
from stepfast.testing import Environment, MotoCloud, step_context

ONE = Execution("one", "w", "1", 1000.0, sent="0a 0b")
RUNNING = Record("pay", "step", "pay", "RUNNING", 0, attempt=1, token="t", lease=0.0)


def test_progress_is_kept_in_the_record(backend: Any) -> None:
    backend.run(backend.store.create(ONE))
    backend.run(backend.store.commit("one", Commit(RUNNING, wake=False)))
    longer = replace(RUNNING, revision=2, progress='{"row": 500}')
    assert backend.run(backend.store.commit("one", Commit(longer, wake=False)))
    assert backend.run(backend.store.load("one")).records["pay"] == longer


seen: list[object] = []


@step(retry=Retry(max_attempts=3, initial=1.0))
async def load() -> str:
    context = current_step()
    seen.append(context.last_progress)
    context.heartbeat(progress={"row": 100 * context.attempt})
    context.heartbeat()
    if context.attempt < 3:
        raise ConnectionError("away")
    return "loaded"


@workflow("loads")
async def loads() -> str:
    return await load()


@pytest.mark.parametrize("home", [Environment, MotoCloud])
def test_the_next_attempt_has_the_last_progress_of_the_one_before(home: Any) -> None:
    seen.clear()
    with home(loads) as env:
        assert env.run(loads).result == "loaded"
    assert seen == [None, {"row": 100}, {"row": 200}]


@pytest.mark.parametrize("progress", [{1, 2}, float("nan"), "x" * 2100])
def test_progress_that_cannot_be_kept_is_refused_with_what_to_do(progress: Any) -> None:
    with step_context() as context, pytest.raises(NotStorable, match=r"heartbeat\(\): the progress"):
        context.heartbeat(progress=progress)
