"""The process dies in the middle of a bulk job, at many moments: it acts once on each, and its report is complete."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.engine.job_operations import JobOutcome, JobRequest
from stepfast.engine.ports import Query
from stepfast.language import job_steps
from stepfast.testing import Environment
from stepfast.testing.memory import finished

COUNT, RATE = 12, 4.0
UP = {"is": False}


@step(retry=Retry(max_attempts=1))
async def charge(order: int) -> int:
    if not UP["is"]:
        raise ConnectionError("no")
    return order


@workflow("charging")
async def charging(order: int) -> int:
    return await charge(order)


@workflow("waiting")
async def waiting(order: int) -> str:
    return await signal("go", str)


class World:
    """Executions, and a job on all of them that is followed to its end."""

    def __init__(self, env: Any, definition: Any, action: str) -> None:
        self.env, self._action = env, action
        UP["is"] = False
        for number in range(COUNT):
            env.start(definition, number, execution_id=f"o{number}")
        env.advance(timedelta(seconds=5))
        UP["is"] = True

    def start(self) -> None:
        filter = {"status": "FAILED"} if self._action in ("delete", "fork") else {}
        request = JobRequest(self._action, filter=filter, rate=RATE)
        finished(self.env._stage.operations.jobs.start(request, "j"))

    def end(self) -> Any:
        for _ in range(600):
            self.env.advance(timedelta(seconds=1))
            job = finished(self.env._stage.operations.jobs.read("j"))
            if job.status != "RUNNING":
                return job
        raise AssertionError("the job does not end")

    def report(self) -> list[JobOutcome]:
        outcomes: list[JobOutcome]
        outcomes, after = finished(self.env._stage.operations.jobs.report("j", 1000))
        assert after is None
        return outcomes

    def check(self, job: Any) -> None:
        assert (job.status, job.done, job.skipped, job.failed) == ("SUCCEEDED", COUNT, 0, 0), self.report()
        assert Counter(each.execution_id for each in self.report()) == {f"o{number}": 1 for number in range(COUNT)}


MOMENTS = [number / 5 for number in range(19)]


@pytest.mark.parametrize("after", MOMENTS)
def test_a_job_that_dies_at_any_moment_leaves_nobody_out_and_acts_once(after: float) -> None:
    with Environment(charging) as env:
        world = World(env, charging, "resume")
        env.at(timedelta(seconds=after)).crash(down=timedelta(seconds=1))
        world.start()
        world.check(world.end())
        env.advance(timedelta(seconds=60))
        for number in range(COUNT):
            execution = finished(env._stage.operations.read(f"o{number}"))
            assert (execution.status, execution.resumes) == ("SUCCEEDED", 1)
    assert len(env.crashes) == 1


@pytest.mark.parametrize("step", job_steps.JOB_STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("action", ["resume", "terminate", "cancel", "pause", "close", "delete", "fork"])
def test_a_result_of_a_job_that_is_lost_is_made_again(step: Any, action: str) -> None:
    definition = waiting if action in ("terminate", "cancel", "pause") else charging
    with Environment(definition) as env:
        world = World(env, definition, action)
        env.crash(before="record", step=step, times=3)
        world.start()
        world.check(world.end())
        if action == "fork":
            held = finished(env._stage.operations.page(Query(jobs=False, limit=100))).executions
            forks = Counter(each.forked.execution_id for each in held if each.forked is not None)
            assert forks == {f"o{number}": 1 for number in range(COUNT)}
    assert len(env.crashes) == 3


def test_a_stop_that_comes_while_the_process_is_down_holds() -> None:
    with Environment(waiting) as env:
        world = World(env, waiting, "terminate")
        world.start()
        env.advance(timedelta(seconds=1))
        finished(env._stage.operations.jobs.stop("j", "enough"))
        env.at(timedelta(0)).crash(down=timedelta(hours=1))
        job = world.end()
        assert job.status == "STOPPED"
        assert job.stop["why"] == "enough"
        statuses = Counter(finished(env._stage.operations.read(f"o{number}")).status for number in range(COUNT))
        assert 0 < statuses["CANCELLED"] == job.done < COUNT
        assert job.done == sum(each.outcome == "done" for each in world.report())
