"""A resume runs again what failed, however the failure was raised; and the step that the operator names. Both homes."""

from collections.abc import Callable
from typing import Any

import pytest

from stepfast import signal, step, workflow
from stepfast.errors import InvalidRequest
from stepfast.testing import Environment, MotoCloud
from tests.cloud.resume_shapes import SHAPES, Shape, bad, good, tell

World = Callable[..., Any]
both_homes = pytest.mark.parametrize("world", [Environment, MotoCloud])


@both_homes
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_one_resume_heals_what_failed_steps_have_caused(world: World, shape: Shape) -> None:
    flow = workflow(shape.__name__)(shape)
    with world(flow) as env:
        run = env.run(flow)
        assert run.status == "FAILED"
        failed = [call.step_id for call in run.calls(bad)]
        assert set(run.reopens) <= set(failed)
        assert run.reopens
        env.fake(bad, 1)
        env.resume(run)
        run = env.run_until(run)
        assert (run.status, run.result) == ("SUCCEEDED", 1)
        assert [call.step_id for call in run.calls(bad)] == failed * 2
        assert len(run.calls(good)) <= 1


@both_homes
def test_what_goes_on_failing_can_be_resumed_again_and_again(world: World) -> None:
    async def shape() -> object:  # a function of its own: one that is a workflow already takes no other name
        return await SHAPES[4]()

    flow = workflow("told-and-raised")(shape)
    with world(flow) as env:
        run = env.run(flow)
        for tries in (2, 3, 4):
            env.resume(run)
            run = env.run_until(run)
            assert run.status == "FAILED"
            assert len(run.calls(bad)) == len(run.calls(tell)) == tries


@step
async def parsed(text: str) -> int:
    return 0


@step
async def charged(amount: int) -> int:
    return amount


@workflow("no-step-behind")
async def no_step_behind() -> int:
    amount = await parsed("7")
    await charged(5)
    if not amount:
        raise ValueError("nothing to pay")
    return amount


@both_homes
def test_a_failure_that_no_step_stands_behind_says_so_and_the_step_can_be_named(world: World) -> None:
    with world(no_step_behind) as env:
        run = env.run(no_step_behind)
        assert (run.status, run.reopens) == ("FAILED", ())
        env.resume(run)
        run = env.run_until(run)
        assert run.status == "FAILED"
        assert len(run.calls(parsed)) == 1
        env.fake(parsed, 7)
        env.resume(run, steps=["parsed"])
        run = env.run_until(run)
        assert run.result == 7
        assert len(run.calls(parsed)) == 2
        assert len(run.calls(charged)) == 2  # it was decided after what ran again


@workflow("handled-then-bug")
async def handled_then_bug() -> int:
    try:
        await bad(1)
    except Exception:
        pass
    await charged(5)
    return await signal("go", int) // (len(BUG) - 1)


BUG = ["bug"]


@both_homes
def test_no_step_runs_again_where_the_operator_says_so(world: World) -> None:
    with world(handled_then_bug) as env:
        run = env.start(handled_then_bug)
        env.signal(run, "go", 5)
        run = env.run_until(run)
        assert (run.error.type, run.reopens) == ("ZeroDivisionError", ("bad",))
        BUG.append("mended")
        try:
            env.resume(run, steps=[])
            run = env.run_until(run)
        finally:
            BUG.remove("mended")
        assert run.result == 5
        assert (len(run.calls(bad)), len(run.calls(charged))) == (1, 1)


@both_homes
@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["nope"], "has no command 'nope'; `stepfast show` lists them"),
        (["bad", "x/charged"], "of that name there are charged"),
        (["signal:go"], "would take the same one again"),
    ],
)
def test_a_command_that_cannot_run_again_is_refused_and_nothing_is_written(
    world: World, steps: list[str], said: str
) -> None:
    with world(handled_then_bug) as env:
        run = env.start(handled_then_bug)
        env.signal(run, "go", 5)
        run = env.run_until(run)
        with pytest.raises(InvalidRequest, match=said):
            env.resume(run, steps=steps)
        assert (run.status, run.generation) == ("FAILED", 0)
