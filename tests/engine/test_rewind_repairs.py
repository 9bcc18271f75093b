"""Resumes after bugs, with mended code, after timeouts; and what of the past is kept."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stepfast import StepFailed, signal, workflow
from stepfast.model import Failure
from tests.engine.rewinding import call, compensating, down, failing, linear, rerun, undo


async def buggy() -> int:
    total = await call("a") + await call("b")
    raise KeyError(total)


def test_a_bug_in_workflow_code_opens_nothing() -> None:
    play = failing(buggy)
    plan = play.resume()
    assert plan.records == ()
    assert plan.execution.status == "RUNNING"


def test_mended_code_goes_on_after_the_last_recorded_step() -> None:
    async def mended() -> int:
        return await call("a") + await call("b") + await call("c")

    play = failing(buggy)
    play.resume(workflow("w")(mended))
    assert rerun(play) == ["call#3"]
    assert play.execution.result == "3"


def test_code_that_is_broken_by_now_loses_no_result() -> None:
    async def broken() -> int:
        raise NameError("a typo in the first line")

    play = failing(compensating, "c")
    recorded = {id: one for id, one in play.records.items() if one.status == "SUCCEEDED"}
    play.resume(workflow("w")(broken))
    assert play.opened == ["call#3"]
    play.run()
    assert play.execution.error is not None
    assert play.execution.error.type == "NameError"
    assert {id: play.records[id] for id in recorded} == recorded
    play.resume(workflow("w")(compensating))
    assert rerun(play) == ["call#3"]
    assert play.execution.result == "2"


def test_code_that_asks_for_something_else_loses_no_result() -> None:
    async def changed() -> int:
        return await call("z", 99)

    play = failing(linear, "c")
    recorded = dict(play.records)
    play.resume(workflow("w")(changed))
    play.run()
    assert play.execution.error is not None
    assert play.execution.error.type == "NonDeterministic"
    play.resume(workflow("w")(linear))
    assert {id: play.records[id] for id in ("call", "call#2")} == {id: recorded[id] for id in ("call", "call#2")}
    assert rerun(play) == ["call#3"]


def test_a_handled_failure_stays_also_when_code_breaks_before_it() -> None:
    async def body() -> int:
        try:
            await call("a")
        except StepFailed:
            pass
        return await call("b")

    async def broken() -> int:
        raise NameError

    play = failing(body, "a", "b")
    play.resume(workflow("w")(broken))
    assert play.opened == ["call#2"]


# -- timeouts --------------------------------------------------------------------------------------------


async def awaiting_approval() -> str:
    await call("a")
    async with asyncio.timeout(3 * 86_400):
        return str(await signal("approved"))


def test_a_timed_out_wait_waits_its_whole_time_again() -> None:
    play = failing(awaiting_approval)
    assert play.execution.causes == (":timer",)
    play.resume()
    assert play.opened == [":timer"]
    assert play.records[":timer"].due == play.now + 3 * 86_400
    replay = play.replay()
    assert replay.outstanding[":timer"].due == play.now + 3 * 86_400
    assert set(replay.outstanding) == {":timer", "signal:approved"}


def test_a_signal_that_comes_after_the_resume_is_in_time() -> None:
    play = failing(awaiting_approval)
    play.resume()
    play._signals["approved"] = ['"yes"']
    assert rerun(play) == ["signal:approved"]
    assert play.execution.result == '"yes"'


def cleaning_up(kind: str) -> Any:
    async def body() -> str:
        await asyncio.sleep(60)
        try:
            if kind == "signal":
                return str(await signal("approved", timeout=3600))
            if kind == "wait_for":
                return str(await asyncio.wait_for(signal("approved"), 3600))
            async with asyncio.timeout(3600), asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(7200))
                return str(await signal("approved"))
        except TimeoutError as error:
            await undo("the order")
            if kind == "wait_for":
                raise RuntimeError("nobody approved") from error
            raise

    return body


@pytest.mark.parametrize("kind", ["signal", "wait_for", "group"])
def test_a_timeout_is_found_behind_the_clearing_up_after_it(kind: str) -> None:
    play = failing(cleaning_up(kind))
    [timer] = play.execution.causes
    assert play.records[timer].kind == "timer"
    play.resume()
    assert set(play.opened) == {timer, "undo"}
    assert play.records[timer].due == play.now + 3600
    play._signals["approved"] = ['"yes"']
    assert rerun(play)[0] == "signal:approved"
    assert play.execution.result == '"yes"'


def test_a_timeout_dealt_with_earlier_is_not_the_failure() -> None:
    async def body() -> int:
        try:
            await signal("go", timeout=60)
        except TimeoutError:
            await undo("it")
        await call("a")
        raise TimeoutError("a word of the workflow's own")

    play = failing(body)
    assert play.execution.causes == ()
    assert play.resume().records == ()


def test_a_timeout_of_as_completed_is_found() -> None:
    async def body() -> list[Any]:
        return [await one for one in asyncio.as_completed([asyncio.sleep(3600), signal("go")], timeout=60)]

    play = failing(body)
    [timer] = play.execution.causes
    play.resume()
    assert play.opened == [timer]


# -- history ---------------------------------------------------------------------------------------------


def test_what_is_overwritten_is_kept_in_the_history() -> None:
    play = failing(compensating, "c")
    plan = play.resume()
    told = [(one.type, one.command) for one in plan.history]
    assert ("step-failed", "call#3") in told
    assert ("step-succeeded", "undo") in told
    assert ("step-succeeded", "undo#2") in told
    assert [command for type, command in told if type == "command-reopened"] == play.opened
    assert told[-2:] == [("execution-failed", None), ("execution-resumed", None)]
    failed, resumed = plan.history[-2:]
    assert failed.details["generation"] == 0
    error: Any = failed.details["error"]
    assert (error["type"], error["step"]) == ("ConnectionError", "call")
    assert resumed.details == {"generation": 1}
    assert resumed.at == play.now


def test_a_record_opened_before_and_not_run_since_leaves_no_second_trace() -> None:
    play = failing(compensating, "c")
    play.resume()
    down.add("c")
    play.execution = replace(play.execution, status="FAILED", error=Failure("X", ""), causes=(), ended_at=play.now)
    plan = play.resume()
    assert [one.type for one in plan.history] == ["execution-failed", "execution-resumed"]


def test_resumes_can_be_repeated_until_it_works() -> None:
    play = failing(compensating, "c")
    for generation in (1, 2, 3):
        play.resume()
        down.add("c")
        play.ran.clear()
        play.run()
        assert play.ran == ["call#3", "undo", "undo#2"]
        assert play.execution.generation == generation
    play.resume()
    assert rerun(play) == ["call#3"]


def test_causes_that_are_not_recorded_are_passed_over() -> None:
    play = failing(linear, "c")
    play.execution = replace(play.execution, causes=("call#3", "gone"))
    play.resume()
    assert play.opened == ["call#3"]
