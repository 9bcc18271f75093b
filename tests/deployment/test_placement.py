"""Steps that a deployment cannot run: refused before it is made, or failed at once with what to do."""

import functools
import logging
from pathlib import Path
from typing import Any

import pytest

import stepfast
import stepfast.local.dev as embedded
from stepfast import Retry, step, workflow
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.errors import StartupError
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.testing import MotoCloud

ONCE = Retry(max_attempts=1)


def make(name: str, **options: Any) -> Step[..., Any]:
    def work(n: int) -> int:
        return n + 1

    made: Step[..., Any] = step(name=name, retry=ONCE, **options)(work)
    return made


HIDDEN: list[Any] = []
"""Steps that no code names: they come by a name that is only known when the workflow runs."""


def far() -> Any:
    return eval("HIDDEN[0]", globals())


@workflow("asks-for-a-hidden-step")
async def asks(n: int) -> int:
    return int(await far()(n))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pool": "gpu"}, "step 'hidden' is not in this deployment: its pool 'gpu' has no queue there"),
        ({"timeout": 600}, "its timeout is 600 s, and the function of pool 'default' ends after"),
    ],
)
def test_a_step_that_the_deployment_cannot_run_fails_its_execution_at_once(options: Any, said: str) -> None:
    HIDDEN[:] = [make("hidden", **options)]
    with MotoCloud(asks) as cloud:
        began = cloud.now
        run = cloud.run(asks, 1)
        assert run.error is not None
        assert (run.status, run.error.type) == ("FAILED", "StepNotDeployed")
        assert said in run.error.message
        assert "resume this execution" in run.error.message
        assert (cloud.now - began).total_seconds() < 60
        HIDDEN[:] = [make("hidden", timeout=50)]
        cloud.deploy(asks)
        cloud.resume(run)
        assert cloud.run_until(run).result == 2


def test_a_step_that_fits_runs_though_nobody_saw_it() -> None:
    HIDDEN[:] = [make("hidden", timeout=50)]
    with MotoCloud(asks) as cloud:
        assert cloud.run(asks, 1).result == 2


# -- what is seen -------------------------------------------------------------------------------------------

SLOW = make("slow", pool="slow", timeout=700)


def closes_over() -> Any:
    inner = make("inner", pool="closed", timeout=650)

    @workflow("closes-over")
    async def flow(n: int) -> int:
        return int(await inner(n))

    return flow


@workflow("names-it")
async def names_it(n: int) -> int:
    return int(await SLOW(n))


def test_pools_and_timeouts_of_steps_that_were_made_in_a_function_are_planned_for() -> None:
    plan = Plan.of(Registry([names_it, closes_over()]))
    assert sorted(plan.pools) == ["closed", "default", "slow"]
    assert plan.pool_timeouts["slow"] > 700
    assert plan.pool_timeouts["closed"] > 650


def test_such_steps_run_on_their_pools_for_as_long_as_they_may() -> None:
    flow = closes_over()
    with MotoCloud(names_it, flow) as cloud:
        assert cloud.run(names_it, 1).result == 2
        assert cloud.run(flow, 1).result == 2


@workflow("makes-one")
async def makes_one(n: int) -> int:
    @step
    def inner(n: int) -> int:
        return n

    return int(await inner(n))


@workflow("calls-a-maker")
async def calls_a_maker(n: int) -> int:
    return int(await make("late", pool="late")(n))


in_pool = functools.partial(step, pool="late")


@workflow("calls-a-partial")
async def calls_a_partial(n: int) -> int:
    return int(await in_pool(lambda n: n)(n))


@workflow("calls-by-module")
async def calls_by_module(n: int) -> int:
    return int(await stepfast.step(name="late")(lambda n: n)(n))


@workflow("imports-it")
async def imports_it(n: int) -> int:
    from stepfast import step as late

    return int(await late(name="late")(lambda n: n)(n))


@pytest.mark.parametrize("flow", [makes_one, calls_a_maker, calls_a_partial, calls_by_module, imports_it])
def test_a_step_that_is_made_while_the_workflow_runs_is_refused_before_the_deployment(flow: Any) -> None:
    with pytest.raises(StartupError, match="makes a step while it runs, in .*: .*Make the step once, at the top level"):
        Plan.of(Registry([flow]), Project())
    with pytest.raises(StartupError, match="makes a step while it runs"):
        MotoCloud(flow)


class Toolbox:
    known = make("known")

    @classmethod
    def register(cls, name: str) -> Any:
        return step(name=name)(lambda n: n)

    async def run(self, n: int) -> int:
        return int(await self.known(n))


@workflow("uses-a-toolbox")
async def uses_a_toolbox(n: int) -> int:
    return await Toolbox().run(n)


def test_a_method_that_makes_steps_and_is_not_called_is_nothing_wrong() -> None:
    plan = Plan.of(Registry([uses_a_toolbox]))
    assert plan.pools["default"].steps == ("known",)


@workflow("awaits-a-maker")
async def awaits_a_maker(n: int) -> int:
    return await makes_one(n)


def test_a_step_that_is_made_in_an_awaited_workflow_is_refused_too() -> None:
    with pytest.raises(StartupError, match="workflow 'awaits-a-maker' makes a step while it runs"):
        Plan.of(Registry([awaits_a_maker]))


def test_a_step_that_is_too_long_for_any_function_is_refused_wherever_it_is_found() -> None:
    too_long = make("too-long", timeout=3600)

    @workflow("too-long-flow")
    async def flow(n: int) -> int:
        return int(await too_long(n))

    with pytest.raises(StartupError, match="step 'too-long' in pool 'default' has a timeout of 3600 s"):
        Plan.of(Registry([flow]))


# -- the embedded runtime, which runs what a deployment could not ------------------------------------------


def warnings_of(caplog: pytest.LogCaptureFixture, flow: Any, path: Path) -> list[str]:
    with caplog.at_level(logging.WARNING, "stepfast.local.dev"):
        embedded.check(Registry([flow]), path)
    return [record.getMessage() for record in caplog.records]


def test_dev_warns_of_a_step_that_no_deployment_could_run(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (warning,) = warnings_of(caplog, makes_one, tmp_path)
    assert warning.startswith("this runs here, and could not be deployed to AWS: workflow 'makes-one' makes a step")


def test_dev_is_silent_where_nothing_is_wrong(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    assert warnings_of(caplog, names_it, tmp_path) == []


def test_dev_refuses_a_step_from_elsewhere_whose_types_have_no_json_form(tmp_path: Path) -> None:
    @step
    def broken(file: open) -> int:  # type: ignore[valid-type]
        return 1

    @workflow("uses-broken")
    async def flow(n: int) -> int:
        return int(await broken(n))

    with pytest.raises(StartupError, match="step 'broken': argument 'file'"):
        embedded.check(Registry([flow]), tmp_path)
