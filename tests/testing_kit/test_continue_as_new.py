"""ContinueAsNew in both homes: the same tests in `Environment` and in `MotoCloud`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import ContinueAsNew, StepFailed, current_execution, current_step, signal, step, uuid4, workflow
from stepfast.errors import NotStorable
from stepfast.testing import Environment, MotoCloud

MINUTE = timedelta(minutes=1)


@step
def poll(turn: int) -> str:
    return current_step().idempotency_key


@step
def break_down(turn: int) -> None:
    raise RuntimeError(f"no luck in turn {turn}")


@workflow("poller")
async def poller(turn: int) -> list[str]:
    key = await poll(turn)
    await asyncio.sleep(60)
    own = [key, str(uuid4()), str(current_execution().run)]
    if turn == 4:
        return own
    raise ContinueAsNew(turn + 1)


@workflow("adder")
async def adder(total: int) -> int:
    """Adds up to three numbers in a run; 0 ends it."""
    for _ in range(3):
        number = await signal("add", int)
        if number == 0:
            return total
        total += number
    raise ContinueAsNew(total)


@workflow("racer")
async def racer(got: list[int]) -> list[int]:
    """Each run waits for a signal and a step at once, and may continue with the signal just taken by nobody."""
    if len(got) == 4:
        return got
    wait = asyncio.ensure_future(signal("go", int))
    await poll(len(got))
    if wait.done():
        raise ContinueAsNew([*got, wait.result()])
    await asyncio.sleep(1)
    raise ContinueAsNew([*got, wait.result()] if wait.done() else got)


@workflow("faulty")
async def faulty(turn: int) -> int:
    await poll(turn)
    if turn == 2:
        try:
            await break_down(turn)
        except StepFailed:
            raise
    if turn == 3:
        return turn
    raise ContinueAsNew(turn + 1)


@workflow("within-a-task")
async def within_a_task(turn: int) -> None:
    async def part() -> None:
        await poll(turn)
        raise ContinueAsNew(turn + 1)

    await asyncio.gather(part(), poll(turn))


@workflow("within-a-group")
async def within_a_group(turn: int) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(5))
        raise ContinueAsNew(turn + 1)


@workflow("too-early")
async def too_early(turn: int) -> None:
    task = asyncio.ensure_future(poll(turn))
    await asyncio.sleep(0)
    raise ContinueAsNew(turn + 1) if not task.done() else AssertionError


@workflow("of-another-type")
async def of_another_type(turn: int) -> None:
    try:
        raise ContinueAsNew("two")
    except Exception:
        await poll(turn)


@workflow("outer")
async def outer(text: str) -> None:
    await poller(4)
    await within_itself(1)


@workflow("within-itself")
async def within_itself(turn: int) -> None:
    raise ContinueAsNew(turn + 1)


@step
def confused() -> None:
    raise ContinueAsNew(2)


@workflow("confusing")
async def confusing(turn: int) -> None:
    await confused()


@workflow("careless")
async def careless(turn: int) -> int:
    if turn == 3:
        return turn
    try:
        await poll(turn)
        raise ContinueAsNew(turn + 1)
    except Exception as error:
        raise AssertionError("not to be caught") from error


WORKFLOWS = (
    poller, adder, racer, faulty, within_a_task, within_a_group, too_early, of_another_type, outer, within_itself,
    confusing, careless,
)  # fmt: skip
KITS: dict[str, Callable[..., Any]] = {"embedded": Environment, "cloud": MotoCloud}


@pytest.fixture(params=sorted(KITS))
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    with KITS[request.param](*WORKFLOWS) as kit:
        yield kit


def test_each_run_has_its_own_steps_keys_and_random_numbers(env: Any) -> None:
    run = env.start(poller, 0)
    env.advance(10 * MINUTE)
    key, drawn, number = run.result
    assert number == "5"
    assert [call.input["turn"] for call in run.calls(poll)] == [0, 1, 2, 3, 4]
    assert key.startswith(run.execution_id)
    assert len(drawn) == 36


def test_the_result_is_that_of_the_last_run_under_the_same_id(env: Any) -> None:
    run = env.start(adder, 0)
    for number in (*range(1, 9), 0):
        env.signal(run, "add", number)
    env.advance(MINUTE)
    assert run.result == sum(range(9))


def test_a_signal_that_is_sent_again_in_a_later_run_is_not_taken_again(env: Any) -> None:
    run = env.start(adder, 0)
    for _ in range(3):
        for number in range(1, 5):
            env.signal(run, "add", number, signal_id=f"number-{number}")
        env.advance(MINUTE)
    env.signal(run, "add", 0)
    env.advance(MINUTE)
    assert run.result == 10


def test_signals_in_the_moment_of_the_turn_are_neither_lost_nor_taken_twice(env: Any) -> None:
    run = env.start(racer, [])
    for number in range(4):
        env.at(timedelta(seconds=0.3 * number)).signal("go", number)
    env.advance(2 * MINUTE)
    assert run.result == [0, 1, 2, 3]


def test_a_resume_is_of_the_current_run(env: Any) -> None:
    run = env.start(faulty, 0)
    env.advance(30 * MINUTE)
    assert run.status == "FAILED"
    assert run.error.step == "break_down"
    env.fake(break_down, None)
    env.resume(run)
    env.advance(MINUTE)
    assert run.result == 3
    assert [call.input["turn"] for call in run.calls(poll)] == [0, 1, 2, 3]


def test_a_cancelled_run_stays_cancelled(env: Any) -> None:
    run = env.start(poller, 0)
    env.advance(timedelta(seconds=130))
    env.cancel(run)
    env.advance(10 * MINUTE)
    assert run.status == "CANCELLED"
    assert len(run.calls(poll)) == 3


@pytest.mark.parametrize(
    ("definition", "input", "error"),
    [
        (within_a_task, 0, r"in the task 'part', whose siblings it would leave behind"),
        (within_a_group, 0, r"inside a TaskGroup, .* after the `async with` block"),
        (too_early, 0, r"while 'poll' are outstanding, .* await them before, or cancel their tasks"),
        (of_another_type, 0, r"workflow 'of-another-type': input: Input should be a valid integer"),
        (outer, "", r"raised in 'within-itself', which 'outer' awaits as a part of itself"),
        (confusing, 0, r"a step cannot raise ContinueAsNew"),
    ],
)
def test_wrong_uses_fail_the_execution_and_say_what_to_do(env: Any, definition: Any, input: Any, error: str) -> None:
    run = env.start(definition, input)
    env.advance(10 * MINUTE)
    assert run.status == "FAILED"
    assert __import__("re").search(error, run.error.message), run.error


def test_except_exception_does_not_catch_it(env: Any) -> None:
    run = env.start(careless, 0)
    env.advance(MINUTE)
    assert run.result == 3


def test_the_constructor_checks_its_place() -> None:
    from stepfast.errors import ForbiddenInWorkflow

    with pytest.raises(ForbiddenInWorkflow, match="works only in workflow code"):
        ContinueAsNew(1)
    assert issubclass(NotStorable, Exception)
    assert not issubclass(ContinueAsNew, Exception)
