"""Operators who resume a root and its child in the same moment, on AWS; embedded it is the world of families."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from stepfast import Retry, child, step, workflow
from stepfast.engine.resuming import Resuming
from stepfast.simulator.gateway import GatewayRequest
from stepfast.testing import MotoCloud
from tests.lanes import seeds
from tests.simulation.breaking import edited

SEEDS = seeds(3, 60)
ROOT, CHILD, GRANDCHILD = "one", "one.child", "one.child.child"
away = True
ran: Counter[str] = Counter()
Patch = pytest.MonkeyPatch


@step(retry=Retry(max_attempts=1))
async def fetch(name: str) -> str:
    ran[name] += 1
    if away:
        raise ConnectionError("away")
    return name


@step
async def count(name: str) -> str:
    ran[name] += 1
    return name


@workflow("grandchild")
async def grandchild() -> list[str]:
    return [await count("grandchild begins"), await fetch("fetched"), await count("grandchild ends")]


@workflow("middle")
async def middle() -> list[str]:
    return [await count("middle begins"), *await child(grandchild, id=GRANDCHILD), await count("middle ends")]


@workflow("top")
async def top() -> list[str]:
    return [await count("top begins"), *await child(middle, id=CHILD), await count("top ends")]


EXPECTED = ["top begins", "middle begins", "grandchild begins", "fetched", "grandchild ends", "middle ends", "top ends"]


@pytest.fixture(autouse=True)
def fetching() -> Iterator[None]:
    global away
    away = True
    ran.clear()
    yield
    away = True


def resumed_at_once(seed: int, *ids: str) -> None:
    """Raises AssertionError where a resume is refused, the family does not end, or a step runs again that has ended."""
    global away
    away = True
    ran.clear()
    with MotoCloud(top, middle, grandchild, seed=seed) as cloud:
        run = cloud.start(top, execution_id=ROOT)
        cloud.advance(timedelta(minutes=1))
        assert {cloud.execution(id).status for id in (ROOT, CHILD, GRANDCHILD)} == {"FAILED"}
        away = False
        answers = cloud.request_all(*(GatewayRequest("POST", f"/v1/executions/{id}/resume") for id in ids))
        assert [answer.status for answer in answers] == [200] * len(ids), "a resume that another has overtaken is done"
        cloud.advance(timedelta(minutes=30))
        assert run.status == "SUCCEEDED", run
        assert run.result == EXPECTED
        assert {cloud.execution(id).generation for id in (ROOT, CHILD, GRANDCHILD)} == {1}
    assert ran == {**dict.fromkeys(EXPECTED, 1), "fetched": 2}


@pytest.mark.parametrize("ids", [(ROOT, GRANDCHILD), (GRANDCHILD, CHILD), (CHILD, CHILD), (GRANDCHILD, CHILD, ROOT)])
def test_a_root_and_its_children_resumed_at_once_go_on_once(ids: tuple[str, ...]) -> None:
    for seed in SEEDS:
        resumed_at_once(seed, *ids)


def the_resume_of_a_child_leaves_its_root_as_it_is(patch: Patch) -> None:
    edited(patch, Resuming, "resume", ("if top is not None:", "if False:"))


def an_overtaken_resume_begins_anew(patch: Patch) -> None:
    edited(patch, Resuming, "rewind", ("generation = execution.generation", "generation = None"))


def test_it_is_noticed_when_a_resume_that_another_has_overtaken_is_refused(monkeypatch: Patch) -> None:
    an_overtaken_resume_begins_anew(monkeypatch)
    with pytest.raises(AssertionError, match="overtaken"):
        resumed_at_once(0, CHILD, CHILD)


def test_it_is_noticed_when_the_resume_of_a_child_does_not_reach_its_root(monkeypatch: Patch) -> None:
    the_resume_of_a_child_leaves_its_root_as_it_is(monkeypatch)
    with pytest.raises(AssertionError):
        resumed_at_once(0, GRANDCHILD, CHILD)
