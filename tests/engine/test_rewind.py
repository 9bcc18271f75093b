"""A resume re-opens the failure and what was decided after it, and nothing else."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stepfast import StepFailed
from stepfast.model import Failure, OrderEntry, Record
from tests.engine.rewinding import call, compensating, down, failing, linear, rerun, undo
from tests.replay.driver import Choose, first, last

either_order = pytest.mark.parametrize("choose", [first, last])


@pytest.mark.parametrize(("service", "opened"), [("a", "call"), ("b", "call#2"), ("c", "call#3")])
def test_a_sequence_goes_on_from_the_step_that_failed(service: str, opened: str) -> None:
    play = failing(linear, service)
    plan = play.resume()
    assert play.opened == [opened]
    assert (plan.execution.status, plan.execution.error, plan.execution.causes) == ("RUNNING", None, ())
    assert plan.execution.ended_at is None
    ran = rerun(play)
    assert ran[0] == opened
    assert play.execution.result == "3"
    assert play.execution.generation == 1


def test_a_resume_cuts_a_log_that_is_empty_too() -> None:
    """An advance of the generation before may be about to append the first entry."""
    assert failing(linear, "b").resume().cut == OrderEntry(0, 1, cut=0)


def test_compensation_is_opened_again_with_the_failure() -> None:
    play = failing(compensating, "c")
    play.resume()
    assert set(play.opened) == {"call#3", "undo", "undo#2"}
    assert rerun(play) == ["call#3"]
    assert play.execution.result == "2"


def test_compensation_runs_again_when_it_fails_again_also_with_other_arguments() -> None:
    async def body() -> int:
        try:
            return await call("a", await call("b"))
        except StepFailed as error:
            await undo(error.message)
            raise

    play = failing(body, "a")
    play.resume()
    down.add("a")
    assert play.records["undo"].status == "OPEN"
    play.records["call#2"] = replace(
        play.records["call#2"], status="FAILED", attempt=1, error=Failure("X", "another reason"), ended_at=play.now
    )
    play.run()
    assert play.ran == ["undo"]
    assert play.records["undo"].output == '"undone another reason"'


async def parallel_compensation() -> int:
    try:
        return await call("a")
    except StepFailed:
        await asyncio.gather(undo("x"), undo("y"), undo("z"))
        raise


@either_order
def test_an_order_decided_in_compensation_is_forgotten(choose: Choose) -> None:
    play = failing(parallel_compensation, "a", choose=choose)
    assert len(play.applied) == 2
    plan = play.resume()
    assert plan.cut is not None
    assert plan.cut.cut == 0
    assert rerun(play, choose) == ["call"]
    assert play.execution.result == "1"


@either_order
def test_the_order_after_the_failure_is_decided_anew(choose: Choose) -> None:
    async def body() -> int:
        try:
            await call("a")
        except StepFailed:
            await asyncio.gather(undo("x"), undo("y"))
            raise
        return sum(await asyncio.gather(call("b"), call("c"), undo_length("z")))

    async def undo_length(what: str) -> int:
        return len(await undo(what))

    play = failing(body, "a", choose=choose)
    play.resume()
    rerun(play, choose)
    assert play.execution.error is None
    assert play.execution.result == "10"


async def siblings() -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(name, number)) for number, name in enumerate("abcd")]
    return [task.result() for task in tasks]


@pytest.mark.parametrize("order", ["abcd", "dcba", "badc", "cabd"])
def test_siblings_that_succeeded_stay_and_those_that_failed_are_opened(order: str) -> None:
    play = failing(siblings, "b", "d", choose=lambda ready: min(ready, key=lambda one: order.index(_service(one))))
    before = {id for id, one in play.records.items() if one.status == "SUCCEEDED"}
    play.resume()
    assert not before & set(play.opened)
    assert {id for id, one in play.records.items() if one.status == "OPEN"} == set(play.opened)
    assert before.isdisjoint(rerun(play))
    assert play.execution.result == "[1,2,3,4]"


def _service(command: Any) -> str:
    return next(one for one in "abcd" if f'"{one}"' in command.input)


def test_siblings_that_fail_after_the_failure_are_opened_with_it() -> None:
    play = failing(siblings, "a", "c")
    late = Record(
        "call#3", "step", "call", "FAILED", 0, error=Failure("ConnectionError", "late"), ended_at=play.now + 5
    )
    play.records["call#3"] = late
    play.resume()
    assert set(play.opened) >= {"call", "call#3"}
    rerun(play)
    assert play.execution.result == "[1,2,3,4]"


def test_a_sibling_that_still_runs_is_left_to_its_worker() -> None:
    play = failing(siblings, "a")
    running = Record("call#2", "step", "call", "RUNNING", 0, revision=3, attempt=1, token="t", lease=9e9)
    play.records["call#2"] = running
    play.resume()
    assert "call#2" not in play.opened


def test_a_handled_failure_stays_handled() -> None:
    async def body() -> list[str]:
        seen = []
        try:
            await call("a")
        except StepFailed as error:
            seen.append(error.message)
        seen.append(str(await call("b")))
        return seen

    play = failing(body, "a", "b")
    play.resume()
    assert play.opened == ["call#2"]
    assert rerun(play) == ["call#2"]
    assert play.execution.result == '["a is down","1"]'


def raised(kind: str) -> Any:
    async def body() -> int:
        try:
            await call("a")
            return await call("b")
        except StepFailed as error:
            if kind == "cause":
                raise ValueError("no order today") from error
            if kind == "context":
                raise ValueError("no order today")  # noqa: B904
            if kind == "hidden":
                raise ValueError("no order today") from None
            if kind == "group":
                raise ExceptionGroup("several", [KeyError("x"), error]) from None
            raise ExceptionGroup("outer", [ExceptionGroup("inner", [ValueError("x")])]) from error

    return body


@pytest.mark.parametrize("kind", ["cause", "context", "hidden", "group"])
def test_the_failure_is_found_behind_what_the_workflow_raised(kind: str) -> None:
    play = failing(raised(kind), "b")
    assert play.execution.causes == ("call#2",)
    play.resume()
    assert play.opened == ["call#2"]
    assert rerun(play) == ["call#2"]
    assert play.execution.result == "1"


def test_all_failures_of_a_group_are_opened() -> None:
    async def body() -> list[int]:
        results = await asyncio.gather(*(call(one) for one in "abc"), return_exceptions=True)
        failures = [one for one in results if isinstance(one, Exception)]
        if failures:
            raise ExceptionGroup("some are down", failures)
        return [one for one in results if isinstance(one, int)]

    play = failing(body, "a", "c")
    play.resume()
    assert sorted(play.opened) == ["call", "call#3"]
    assert sorted(rerun(play)) == ["call", "call#3"]
    assert play.execution.result == "[1,1,1]"


def test_a_failure_in_compensation_goes_on_in_the_compensation() -> None:
    async def body() -> None:
        try:
            await call("a")
        except StepFailed:
            await undo("x")
            await call("b")
            raise

    play = failing(body, "a", "b")
    play.resume()
    assert play.opened == ["call#2"]
    down.remove("b")
    play.run()
    assert play.ran == ["call#2"]
    assert play.execution.causes == ("call",)
