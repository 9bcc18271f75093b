"""Singletons and throttles of workflows: the same in both homes (rules *turn*, *throttle*)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Rate, Retry, child, label, signal, step, workflow
from stepfast.errors import ExecutionConflict, InvalidRequest, WrongStatus
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]


@step
def noted(customer: str) -> str:
    return f"noted {customer}"


@workflow("lining", singleton=lambda customer: customer, priority=lambda customer: 7 if "!" in customer else 0)
async def lining(customer: str) -> str:
    await signal("go")
    return await noted(customer)


@workflow("skipping", singleton=lambda customer: customer[0], on_conflict="skip")
async def skipping(customer: str) -> str:
    await signal("go")
    return await noted(customer)


@workflow("replacing", singleton=label("customer"), on_conflict="replace")
async def replacing() -> str:
    await signal("go")
    return await noted("one")


@workflow("ranking", singleton=lambda order: "all", priority=lambda order: order)
async def ranking(order: int) -> int:
    await signal("go")
    return order


@workflow("paced", throttle=Rate(1, per=60), throttle_key=lambda customer: customer)
async def paced(customer: str) -> str:
    return await noted(customer)


@workflow("pacing", throttle=Rate(2, per=60, burst=2))
async def pacing(customer: str) -> str:
    return await noted(customer)


@workflow("both", singleton=lambda customer: customer, throttle=Rate(1, per=60))
async def both(customer: str) -> str:
    await signal("go")
    return await noted(customer)


@workflow("settling", debounce=timedelta(seconds=30), debounce_key=lambda text: text[0])
async def settling(text: str) -> str:
    return await noted(text)


@workflow("parent")
async def parent() -> Any:
    return await child(skipping, "a")


@step(retry=Retry(max_attempts=1))
def pay(customer: str) -> str:
    raise ConnectionError("the bank is down")


@workflow("paying", singleton=lambda customer: customer)
async def paying(customer: str) -> str:
    await signal("go")
    return await pay(customer)


WORKFLOWS: tuple[Any, ...] = (lining, skipping, replacing, ranking, settling, paced, pacing, both, parent, paying)


@pytest.fixture(params=KITS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(*WORKFLOWS) as made:
        yield made


def test_one_execution_runs_for_each_key_and_the_others_follow_in_their_order(env: Any) -> None:
    runs = [env.start(lining, "a", f"x{number}") for number in range(3)]
    other = env.start(lining, "b", "y")
    assert [run.turned_into for run in (*runs, other)] == ["started", "waiting", "waiting", "started"]
    for number, run in enumerate(runs):
        env.advance(timedelta(seconds=5))
        assert [one.begun for one in runs] == [place <= number for place in range(3)]
        env.signal(run, "go")
        assert env.run_until(run).result == "noted a"
    assert other.status == "RUNNING"


def test_a_start_is_skipped_while_another_of_its_key_runs_and_says_so_again(env: Any) -> None:
    first = env.start(skipping, "anna", "x")
    env.advance(timedelta(seconds=5))
    again = [env.start(skipping, "arno", "y") for _ in range(2)]
    assert [(run.execution_id, run.turned_into) for run in again] == [("x", "skipped")] * 2
    env.signal(first, "go")
    assert env.run_until(first).result == "noted anna"
    assert env.start(skipping, "arno", "y").turned_into == "skipped"
    assert env.start(skipping, "arno", "y").execution_id == "x"
    with pytest.raises(ExecutionConflict):
        env.start(skipping, "aron", "y")
    assert env.start(skipping, "arno", "z").turned_into == "started"
    assert env.start(skipping, "anna", "x").turned_into == "started"


def test_a_start_replaces_the_one_that_runs(env: Any) -> None:
    first = env.start(replacing, None, "x", labels={"customer": "a"})
    env.advance(timedelta(seconds=5))
    waits = [env.start(replacing, None, id, labels={"customer": "a"}) for id in ("y", "z")]
    other = env.start(replacing, None, "o", labels={"customer": "b"})
    assert [run.turned_into for run in (*waits, other)] == ["replaced", "replaced", "started"]
    env.advance(timedelta(seconds=30))
    assert [(run.status, run.begun) for run in (first, *waits)][0::2] == [("CANCELLED", True), ("RUNNING", True)]
    assert waits[0].status == "CANCELLED"
    env.signal(waits[1], "go")
    assert env.run_until(waits[1]).result == "noted one"
    assert other.status == "RUNNING"


def test_the_highest_priority_goes_first_and_what_was_cancelled_in_line_is_passed_over(env: Any) -> None:
    runs = {order: env.start(ranking, order, f"x{order}") for order in (1, 2, 9, 3, 9 + 1)}
    env.advance(timedelta(seconds=5))
    env.cancel(runs[9])
    began: list[int] = []
    for _ in range(4):
        running = next(order for order, run in runs.items() if run.status == "RUNNING" and run.begun)
        began.append(running)
        env.signal(runs[running], "go")
        env.run_until(runs[running])
        env.advance(timedelta(seconds=5))
    assert began == [1, 10, 3, 2]


def test_a_failed_execution_lets_the_next_begin_and_is_resumed_once_its_key_is_free(env: Any) -> None:
    first = env.start(paying, "a", "x")
    env.signal(first, "go")
    assert env.run_until(first).status == "FAILED"
    second = env.start(paying, "a", "y")
    assert second.turned_into == "started"
    with pytest.raises(WrongStatus, match="'y' runs"):
        env.resume(first)
    env.signal(second, "go")
    assert env.run_until(second).status == "FAILED"
    env.resume(first)
    third = env.start(paying, "a", "z")
    assert third.turned_into == "waiting"
    assert env.run_until(first).status == "FAILED"
    env.signal(third, "go")
    assert env.run_until(third).status == "FAILED"


def test_executions_begin_at_the_rate_each_at_its_moment(env: Any) -> None:
    began = env.now
    runs = [env.start(pacing, f"c{number}", f"x{number}") for number in range(6)]
    assert [run.turned_into for run in runs] == ["started", "started", *["waiting"] * 4]
    for run in runs:
        env.run_until(run)
    times = sorted((run.steps[0].started_at - began).total_seconds() for run in runs)
    assert times[1] < 10 < times[2]
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[3:], strict=False))
    assert times[5] < 150


def test_a_throttle_with_a_key_is_a_rate_for_each(env: Any) -> None:
    runs = [env.start(paced, customer, f"{customer}{number}") for number in range(2) for customer in ("a", "b")]
    assert [run.turned_into for run in runs] == ["started", "started", "waiting", "waiting"]
    env.advance(timedelta(seconds=30))
    assert [run.status for run in runs] == ["SUCCEEDED", "SUCCEEDED", "RUNNING", "RUNNING"]
    env.advance(timedelta(seconds=60))
    assert [run.status for run in runs] == ["SUCCEEDED"] * 4


def test_an_execution_with_both_waits_for_its_turn_and_then_for_its_moment(env: Any) -> None:
    first, second = env.start(both, "a", "x"), env.start(both, "a", "y")
    env.advance(timedelta(seconds=100))
    assert (first.begun, second.begun) == (True, False)
    third = env.start(both, "b", "z")  # it takes the moment that is free
    assert third.turned_into == "started"
    env.signal(first, "go")
    env.advance(timedelta(seconds=10))
    assert (first.status, second.begun) == ("SUCCEEDED", False)
    env.advance(timedelta(seconds=70))
    assert second.begun


def test_a_signal_and_a_cancel_reach_an_execution_that_waits(env: Any) -> None:
    first, second, third = (env.start(lining, "a", f"x{number}") for number in range(3))
    env.advance(timedelta(seconds=5))
    env.signal(second, "go")
    env.cancel(third)
    env.advance(timedelta(seconds=5))
    assert not second.begun
    env.signal(first, "go")
    assert env.run_until(second).result == "noted a"
    assert third.status == "CANCELLED"
    assert env.start(lining, "a", "x4").turned_into == "started"


def test_a_child_of_a_workflow_with_start_options_is_refused(env: Any) -> None:
    run = env.run(parent)
    assert run.status == "FAILED"
    assert run.error is not None
    assert "start it in a step" in run.error.message


def test_a_key_that_is_no_text_is_told_to_who_starts(env: Any) -> None:
    with pytest.raises(InvalidRequest, match="singleton of workflow 'skipping' raised IndexError"):
        env.start(skipping, "", "x")
    with pytest.raises(InvalidRequest, match="priority of workflow 'ranking' is 1000"):
        env.start(ranking, 1000, "x")


def test_starts_within_the_time_become_one_execution_with_the_last_input(env: Any) -> None:
    first = env.start(settling, "a1", "x")
    assert (first.turned_into, first.begun) == ("waiting", False)
    env.advance(timedelta(seconds=20))
    second = env.start(settling, "a" * 3000, "y")
    other = env.start(settling, "b1", "o")
    env.advance(timedelta(seconds=20))
    third = env.start(settling, "a3", "z")
    assert [(run.turned_into, run.execution_id) for run in (second, third)] == [("debounced", "x")] * 2
    assert other.turned_into == "waiting"
    env.advance(timedelta(seconds=15))
    assert (first.status, other.status) == ("RUNNING", "SUCCEEDED")
    assert env.start(settling, "a1", "x").turned_into == "waiting"
    assert env.start(settling, "a3", "z").turned_into == "debounced"
    with pytest.raises(ExecutionConflict):
        env.start(settling, "a4", "z")
    assert env.run_until(first).result == "noted a3"
    assert env.start(settling, "a3", "z").execution_id == "x"
    assert env.start(settling, "a5", "w").turned_into == "waiting"


def test_what_waits_for_more_starts_can_be_cancelled(env: Any) -> None:
    first = env.start(settling, "a1", "x")
    env.cancel(first)
    second = env.start(settling, "a2", "y")
    assert second.turned_into == "waiting"
    assert env.run_until(second).result == "noted a2"


@workflow("quick", singleton=lambda number: "all", throttle=Rate(1, per=5))
async def quick(number: int) -> str:
    return await noted(str(number))


def test_the_process_may_die_at_any_moment_and_all_of_a_line_run_one_after_the_other() -> None:
    def played(at: int | None) -> int:
        with Environment(quick) as env:
            if at is not None:
                env.crash(at=at)
            runs = [env.start(quick, number, f"x{number}") for number in range(3)]
            for run in runs:
                assert env.run_until(run).result == f"noted {run.execution_id[1:]}"
            calls = [run.steps[0] for run in runs]
            begun = [call.started_at for call in calls]
            assert begun == sorted(begun)
            return len(env.points)

    moments = played(None)
    assert moments > 10
    for at in range(moments):
        played(at)
