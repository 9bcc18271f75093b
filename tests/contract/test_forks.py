"""Forks: executions that begin with records of another, the same in both homes."""

from __future__ import annotations

import asyncio
from asyncio import gather
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import ContinueAsNew, Retry, child, now, signal, step, uuid4, workflow
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest
from stepfast.testing import Environment, MotoCloud, Run
from stepfast.testing.memory import finished

KITS: list[Any] = [Environment, MotoCloud]
ONCE = Retry(max_attempts=1)
BROKEN: set[str] = set()
LARGE = 300_000


@step
def pick(order: str) -> int:
    return len(order)


@step(retry=ONCE)
def charge(amount: int) -> int:
    """Fails as often as a test wants."""
    if "charge" in BROKEN:
        raise ValueError("no funds")
    return amount * 100


@step
def book(amount: int) -> str:
    return f"booked {amount}"


@step
def large(order: str) -> str:
    return order * (LARGE // len(order))


@workflow("buying")
async def buying(order: str) -> str:
    return await book(await charge(await pick(order)))


@workflow("gathering")
async def gathering(order: str) -> list[Any]:
    first = await gather(pick(order), charge(3), book(4))
    return [*first, await book(sum(first[:2]))]


@workflow("telling")
async def telling(order: str) -> list[Any]:
    told = await signal("told", int)
    return [told, await charge(told), await signal("told", int)]


@workflow("hoarding")
async def hoarding(order: str) -> int:
    values = await gather(large("a"), large("b"))
    return await charge(len(values[0] + values[1]))


@workflow("parent")
async def parent(order: str) -> list[Any]:
    inner = await child(buying, order)
    return [inner, await charge(5)]


@workflow("turning")
async def turning(left: int) -> int:
    got = await charge(left)
    if left:
        raise ContinueAsNew(left - 1)
    return got


@workflow("alone", singleton=lambda order: "one")
async def alone(order: str) -> int:
    return await pick(order)


WORKFLOWS = (buying, gathering, telling, hoarding, parent, turning)


@pytest.fixture(autouse=True)
def works() -> Iterator[None]:
    BROKEN.clear()
    yield
    BROKEN.clear()


@pytest.fixture(params=KITS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(*WORKFLOWS) as made:
        yield made


def delete(env: Any, run: Run[Any]) -> None:
    if isinstance(env, MotoCloud):
        assert env.request("DELETE", f"/v1/executions/{run.execution_id}").status == 200
    else:
        finished(env._stage.operations.delete(run.execution_id))


def ran(run: Run[Any]) -> list[str]:
    return [call.step for call in run.steps]


def test_a_fork_at_the_failure_runs_what_failed_and_what_follows(env: Any) -> None:
    BROKEN.add("charge")
    origin = env.run(buying, "abc")
    assert origin.status == "FAILED"
    before = origin.history
    BROKEN.clear()
    fork = env.run_until(env.fork(origin, "forked", why="the bank was down"))
    assert fork.result == "booked 300"
    assert ran(fork) == ["charge", "book"]
    assert origin.status == "FAILED"
    assert origin.history == before
    assert env.run_until(env.fork(origin, "forked", why="again")).execution_id == "forked"
    assert ran(fork) == ["charge", "book"]
    (event,) = [event for event in fork.history if event.type == "execution-forked"]
    assert event.details["from"] == origin.execution_id
    assert event.details["before"] == ["charge"]
    assert event.details["why"] == "the bank was down"


def test_a_fork_before_a_command_of_one_that_has_succeeded(env: Any) -> None:
    origin = env.run(buying, "abc")
    fork = env.run_until(env.fork(origin, before="book"))
    assert (fork.result, ran(fork)) == ("booked 300", ["book"])
    fork = env.run_until(env.fork(origin, before="pick", input="abcde", labels={"kind": "test"}))
    assert (fork.result, ran(fork)) == ("booked 500", ["pick", "charge", "book"])


def test_the_order_of_outcomes_goes_along(env: Any) -> None:
    origin = env.run(gathering, "ab")
    fork = env.run_until(env.fork(origin, before="book#2"))
    assert (fork.result, ran(fork)) == (origin.result, ["book"])
    fork = env.run_until(env.fork(fork, before="charge"))
    assert fork.result == origin.result
    assert "charge" in ran(fork)


@pytest.mark.parametrize("kit", KITS)
def test_the_code_at_hand_is_checked_against_the_records(kit: Any) -> None:
    with kit(*WORKFLOWS, check_replays=False) as env:
        origin = env.run(buying, "abc")
        fork = env.run_until(env.fork(origin, before="book", input="other"))
        assert fork.status == "FAILED"
        assert fork.error.type == "NonDeterministic"


@pytest.mark.parametrize("before", [None, "nothing", "x/pick"])
def test_a_command_that_it_does_not_have_is_refused(env: Any, before: str | None) -> None:
    origin = env.run(buying, "abc")
    with pytest.raises(InvalidRequest, match="no failure to fork at" if before is None else "has no command"):
        env.fork(origin, **({} if before is None else {"before": before}))
    with pytest.raises(InvalidRequest):
        env.fork(origin, before="pick", input=5)


def test_an_id_is_of_one_request(env: Any) -> None:
    origin = env.run(buying, "abc")
    env.fork(origin, "twice", before="book")
    with pytest.raises(ExecutionConflict, match="by another request"):
        env.fork(origin, "twice", before="charge")
    with pytest.raises(ExecutionConflict, match="is no fork"):
        env.fork(origin, origin.execution_id, before="charge")


def test_signals_that_were_taken_go_along(env: Any) -> None:
    origin = env.start(telling, "abc")
    env.signal(origin, "told", 3, "first")
    env.run_until(lambda: len(ran(origin)) == 1)
    env.signal(origin, "told", 4, "second")
    assert env.run_until(origin).result == [3, 300, 4]
    fork = env.fork(origin, before="signal:told#2")
    env.signal(fork, "told", 3, "first")
    env.signal(fork, "told", 5, "third")
    assert env.run_until(fork).result == [3, 300, 5]
    assert ran(fork) == []


def test_large_values_are_of_each_side(env: Any) -> None:
    origin = env.run(hoarding, "abc")
    fork = env.fork(origin, before="charge")
    second = env.fork(origin, before="charge")
    env.run_until(fork)
    delete(env, fork)
    assert env.run_until(env.fork(origin, before="charge")).result == origin.result
    delete(env, origin)
    assert env.run_until(second).result == 2 * LARGE * 100
    assert ran(second) == ["charge"]


def test_a_fork_of_a_running_one(env: Any) -> None:
    origin = env.start(telling, "abc")
    env.signal(origin, "told", 3)
    env.run_until(lambda: len(ran(origin)) == 1)
    fork = env.fork(origin, before="charge")
    env.signal(fork, "told", 9)
    assert env.run_until(fork).result == [3, 300, 9]
    assert origin.status == "RUNNING"


def test_a_fork_that_fails_is_resumed_and_forked_itself(env: Any) -> None:
    origin = env.run(gathering, "ab")
    BROKEN.add("charge")
    fork = env.run_until(env.fork(origin, before="charge"))
    assert fork.status == "FAILED"
    BROKEN.clear()
    again = env.run_until(env.fork(fork))
    assert again.result == origin.result
    env.resume(fork, steps=["pick", "charge"])
    assert env.run_until(fork).result == origin.result


def test_the_latest_run_is_forked(env: Any) -> None:
    origin = env.run(turning, 2)
    assert origin.result == 0
    fork = env.run_until(env.fork(origin, before="charge"))
    assert (fork.result, ran(fork)) == (0, ["charge"])


def test_a_fork_continues_as_new(env: Any) -> None:
    BROKEN.add("charge")
    origin = env.run(turning, 2)
    BROKEN.clear()
    assert env.run_until(env.fork(origin)).result == 0


def test_children_stay_with_the_origin(env: Any) -> None:
    origin = env.run(parent, "abc")
    fork = env.run_until(env.fork(origin, before="charge"))
    assert (fork.result, ran(fork)) == (origin.result, ["charge"])
    assert fork.children == []
    delete(env, fork)
    assert [run.status for run in origin.children] == ["SUCCEEDED"]


def test_children_are_copied(env: Any) -> None:
    origin = env.run(parent, "abc")
    fork = env.run_until(env.fork(origin, before="charge", children="copy"))
    (copy,) = fork.children
    assert (copy.status, copy.result) == ("SUCCEEDED", "booked 300")
    assert copy.execution_id != origin.children[0].execution_id
    delete(env, origin)
    assert [run.status for run in fork.children] == ["SUCCEEDED"]
    delete(env, fork)
    with pytest.raises(ExecutionNotFound):
        assert copy.status


@pytest.mark.parametrize("kit", KITS)
def test_workflows_with_start_options_are_not_forked(kit: Any) -> None:
    with kit(alone) as env, pytest.raises(InvalidRequest, match="start options"):
        env.fork(env.run(alone, "abc"), before="pick")


@step
def note(text: str) -> str:
    return text


@workflow("drawing")
async def drawing(order: str) -> list[str]:
    """Inputs of steps depend on chance and on the time."""
    first = await note(f"{uuid4()} {now().isoformat()}")
    second = await note(f"{uuid4()} {now().isoformat()}")
    return [first, second, await note(f"{uuid4()}")]


@workflow("timed")
async def timed(order: str) -> int:
    async with asyncio.timeout(60):
        return await charge(await pick(order))


@pytest.mark.parametrize("kit", KITS)
def test_chance_and_time_are_those_of_the_origin_up_to_the_command(kit: Any) -> None:
    with kit(drawing) as env:
        origin = env.run(drawing, "abc")
        env.run_until(env.now + timedelta(days=2))
        fork = env.run_until(env.fork(origin, before="note#2"))
        assert fork.result[:2] == origin.result[:2]
        assert fork.result[2] != origin.result[2]
        env.run_until(env.now + timedelta(days=2))
        again = env.run_until(env.fork(fork, before="note#3"))
        assert again.result == fork.result
        assert ran(again) == ["note"]


@pytest.mark.parametrize("kit", KITS)
def test_a_timer_that_had_not_come_due_waits_its_whole_time(kit: Any) -> None:
    with kit(timed) as env:
        BROKEN.add("charge")
        origin = env.run(timed, "abc")
        BROKEN.clear()
        env.run_until(env.now + timedelta(days=2))
        fork = env.run_until(env.fork(origin))
        assert (fork.status, fork.result, ran(fork)) == ("SUCCEEDED", 300, ["charge"])
