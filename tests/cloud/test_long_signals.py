"""Signals to an execution that counts as long: a function that dies at any read or write loses and doubles none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stepfast import signal, step, workflow
from stepfast.deployment.project import Project
from stepfast.engine import signalling
from stepfast.engine.catching_up import CatchingUp
from stepfast.simulator.account import When
from stepfast.testing import MotoCloud
from tests.cloud.clients import signalled
from tests.cloud.exploration import WHENS
from tests.lanes import SOAK

NO_SWEEP = Project(sweep_minutes=60)
AMOUNTS = (1, 2, 4)


@step
async def booked(amount: int) -> int:
    return amount


@workflow("books-amounts")
async def books_amounts() -> list[int]:
    """The second amount is awaited at once, the third behind a step."""
    first, second = await signal("amount", int), await signal("amount", int)
    return [first, second, await booked(await signal("amount", int))]


@pytest.fixture(autouse=True)
def caught_up(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Executions are long from one record on. Returns whether each kept replay has caught up."""
    outcomes: list[bool] = []
    right = CatchingUp.catch_up

    async def noted(self: CatchingUp, live: object) -> object:
        execution = await right(self, live)  # type: ignore[arg-type]
        outcomes.append(execution is not None)
        return execution

    monkeypatch.setattr(signalling, "LONG", 1)
    monkeypatch.setattr(CatchingUp, "catch_up", noted)
    return outcomes


def played(at: int | None = None, when: When = "after", wrong: bool = False) -> tuple[list[int], list[str]]:
    """The result, and the function of each call from the first signal on."""
    with MotoCloud(books_amounts, project=NO_SWEEP) as cloud:
        run = cloud.start(books_amounts, execution_id="one")
        cloud.advance(timedelta(seconds=30))
        before = len(cloud.calls)
        if at is not None:
            cloud.kill_at(before + at, when)
        for number, amount in enumerate(AMOUNTS):
            if wrong:
                answer = cloud.request("POST", "/v1/executions/one/signals/amount", {"payload": "no number"})
                assert answer.status == 422
            signalled(cloud, "amount", amount, f"s{number}")
            cloud.advance(timedelta(minutes=1))
        assert run.status == "SUCCEEDED", (at, when)
        return run.result, [call.function for call in cloud.calls[before:]]


def test_a_replay_that_is_kept_catches_up_between_two_signals(caught_up: list[bool]) -> None:
    assert played()[0] == [1, 2, 4]
    assert caught_up == [True]


def test_what_does_not_fit_the_wait_of_now_is_refused(caught_up: list[bool]) -> None:
    assert played(wrong=True)[0] == [1, 2, 4]
    assert True in caught_up


@pytest.mark.parametrize("when", WHENS)
def test_an_api_that_dies_at_any_call_takes_each_signal_once(when: When) -> None:
    """In the gate at every sixth call, and at others for each way; each night at all."""
    calls = played()[1]
    numbers = [number for number, function in enumerate(calls) if function in ("api", "advancer")]
    for number in numbers if SOAK else numbers[WHENS.index(when) :: 6]:
        assert played(number, when)[0] == [1, 2, 4], (number, when)
