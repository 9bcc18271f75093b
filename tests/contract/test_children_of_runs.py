"""Children and runs together, in both homes: a child that continues as new, and a parent that does so with children."""

import asyncio
from typing import Any

import pytest

from stepfast import ContinueAsNew, Retry, child, signal, step, workflow
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.runs import Run

HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])


@step(retry=Retry(max_attempts=1))
async def add(total: int, number: int) -> int:
    return total + number


@workflow("counting")
async def counting(state: list[int]) -> int:
    """Counts down by one in each run."""
    left, total = state
    total = await add(total, left)
    if left > 1:
        raise ContinueAsNew([left - 1, total])
    return total


@workflow("asks-a-counter")
async def asks_a_counter() -> list[int]:
    return list(await asyncio.gather(child(counting, [3, 0]), child(counting, [2, 10])))


@workflow("round")
async def round_of(turn: int) -> int:
    return await add(turn, 100)


@workflow("asks-in-each-run")
async def asks_in_each_run(state: list[int]) -> list[int]:
    """The same call of the same child in each of three runs."""
    state = [*state, await child(round_of, 7)]
    if len(state) < 3:
        raise ContinueAsNew(state)
    return state


@workflow("asks-by-one-id")
async def asks_by_one_id(turn: int) -> int:
    result = await child(round_of, turn, id="the-same")
    if turn < 2:
        raise ContinueAsNew(turn + 1)
    return result


@workflow("leaves-a-child")
async def leaves_a_child(turn: int) -> str:
    """Takes its child back, and continues at once."""
    if turn == 2:
        return "done"
    asked = asyncio.ensure_future(child(waiting, None, id="kid"))
    await add(1, 1)
    asked.cancel()
    raise ContinueAsNew(turn + 1)


@workflow("waiting")
async def waiting(_: None) -> None:
    await signal("never")


@HOMES
def test_a_child_that_continues_as_new_reports_its_last_run(home: Any) -> None:
    with home(asks_a_counter, counting) as env:
        run = env.run(asks_a_counter)
        assert run.result == [6, 13]
        assert [each.status for each in run.children] == ["SUCCEEDED", "SUCCEEDED"]


@HOMES
def test_a_child_that_fails_in_a_later_run_is_resumed_there_by_its_root(home: Any) -> None:
    with home(asks_a_counter, counting) as env:
        asked: list[int] = []

        def broken(total: int, number: int) -> int:
            asked.append(number)
            if number == 1:
                raise ValueError("broken")
            return total + number

        env.fake(add, broken)
        run = env.run(asks_a_counter)
        assert run.status == "FAILED"
        env.fake(add, lambda total, number: asked.append(number) or total + number)
        env.resume(run)
        assert env.run_until(run).result == [6, 13]
        assert (asked.count(3), asked.count(2)) == (1, 2), "an earlier run is not run again"


@HOMES
def test_each_run_has_children_of_its_own(home: Any) -> None:
    with home(asks_in_each_run, round_of) as env:
        asked: list[int] = []
        env.fake(add, lambda total, number: asked.append(total) or 100 + len(asked))
        assert env.run(asks_in_each_run, []).result == [101, 102, 103]


@HOMES
def test_an_id_that_an_earlier_run_has_used_is_taken(home: Any) -> None:
    with home(asks_by_one_id, round_of) as env:
        run = env.run(asks_by_one_id, 1)
        assert run.error is not None
        assert "'the-same' exists" in run.error.message


@HOMES
def test_a_child_that_a_run_has_taken_back_does_not_go_on_after_it(home: Any) -> None:
    with home(leaves_a_child, waiting) as env:
        run = env.run(leaves_a_child, 1)
        assert run.result == "done"
        assert Run(run._reading, waiting, "kid").status == "CANCELLED"
