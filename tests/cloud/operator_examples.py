"""What operators do, to be explored: cancels that clean up, bulk jobs, forks with children, values that code shows.

The embedded twin plays the same with `Environment`.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from stepfast import Retry, child, set_labels, set_status, signal, step, workflow
from stepfast.engine.forking import ForkRequest
from stepfast.engine.job_operations import JobRequest
from stepfast.errors import Unavailable, WrongStatus
from stepfast.language.workflows import Workflow
from stepfast.testing import MotoCloud
from stepfast.testing.memory import finished
from stepfast.testing.runs import Run
from tests.cloud.clients import TRIES
from tests.cloud.exploration import Example

UP = {"is": False}
CROWD = 3
JOB = {"action": "resume", "filter": {}, "job_id": "job", "rate": 20}


@step
async def book(number: int) -> int:
    return number


@step
async def refund(number: int) -> int:
    return number


@step(retry=Retry(max_attempts=1))
async def charge(number: int) -> int:
    if not UP["is"]:
        raise ConnectionError("down")
    return number


@workflow("cleaning")
async def cleaning(number: int) -> str:
    """Takes back what it has booked when it is cancelled."""
    booked = [await book(number), await book(number + 1)]
    try:
        return await signal("answer", str)
    finally:
        for each in reversed(booked):
            await refund(each)


@workflow("showing")
async def showing(number: int) -> int:
    set_labels(team="a", stage="first")
    total = 0
    for one in asyncio.as_completed([book(number + index) for index in range(3)]):
        total += await one
        set_status(total)
    set_labels(stage="last")
    total += await book(total)
    set_status("done")
    return total


@workflow("billing")
async def billing(number: int) -> int:
    return await charge(number)


@workflow("below")
async def below(number: int) -> int:
    return await book(number)


@workflow("above")
async def above(number: int) -> int:
    kids = await asyncio.gather(child(below, number), child(below, number + 1))
    return await charge(sum(kids))


def _nothing(cloud: MotoCloud) -> None:
    UP["is"] = False


def asked(kit: Any, method: str, path: str, body: Any = None) -> Any:
    """Asks the API again and again while it does not answer, as clients do."""
    for _ in range(TRIES):
        try:
            answer = kit.request(method, path, body)
        except Unavailable:
            answer = None
        if answer is not None and answer.status < 500:
            return json.loads(answer.body)
        kit.advance(timedelta(seconds=1))
    raise AssertionError("the API does not answer")


def _until(kit: Any, is_so: Any, what: str) -> None:
    for _ in range(40):
        if is_so():
            return
        kit.advance(timedelta(seconds=20))
    raise AssertionError(what)


def cancelled(kit: Any, run: Run[Any]) -> None:
    _until(kit, lambda: len(run.steps) >= 2 and run.status == "RUNNING", "it does not run")
    kit.advance(timedelta(seconds=5))
    for _ in range(TRIES):
        try:
            kit.cancel(run)
            break
        except Unavailable:
            continue
        except WrongStatus:
            break
    kit.run_until(run)


def resumed_by_a_job(kit: Any, run: Run[Any]) -> None:
    others = [_started(kit, billing, number, f"other{number}") for number in range(CROWD)]
    runs = [run, *others]
    _until(kit, lambda: {each.status for each in runs} == {"FAILED"}, "they do not fail")
    UP["is"] = True
    _start_job(kit)
    _until(kit, lambda: {each.status for each in runs} == {"SUCCEEDED"}, "they are not resumed")
    _until(kit, lambda: _job(kit) is not None, "the job does not end")
    assert _job(kit) == (CROWD + 1, 0, 0), _job(kit)


def _started(kit: Any, definition: Workflow[..., Any], number: int, id: str) -> Run[Any]:
    for _ in range(TRIES):
        try:
            run: Run[Any] = kit.start(definition, number, id)
            return run
        except Unavailable:
            kit.advance(timedelta(seconds=1))
    raise AssertionError("the API does not answer")


def _start_job(kit: Any) -> None:
    if isinstance(kit, MotoCloud):
        asked(kit, "POST", "/v1/jobs", JOB)
    else:
        finished(kit._stage.operations.jobs.start(JobRequest("resume", filter={}, rate=20), "job"))


def _job(kit: Any) -> tuple[int, int, int] | None:
    """What has come of the job, once it has ended."""
    if isinstance(kit, MotoCloud):
        held = asked(kit, "GET", "/v1/jobs/job")
        return (held["done"], held["skipped"], held["failed"]) if held["status"] == "SUCCEEDED" else None
    state = finished(kit._stage.operations.jobs.read("job"))
    return (state.done, state.skipped, state.failed) if state.status == "SUCCEEDED" else None


def forked(kit: Any, run: Run[Any]) -> None:
    _until(kit, lambda: run.status == "FAILED", "it does not fail")
    UP["is"] = True
    if isinstance(kit, MotoCloud):
        asked(kit, "POST", f"/v1/executions/{run.execution_id}/fork", {"execution_id": "fork", "children": "copy"})
    else:
        finished(kit._stage.operations.fork(run.execution_id, ForkRequest("fork", children="copy")))
    _until(kit, lambda: _read(kit, "fork").status == "SUCCEEDED", "the fork does not end")


def _read(kit: Any, id: str) -> Any:
    return finished(kit._stage.state.reading.store.read(id))


def _steps(run: Run[Any], folder: Path) -> Any:
    return sorted({one.step for one in run.steps})


def _value(run: Run[Any], folder: Path) -> Any:
    return run.result


def _origin(run: Run[Any], folder: Path) -> Any:
    """A fork leaves its origin as it was."""
    return run.status, sorted({one.step for one in run.steps})


def _ended(cloud: Any, run: Run[Any]) -> None:
    cloud.run_until(run)
    held = _read(cloud, run.execution_id)
    assert (dict(held.labels), held.shown.partition(" ")[2]) == ({"team": "a", "stage": "last"}, held.shown[25:])
    assert '"value": "done"' in held.shown


OPERATED = {
    one.name: one
    for one in (
        Example("cleaned up", cleaning, 1, _nothing, _steps, play=cancelled, status="CANCELLED"),
        Example("shown", showing, 1, _nothing, _value, play=_ended),
        Example("job", billing, 1, _nothing, _value, play=resumed_by_a_job),
        Example("fork", above, 1, _nothing, _origin, play=forked, status="FAILED", others=(below,)),
    )
}
