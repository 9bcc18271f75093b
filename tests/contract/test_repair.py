"""Steps repaired by hand: the same in both homes."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, current_step, step, workflow
from stepfast.errors import InvalidRequest, WrongStatus
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
ONCE = Retry(max_attempts=1)


@step(retry=ONCE)
def charge(order: str, amount: int = 1) -> int:
    """Takes amounts below 100."""
    if amount >= 100:
        raise ValueError(f"{amount} is too much")
    return amount


@step
def book(amount: int) -> str:
    return f"booked {amount}"


@step(retry=ONCE)
def notify(order: str) -> str | None:
    raise ConnectionError("mail is down")


@step(retry=Retry(max_attempts=50, initial=3600, jitter="none", max_delay=3600))
def stubborn(order: str) -> int:
    raise ConnectionError(f"attempt {current_step().attempt}")


@workflow("paying")
async def paying(order: str) -> str:
    return await book(await charge(order, 100))


@workflow("telling")
async def telling(order: str) -> list[Any]:
    return [await charge(order), await notify(order)]


@workflow("both")
async def both(order: str) -> list[Any]:
    return list(await gather(charge(order, 100), charge(order, 200), charge(order, 3)))


@workflow("waiting")
async def waiting(order: str) -> str:
    return await book(await stubborn(order))


WORKFLOWS = (paying, telling, both, waiting)


@pytest.fixture(params=KITS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(*WORKFLOWS) as made:
        yield made


def test_a_failed_step_gets_its_result_and_the_execution_goes_on(env: Any) -> None:
    run = env.run(paying, "a")
    assert run.status == "FAILED"
    env.repair(run, "charge", result=42, why="paid by hand")
    assert env.run_until(run).result == "booked 42"
    assert [call.step for call in run.steps] == ["charge", "book"]
    repaired = [event for event in run.history if event.type == "step-repaired"]
    assert [(event.command, event.details["subject"], event.details["why"]) for event in repaired] == [
        ("charge", "result", "paid by hand")
    ]


def test_an_equal_repair_changes_nothing(env: Any) -> None:
    run = env.run(paying, "a")
    for _ in range(2):
        env.repair(run, "charge", result=42)
    assert env.run_until(run).result == "booked 42"
    assert sum(event.type == "step-repaired" for event in run.history) == 1


def test_a_step_is_skipped_where_its_type_allows_it(env: Any) -> None:
    run = env.run(telling, "a")
    env.repair(run, "notify", skip=True)
    assert env.run_until(run).result == [1, None]


def test_the_next_attempt_has_the_input_of_the_operator(env: Any) -> None:
    run = env.run(paying, "a")
    env.repair(run, "charge", input={"order": "a", "amount": 7})
    assert env.run_until(run).result == "booked 7"
    assert [call.input["amount"] for call in run.calls(charge)] == [100, 7]


def test_of_several_causes_one_is_repaired_and_the_others_run_again(env: Any) -> None:
    run = env.run(both, "a")
    assert run.status == "FAILED"
    env.repair(run, "charge", result=1)
    assert env.run_until(run).status == "FAILED"  # the second is still too much
    env.repair(run, "charge#2", input={"order": "a", "amount": 2})
    assert env.run_until(run).result == [1, 2, 3]


def test_a_step_that_waits_for_its_next_try_gets_its_result(env: Any) -> None:
    run = env.start(waiting, "a")
    env.advance(timedelta(minutes=5))
    assert run.status == "RUNNING"
    env.repair(run, "stubborn", result=5)
    assert env.run_until(run).result == "booked 5"
    assert len(run.calls(stubborn)) == 1


@pytest.mark.parametrize(
    ("command", "change", "says"),
    [
        ("charge", {"result": "five"}, "valid integer"),
        ("charge", {"skip": True}, "may not be null"),
        ("charge", {"input": {"amount": 5}}, "lacks order"),
        ("charge", {"input": {"order": "a", "amount": "x"}}, "valid integer"),
        ("charge", {}, "exactly one"),
        ("charge", {"result": 1, "skip": True}, "exactly one"),
        ("book", {"result": "x"}, "no attempt"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_lost(
    env: Any, command: str, change: dict[str, Any], says: str
) -> None:
    run = env.run(paying, "a")
    with pytest.raises(InvalidRequest, match=says):
        env.repair(run, command, **change)
    assert run.status == "FAILED"
    env.repair(run, "charge", result=42)
    assert env.run_until(run).result == "booked 42"


def test_a_step_that_has_its_outcome_is_refused(env: Any) -> None:
    run = env.run(telling, "a")
    with pytest.raises(InvalidRequest, match="has its outcome, SUCCEEDED"):
        env.repair(run, "charge", result=2)
    env.repair(run, "notify", result="sent")
    assert env.run_until(run).result == [1, "sent"]
    with pytest.raises(WrongStatus, match="SUCCEEDED"):
        env.repair(run, "notify", result="again")
