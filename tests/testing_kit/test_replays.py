"""The kit replays executions from scratch as they go on, and says what came out otherwise."""

import asyncio
import itertools
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.testing import Environment, MotoCloud, NotRepeatable, Stalled
from tests.counting import calls

COUNTER: Iterator[int] = itertools.count()
KITS: list[Any] = [Environment, MotoCloud]


@step
def echo(x: int) -> int:
    return x


@step
def other(x: int) -> int:
    return x


@workflow("other-inputs")
async def other_inputs() -> int:
    return await echo(next(COUNTER))


@workflow("other-steps")
async def other_steps() -> int:
    await echo(1)
    return await (echo(2) if next(COUNTER) % 2 else other(2))


@workflow("other-results")
async def other_results() -> int:
    return await echo(1) + next(COUNTER)


@workflow("other-ends")
async def other_ends() -> int:
    if next(COUNTER) % 2:
        raise ValueError("every other time")
    return 1


@workflow("other-sleeps")
async def other_sleeps() -> None:
    await asyncio.sleep(60 + next(COUNTER))


@workflow("many-steps")
async def many_steps(count: int) -> int:
    for number in range(count):
        await echo(number)
    return count


@workflow("rests")
async def rests(seconds: float | None) -> None:
    await asyncio.sleep(math.inf if seconds is None else seconds)


@step(retry=Retry(initial=1e300, max_delay=1e300, jitter="none"))
def far_off() -> None:
    raise ConnectionError("down")


@workflow("retries-far-off")
async def retries_far_off() -> None:
    await far_off()


@workflow("counts")
async def counts() -> list[int]:
    return [await signal("n", int) for _ in range(6)]


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize("flow", [other_inputs, other_steps, other_results, other_ends, other_sleeps])
def test_code_that_does_not_repeat_itself_fails_the_test(kit: Any, flow: Any) -> None:
    with pytest.raises(NotRepeatable) as caught, kit(flow) as env:
        env.run(flow)
    text = str(caught.value)
    assert "does not repeat itself" in text
    assert "stepfast.random()" in text
    assert "stepfast.now()" in text
    assert "check_replays=False" in text


def test_the_error_names_the_command_and_both_inputs() -> None:
    global COUNTER
    COUNTER = itertools.count(100)
    with pytest.raises(NotRepeatable, match=r'\'echo\'.*\{"x":10\d\}.*\{"x":10\d\}'), Environment(other_inputs) as env:
        env.run(other_inputs)


@pytest.mark.parametrize("kit", KITS)
def test_it_can_be_switched_off(kit: Any) -> None:
    with kit(other_results, check_replays=False) as env:
        assert env.run(other_results).status == "SUCCEEDED"


def test_what_it_costs_grows_as_the_execution_does() -> None:
    def cost(count: int, check: bool) -> int:
        def run() -> None:
            with Environment(many_steps, limit=10_000, check_replays=check) as env:
                assert env.run(many_steps, count).result == count

        return calls(run)

    assert cost(600, True) < 2 * cost(600, False)


@pytest.mark.parametrize("new", [None, mock.AsyncMock(return_value=3), mock.MagicMock(return_value=3)])
def test_a_mock_in_the_place_of_a_step_is_refused_with_a_word_on_fakes(new: Any) -> None:
    with mock.patch(f"{__name__}.echo", **({} if new is None else {"new": new})), Environment(many_steps) as env:
        run = env.run(many_steps, 1)
        assert run.error is not None
        assert "env.fake(echo" in run.error.message


def test_a_mock_of_anything_else_is_left_alone() -> None:
    helper = mock.Mock(return_value=5)

    @workflow("helped")
    async def helped() -> int:
        return await echo(helper())

    with Environment(helped) as env:
        assert env.run(helped).result == 5


def test_a_sleep_for_ever_is_stalled_and_a_long_one_is_over_at_once() -> None:
    with Environment(rests) as env:
        with pytest.raises(Stalled, match="timer"):
            env.run(rests, None)
        start = env.now
        assert env.run(rests, 1e10).status == "SUCCEEDED"
        assert env.now - start == timedelta(seconds=1e10)


def test_a_retry_behind_the_end_of_the_calendar_is_stalled() -> None:
    with Environment(retries_far_off) as env, pytest.raises(Stalled, match="far_off"):
        env.run(retries_far_off)


@pytest.mark.parametrize("kit", KITS)
def test_signals_of_one_moment_keep_their_order(kit: Any) -> None:
    with kit(counts) as env:
        run = env.start(counts)
        for number in range(6):
            env.signal(run, "n", number)
        assert env.run_until(run).result == [0, 1, 2, 3, 4, 5]
