"""step.options() at the call, tries without end, sleep and current_execution, in both homes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepfast import Retry, StepFailed, current_execution, current_step, sleep, step, workflow
from stepfast.deployment.plan import Plan
from stepfast.errors import DefinitionError, ForbiddenInWorkflow
from stepfast.language.reachable import reached_by
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud

HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])


@step(retry=Retry(max_attempts=2, jitter="none"), timeout=100)
async def ask(who: str) -> str:
    """Fails until its fifth try, and tells how long it may take."""
    if current_step().attempt < 5:
        raise ConnectionError("no answer")
    return f"{who} {round((current_step().deadline - datetime.now(UTC)).total_seconds()) < 100}"


PATIENT = ask.options(
    retry=Retry(
        max_attempts=None, initial=timedelta(minutes=10), max_delay=timedelta(minutes=10), jitter="none", backoff=1
    )
)


@workflow("patient")
async def patient(who: str) -> list[Any]:
    told: list[Any] = []
    try:
        await ask(who)
    except StepFailed as failed:
        told.append([failed.step, failed.attempts])
    told.append(bool(await PATIENT(who)))
    told.append(bool(await ask.options(retry=Retry(max_attempts=None, jitter="none"), name="ask-again")(who)))
    return told


@HOMES
def test_a_call_has_its_own_policy_and_its_own_name(home: Any) -> None:
    with home(patient) as env:
        began = env.now
        run = env.run(patient, "bank")
        assert run.result == [["ask", 2], True, True]
        assert env.now - began > timedelta(minutes=40)
        assert [(one.step, one.step_id, one.attempt) for one in run.steps if one.attempt in (2, 5)] == [
            ("ask", "ask", 2),
            ("ask", "ask#2", 2),
            ("ask", "ask#2", 5),
            ("ask-again", "ask-again", 2),
            ("ask-again", "ask-again", 5),
        ]


def test_the_step_itself_stays_as_it_is() -> None:
    changed = ask.options(timeout=timedelta(minutes=5), heartbeat=5, name="other")
    assert (changed.name, changed.timeout, changed.heartbeat, changed.retry) == ("other", 300.0, 5.0, ask.retry)
    assert (ask.name, ask.timeout, ask.heartbeat) == ("ask", 100.0, None)
    assert changed.options(heartbeat=None, timeout=1).declared is ask
    assert changed.result is ask.result
    assert changed.__name__ == "other"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pool": "gpu"}, "not pool; a call cannot change pool, by which a deployment was planned: make a second step"),
        ({"at_most_once": True}, "a call cannot change at_most_once"),
        ({"retries": 3}, "takes retry, timeout, heartbeat and name, not retries; that is no option of a step"),
        ({"timeout": 0}, "step 'ask': timeout is a number of seconds above 0 or a timedelta, not 0"),
        ({"timeout": None}, "timeout is a number of seconds above 0"),
        ({"heartbeat": "5"}, "heartbeat is a number of seconds above 0"),
        ({"retry": 3}, "retry takes a Retry, not 3"),
        ({"retry": None}, "retry takes a Retry, not None"),
        ({"name": "a b"}, "a step name is 1 to 64 of"),
        ({"name": None}, "a step name is 1 to 64 of"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        ask.options(**options)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@workflow("too-long")
async def too_long(seconds: float) -> str:
    return await ask.options(timeout=seconds)("bank")


def test_on_aws_a_timeout_that_its_pool_has_no_time_for_fails_at_once_and_says_what_to_do() -> None:
    with MotoCloud(too_long) as cloud:
        cloud.fake(ask, "yes")
        began = cloud.now
        run = cloud.run(too_long, 800)
        assert run.error is not None
        assert (run.status, run.error.type) == ("FAILED", "StepNotDeployed")
        assert "step 'ask' is called with options(timeout=800), and the function of pool 'default' ends after" in (
            run.error.message
        )
        assert "[tool.stepfast.pools.default]" in run.error.message
        assert cloud.now - began < timedelta(minutes=1)
        assert cloud.run(too_long, 150).result == "yes"


def test_embedded_the_same_timeout_simply_holds() -> None:
    with Environment(too_long) as env:
        env.fake(ask, "yes", takes=timedelta(seconds=700))
        assert env.run(too_long, 800).result == "yes"
        env.fake(ask, "yes", takes=timedelta(seconds=900))
        assert env.run(too_long, 800, execution_id="second").status == "FAILED"


def test_a_step_with_options_that_is_made_beforehand_is_planned_for() -> None:
    long = ask.options(timeout=800)

    @workflow("planned")
    async def planned() -> str:
        return await long("bank")

    assert Plan.of(Registry([planned])).pool_timeouts["default"] > 800
    assert [*reached_by(planned).steps] == [long]
    assert [*reached_by(too_long).steps] == [ask]
    with MotoCloud(planned) as cloud:
        cloud.fake(ask, "yes", takes=timedelta(seconds=700))
        assert cloud.run(planned).result == "yes"


def test_a_fake_stands_in_for_calls_under_another_name_too() -> None:
    with Environment(patient) as env:
        env.fake(ask, "faked")
        run = env.run(patient, "bank")
        assert run.result == [True, True]
        assert [one.output for one in run.steps] == ["faked"] * 3


def test_outside_a_workflow_it_is_its_function() -> None:
    @step
    def double(n: int) -> int:
        return 2 * n

    assert double.options(timeout=5)(4) == 8


# -- changed while it is in flight ------------------------------------------------------------------------


def test_a_policy_may_be_changed_while_the_step_waits_for_its_next_try() -> None:
    policy = [Retry(max_attempts=None, initial=3600, max_delay=3600, backoff=1, jitter="none")]

    @workflow("changing")
    async def changing() -> str:
        return await ask.options(retry=policy[0])("bank")

    with Environment(changing) as env:
        run = env.start(changing)
        env.advance(timedelta(minutes=90))
        policy[0] = Retry(max_attempts=3, jitter="none")
        env.crash(before="claim")
        assert env.run_until(run).status == "FAILED"
        assert run.calls(ask)[-1].attempt == 3
        policy[0] = Retry(max_attempts=None)
        env.resume(run)
        assert env.run_until(run).status == "SUCCEEDED"


# -- sleep and current_execution ----------------------------------------------------------------------------


@workflow("sleeps")
async def sleeps(seconds: float) -> dict[str, Any]:
    me = current_execution()
    await sleep(timedelta(seconds=seconds))
    await sleep(seconds)
    await sleep(-seconds)
    again = current_execution()
    assert again == me
    return {
        "id": me.execution_id,
        "workflow": me.workflow,
        "labels": dict(me.labels),
        "generation": me.generation,
        "started_at": me.started_at.isoformat(),
    }


@HOMES
def test_sleep_is_a_durable_timer_and_the_execution_knows_itself(home: Any) -> None:
    with home(sleeps) as env:
        began = env.now
        run = env.run(sleeps, 1800, execution_id="me", labels={"team": "b"})
        told = run.result
        assert (told["id"], told["workflow"], told["labels"]) == ("me", "sleeps", {"team": "b"})
        assert told["generation"] == 0
        assert abs(datetime.fromisoformat(told["started_at"]) - began) < timedelta(seconds=5)
        assert timedelta(hours=1) <= env.now - began < timedelta(hours=1, minutes=1)


@workflow("tries-again")
async def tries_again() -> int:
    await ask("bank")
    return current_execution().generation


@HOMES
def test_the_generation_counts_resumes(home: Any) -> None:
    with home(tries_again) as env:
        env.fail(ask, times=2)
        run = env.run(tries_again)
        assert run.status == "FAILED"
        env.fake(ask, "yes")
        env.resume(run)
        assert env.run_until(run).result == 1


@pytest.mark.parametrize("bad", ["1", None, True, float("nan")])
def test_sleep_refuses_what_is_no_time(bad: Any) -> None:
    with pytest.raises(DefinitionError, match=r"sleep\(\) takes a number of seconds or a timedelta"):
        asyncio.run(sleep(bad))


def test_outside_a_workflow_sleep_is_asyncios_own() -> None:
    asyncio.run(sleep(timedelta(microseconds=1)))


def test_outside_a_workflow_there_is_no_execution() -> None:
    with pytest.raises(ForbiddenInWorkflow, match=r"works only in workflow code.*in a step, current_step\(\)"):
        current_execution()
