"""Two operators resume a family on AWS: behind whichever call of the first the second comes, it goes on once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from stepfast import Retry, child, step, workflow
from stepfast.backends.aws.s3 import S3Blobs
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.deployment.project import Project
from stepfast.engine.children import Children
from stepfast.engine.resuming import Resuming
from stepfast.errors import StepfastError
from stepfast.language.registry import Registry
from stepfast.simulator import resources
from stepfast.simulator.gateway import GatewayRequest
from stepfast.testing import MotoCloud
from tests.simulation.breaking import edited

ROOT, CHILD = "r", "r.c"
Patch = pytest.MonkeyPatch
away = True
ran: Counter[str] = Counter()


@step(retry=Retry(max_attempts=1))
async def asked(name: str) -> str:
    ran[name] += 1
    if away:
        raise ConnectionError("away")
    return name


@workflow("inner")
async def inner() -> list[str]:
    return [await asked("fetched")]


@workflow("outer")
async def outer() -> list[str]:
    return [*await child(inner, id=CHILD), await asked("stored")]


class Clock:
    def __init__(self, cloud: MotoCloud) -> None:
        self._cloud = cloud

    def now(self) -> float:
        return self._cloud.now.timestamp()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a resume waits for nothing")


class Between:
    """A client of DynamoDB that lets somebody act behind the call of this number."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.calls: list[str] = []
        self._number, self._act = number, act

    def __getattr__(self, name: str) -> Any:
        call = getattr(resources.client("dynamodb"), name)
        if not callable(call) or name in ("exceptions", "meta"):
            return call

        def called(**parameters: Any) -> Any:
            self.calls.append(name)
            mine = len(self.calls) == self._number
            try:
                return call(**parameters)
            finally:
                if mine:
                    self._act()

        return called


def interleaved(first: str, second: str, number: int, goes_on: bool = True) -> list[str]:
    """Resumes `first`; behind its call of this number `second` is resumed, and the world goes on for two minutes.

    No sweep comes. Returns the calls of the first operator. Raises AssertionError where a resume is refused, the
    family does not end, or a step runs again that has ended.
    """
    global away
    away = True
    ran.clear()
    with MotoCloud(outer, inner, project=Project(sweep_minutes=60)) as cloud:  # no sweep comes
        run = cloud.start(outer, execution_id=ROOT)
        cloud.advance(timedelta(minutes=1))
        assert {cloud.execution(id).status for id in (ROOT, CHILD)} == {"FAILED"}
        away = False
        refused: list[str] = []

        def second_acts() -> None:
            answer = cloud.request_all(GatewayRequest("POST", f"/v1/executions/{second}/resume"))[0]
            assert answer.status in (200, 409), answer  # refused where the first has resumed it before it came
            if goes_on:
                cloud.advance(timedelta(minutes=2))

        client = Between(number, second_acts)
        clock, blobs = Clock(cloud), S3Blobs(lambda: resources.client("s3"), "stepfast-values")
        no_queue: Any = None  # a resume sends nothing itself: its wake is an item of the table
        store = DynamoStore(cast(Any, client), "stepfast", no_queue, blobs, clock)
        generation = cloud.execution(first).generation
        try:
            asyncio.run(Resuming(store, clock, Registry([outer, inner])).resume(first, generation))
        except StepfastError as error:
            refused.append(str(error))
        assert refused == []
        cloud.advance(timedelta(minutes=20))
        assert (run.status, run.status == "SUCCEEDED" and run.result) == ("SUCCEEDED", ["fetched", "stored"])
        assert {cloud.execution(id).generation for id in (ROOT, CHILD)} == {1}
    assert ran == {"fetched": 2, "stored": 1}
    return client.calls


CALLS = {(ROOT, CHILD): 2, (CHILD, ROOT): 6, (CHILD, CHILD): 6}
"""By first and second operator: how many calls to the table the first one makes when nobody comes in between."""


@pytest.mark.parametrize(("first", "second"), CALLS)
def test_whatever_comes_behind_whichever_call_of_a_resume_the_family_goes_on_once(first: str, second: str) -> None:
    for number in range(1, CALLS[first, second] + 1):
        calls = interleaved(first, second, number)
        assert len(calls) >= number, "a resume makes fewer calls than before, so that some of these tests nothing"
    assert len(calls) == CALLS[first, second], "a resume makes more calls than before: add them here"


def a_resume_that_was_overtaken_is_refused(patch: Patch) -> None:
    edited(patch, Resuming, "rewind", ("generation = execution.generation", "generation = None"))


def the_parent_is_not_resumed(patch: Patch) -> None:
    edited(patch, Resuming, "resume", ("if top is not None:", "if False:"))


def a_failed_child_is_reported_again(patch: Patch) -> None:
    failed = 'held.status == "FAILED" and (before.generation < link.generation or before.left)'
    edited(patch, Children, "_take_up", (failed, "False"))


def a_child_that_has_ended_is_not_reported_when_it_is_taken_up(patch: Patch) -> None:
    edited(patch, Children, "_take_up", ("if held.status in ENDED:", "if False:"))


def the_link_of_a_failed_child_stays_as_it_was(patch: Patch) -> None:
    moved = 'marks["link"], execution = items.link_value(link), replace(execution, link=link)'
    edited(patch, DynamoStore, "rewind", (moved, "pass"))


NOTICED: dict[Callable[[Patch], None], tuple[str, str, int]] = {
    a_resume_that_was_overtaken_is_refused: (ROOT, CHILD, 1),
    the_parent_is_not_resumed: (CHILD, ROOT, 5),
    a_failed_child_is_reported_again: (CHILD, ROOT, 1),
    a_child_that_has_ended_is_not_reported_when_it_is_taken_up: (CHILD, CHILD, 3),
    the_link_of_a_failed_child_stays_as_it_was: (CHILD, ROOT, 1),
}


@pytest.mark.parametrize("wrong", NOTICED)
def test_it_is_noticed(wrong: Callable[[Patch], None], monkeypatch: Patch) -> None:
    wrong(monkeypatch)
    with pytest.raises(AssertionError):
        interleaved(*NOTICED[wrong])
