"""Time in workflow code: it stands still unless a recorded timer moves it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import stepfast
from stepfast.model import Record
from tests.replay.driver import CREATED, Play, played, started
from tests.replay.steps import boom, echo, note


def result(play: Play) -> Any:
    assert play.execution.status == "SUCCEEDED", play.execution.error
    return play.execution.result


@pytest.mark.parametrize("seconds", [0.001, 1, 86_400, 10 * 365 * 86_400])
def test_sleep_is_a_timer_of_any_length(seconds: float) -> None:
    async def body() -> str:
        return await asyncio.sleep(seconds, "slept")

    replay = started(body)
    assert [(one.id, one.kind, one.due) for one in replay.outstanding.values()] == [
        (":timer", "timer", CREATED + seconds)
    ]
    replay.advance({":timer": Record(":timer", "timer", "timer", "SUCCEEDED", 0, ended_at=CREATED + seconds)})
    assert replay.result == '"slept"'


@pytest.mark.parametrize("seconds", [0, -1, float("-inf")])
def test_sleep_of_no_time_asks_for_nothing(seconds: float) -> None:
    async def body() -> str:
        await asyncio.sleep(seconds)
        return "on"

    assert started(body).result == '"on"'


@pytest.mark.parametrize("seconds", [float("inf"), 1e300])
def test_sleep_for_ever_is_due_at_the_end_of_the_calendar(seconds: float) -> None:
    async def body() -> None:
        await asyncio.sleep(seconds)

    replay = started(body)
    assert datetime.fromtimestamp(replay.outstanding[":timer"].due or 0, UTC).year == 9999
    replay.close()


def test_sleep_of_nan_is_refused() -> None:
    async def body() -> None:
        await asyncio.sleep(float("nan"))

    assert isinstance(started(body).error, ValueError)


def test_a_timeout_that_is_not_needed_leaves_no_command_behind() -> None:
    async def body() -> int:
        async with asyncio.timeout(60):
            await echo(1)
        return await echo(2)

    play = played(body)
    assert result(play) == "2"
    assert play.ran == ["echo", "echo#2"]


def test_a_timeout_cancels_what_it_guards() -> None:
    async def body() -> str:
        try:
            async with asyncio.timeout(60):
                await asyncio.sleep(3600)
        except TimeoutError:
            return "late"
        return "in time"

    play = played(body)
    assert result(play) == '"late"'
    assert play.now == CREATED + 60


def test_timeouts_nest_and_the_inner_one_may_be_the_shorter() -> None:
    async def body() -> str:
        try:
            async with asyncio.timeout(60):
                try:
                    async with asyncio.timeout(10):
                        await asyncio.sleep(3600)
                except TimeoutError:
                    await asyncio.sleep(3600)
        except TimeoutError:
            return str((stepfast.now() - datetime.fromtimestamp(CREATED, UTC)).total_seconds())
        return "in time"

    assert result(played(body)) == '"60.0"'


def test_a_timeout_can_be_put_off() -> None:
    async def body() -> str:
        async with asyncio.timeout(10) as limit:
            when = limit.when() or 0.0
            limit.reschedule(when + 100)
            await asyncio.sleep(50)
        return f"{limit.expired()}"

    assert result(played(body)) == '"False"'


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_timeout_of_no_time_is_over_at_the_first_wait(seconds: float) -> None:
    async def body() -> str:
        try:
            async with asyncio.timeout(seconds):
                await echo(1)
        except TimeoutError:
            return "late"
        return "in time"

    play = played(body)
    assert result(play) == '"late"'
    assert play.ran == []


def test_wait_for_gives_the_result_or_a_timeout() -> None:
    async def body() -> list[Any]:
        seen: list[Any] = [await asyncio.wait_for(echo(1), 60), await asyncio.wait_for(two_steps(), timeout=60)]
        try:
            await asyncio.wait_for(asyncio.sleep(3600), 60)
        except TimeoutError:
            seen.append("late")
        seen.append(await asyncio.wait_for(echo(3), None))
        return seen

    async def two_steps() -> int:
        return await echo(1) + await echo(1)

    play = played(body)
    assert result(play) == '[1,2,"late",3]'
    assert [id for id in play.ran if "timer" not in id] == ["echo", "echo#2", "echo#3", "echo#4"]


def test_wait_for_passes_on_a_failure() -> None:
    async def body() -> str:
        try:
            await asyncio.wait_for(boom("x"), 60)
        except stepfast.StepFailed as error:
            return error.message
        return ""

    assert result(played(body)) == '"x"'


def test_wait_for_of_no_time_raises_at_once() -> None:
    async def body() -> str:
        try:
            await asyncio.wait_for(echo(1), 0)
        except TimeoutError:
            return "late"
        return ""

    play = played(body)
    assert result(play) == '"late"'
    assert play.ran == []


def test_wait_for_outside_workflows_is_what_it_always_was() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = [await asyncio.wait_for(asyncio.sleep(0, 1), 5), await asyncio.wait_for(one(), None)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0)
        return seen

    async def one() -> int:
        return 2

    assert asyncio.run(main()) == [1, 2]


def test_timers_with_one_time_and_callback_are_told_apart() -> None:
    async def body() -> list[int]:
        loop, hits = asyncio.get_running_loop(), list[int]()

        def hit() -> None:
            hits.append(1)

        first, _second = loop.call_later(5, hit), loop.call_later(5, hit)
        first.cancel()
        await asyncio.sleep(10)
        return hits

    play = played(body)
    assert result(play) == "[1]"
    assert play.ran == [":timer#2", ":timer#3"]


def test_now_is_the_time_of_the_last_result_seen() -> None:
    async def body() -> list[float]:
        times = [stepfast.now()]
        await echo(1)
        times.append(stepfast.now())
        await asyncio.sleep(60)
        times.append(stepfast.now())
        assert all(one.tzinfo is UTC for one in times)
        return [one.timestamp() - CREATED for one in times]

    assert result(played(body)) == "[0.0,1.0,61.0]"


def test_time_never_goes_back_where_a_clock_was_slow() -> None:
    async def body() -> float:
        await asyncio.gather(echo(1), echo(2))
        return stepfast.now().timestamp()

    replay = started(body)
    ends = {"echo": CREATED + 50, "echo#2": CREATED - 50}
    records = {id: Record(id, "step", "echo", "SUCCEEDED", 0, output="1", ended_at=at) for id, at in ends.items()}
    replay.advance(records, ["echo", "echo#2"])
    assert replay.result == str(CREATED + 50)


def test_the_loops_clock_is_the_workflows() -> None:
    async def body() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        async with asyncio.timeout_at(before + 100):
            await asyncio.sleep(30)
        return loop.time() - before

    assert result(played(body)) == "30.0"


def test_a_periodic_workflow_waits_for_each_period() -> None:
    async def body() -> list[str]:
        days = []
        for _ in range(3):
            days.append(await note((stepfast.now() + timedelta(seconds=0.5)).strftime("%j")))
            await asyncio.sleep(86_400)
        return days

    assert result(played(body)) == '["318","319","320"]'
