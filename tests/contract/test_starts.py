"""Singletons and throttles of workflows: the same in both homes (rules *turn*, *throttle*)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Rate, child, label, signal, step, workflow
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


@workflow("parent")
async def parent() -> Any:
    return await child(skipping, "a")


@step(retry=None)
def pay(customer: str) -> str:
    raise ConnectionError("the bank is down")


@workflow("paying", singleton=lambda customer: customer)
async def paying(customer: str) -> str:
    return await pay(customer)


WORKFLOWS = (lining, skipping, replacing, ranking, paced, pacing, both, parent, paying)


@pytest.fixture(params=KITS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(*WORKFLOWS) as made:
        yield made


def test_one_execution_runs_for_each_key_and_the_others_follow_in_their_order(env: Any) -> None:
    runs = [env.start(lining, "a", f"x{number}") for number in range(3)]
    other = env.start(lining, "b", "y")
    assert [run.turned_into for run in (*runs, other)] == ["started", "waiting", "waiting", "started"]
    for number, run in enumerate(runs):
        env.run_for(timedelta(seconds=5))
        assert [one.begun for one in runs] == [place <= number for place in range(3)]
        env.signal(run, "go")
        assert env.run_until(run).result == "noted a"
    assert other.status == "RUNNING"
