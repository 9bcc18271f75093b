"""Workflows that are paused: what starts of them is held until they are unpaused, in both homes (rule *held start*)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from botocore.client import BaseClient

from stepfast import ContinueAsNew, Rate, child, signal, step, workflow
from stepfast.engine.holding import PAUSES_KEPT_SECONDS
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from tests.contract.asked import Asked
from tests.http.serving import event

RAN: list[str] = []
SOON = timedelta(seconds=PAUSES_KEPT_SECONDS + 1)


@step
def ship(order: str) -> str:
    RAN.append(order)
    return order


@workflow("shipping")
async def shipping(order: str) -> str:
    return await ship(order)


@workflow("asking-first")
async def asking_first(order: str) -> str:
    await signal("go", str)
    return await ship(order)


@workflow("above")
async def above(order: str) -> str:
    return await child(shipping, order, id=f"{order}-below")


@workflow("turning")
async def turning(turn: int) -> int:
    await ship(f"turn {turn}")
    await signal("next", str)
    raise ContinueAsNew(turn + 1)


@workflow("one-by-one", singleton=lambda order: "all")
async def one_by_one(order: str) -> str:
    return await ship(order)


@workflow("paced", throttle=Rate(1, per=60))
async def paced(order: str) -> str:
    return await ship(order)


@workflow("last-one", debounce=10)
async def last_one(order: str) -> str:
    return await ship(order)


WORKFLOWS = (shipping, asking_first, above, turning, one_by_one, paced, last_one)


class AskedToPause(Asked):
    """A kit with its API, and short words for paused workflows."""

    def pause(self, workflow: str, why: str = "the bank is down") -> Any:
        """Pauses a workflow, and lets the time pass after which every process knows."""
        paused = self("POST", f"/v1/workflows/{workflow}/pause", {"why": why})
        self.wait()
        return paused

    def unpause(self, workflow: str, **body: Any) -> str:
        """Unpauses a workflow; the id of the job."""
        answer = self("POST", f"/v1/workflows/{workflow}/unpause", body)
        assert answer["paused"] is None
        return str(answer["job_id"])

    def wait(self, time: timedelta = SOON) -> None:
        self.env.advance(time)

    def start(self, workflow: str, input: Any, id: str, status: int = 201) -> Any:
        return self("POST", f"/v1/workflows/{workflow}/executions", {"input": input, "execution_id": id}, status)

    def held(self, workflow: str, input: Any, id: str) -> Any:
        """Starts an execution and shows it once it has had the time to begin."""
        self.start(workflow, input, id)
        self.wait()
        return self.shown(id)

    def shown(self, id: str) -> Any:
        return self("GET", f"/v1/executions/{id}")

    def status(self, id: str) -> str:
        return str(self.shown(id)["status"])

    def events(self, id: str) -> list[str]:
        return [each["type"] for each in self("GET", f"/v1/executions/{id}/history")["events"]]


def _embedded() -> Iterator[AskedToPause]:
    with Environment(*WORKFLOWS) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            handle = build(env._stage.operations, Registry(WORKFLOWS), finished)
            path, _, query = path.partition("?")
            answer = handle(event(method, path, body, query=query), None)
            return answer["statusCode"], json.loads(answer["body"])

        yield AskedToPause(env, ask)


def _cloud() -> Iterator[AskedToPause]:
    with MotoCloud(*WORKFLOWS) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            path, _, query = path.partition("?")
            answer = env.request(method, path, body, query=dict(parse_qsl(query)))
            return answer.status, json.loads(answer.body)

        yield AskedToPause(env, ask)


@pytest.fixture(params=[_embedded, _cloud])
def api(request: pytest.FixtureRequest) -> Iterator[AskedToPause]:
    RAN.clear()
    yield from request.param()


def test_what_starts_of_a_paused_workflow_is_recorded_once_and_begins_once_it_is_unpaused(api: AskedToPause) -> None:
    paused = api.pause("shipping")
    assert (paused["name"], paused["paused"]["why"]) == ("shipping", "the bank is down")
    held = api.held("shipping", "a", "one")
    assert (held["status"], held["intervention"]["action"], held["intervention"]["why"]) == (
        "PAUSED", "hold", "the bank is down",
    )  # fmt: skip
    assert api.start("shipping", "a", "one", 200)["execution_id"] == "one"
    api.start("shipping", "b", "one", 409)
    api.held("shipping", "b", "two")
    api.wait(timedelta(hours=2))
    assert (api.status("one"), api.status("two"), RAN) == ("PAUSED", "PAUSED", [])
    job = api.unpause("shipping", why="it is back")
    api.wait()
    assert (api.status("one"), api.status("two"), sorted(RAN)) == ("SUCCEEDED", "SUCCEEDED", ["a", "b"])
    assert [each["outcome"] for each in api("GET", f"/v1/jobs/{job}/report")["outcomes"]] == ["done", "done"]
    assert [each for each in api.events("one") if each.startswith("execution-")] == [
        "execution-started", "execution-held", "execution-unpaused", "execution-succeeded",
    ]  # fmt: skip


def test_other_workflows_and_what_has_begun_go_on(api: AskedToPause) -> None:
    api.start("asking-first", "a", "begun")
    api.start("turning", 1, "endless")
    api.wait()
    for name in ("asking-first", "turning"):
        api.pause(name)
    api("POST", "/v1/executions/begun/signals/go", {"payload": "now"}, 202)
    api("POST", "/v1/executions/endless/signals/next", {"payload": "now"}, 202)
    api.held("shipping", "b", "other")
    assert (api.status("begun"), api.status("other"), api.shown("endless")["run"]) == ("SUCCEEDED", "SUCCEEDED", 2)
    assert sorted(RAN) == ["a", "b", "turn 1", "turn 2"]


def test_a_list_of_workflows_says_which_are_paused_and_the_first_pause_stands(api: AskedToPause) -> None:
    first = api.pause("shipping", "first")
    assert api.pause("shipping", "second") == first
    listed = {each["name"]: each["paused"] for each in api("GET", "/v1/workflows")["workflows"]}
    assert listed["shipping"] == first["paused"]
    assert {name for name, pause in listed.items() if pause} == {"shipping"}
    api.unpause("shipping")
    assert not any(each["paused"] for each in api("GET", "/v1/workflows")["workflows"])
    assert "nobody" in api("POST", "/v1/workflows/nobody/pause", None, 404)["detail"]
    assert "nobody" in api("POST", "/v1/workflows/nobody/unpause", None, 404)["detail"]
    api("POST", "/v1/workflows/stepfast.job/pause", None, 404)
    api("POST", "/v1/workflows/shipping/unpause", {"rate": 0}, 422)


def test_what_was_held_is_let_go_at_the_rate(api: AskedToPause) -> None:
    api.pause("shipping")
    for number in range(6):
        api.start("shipping", str(number), f"o{number}")
    api.wait()
    api.unpause("shipping", rate=0.5)
    api.start("shipping", "new", "new")
    api.wait(timedelta(seconds=6))
    assert "new" in RAN
    assert 2 <= len(RAN) <= 5, "a start after the unpause waits for nobody, and those that were held come one by one"
    api.wait(timedelta(seconds=15))
    assert len(RAN) == 7


def test_one_that_is_unpaused_by_hand_goes_on_while_its_workflow_is_paused(api: AskedToPause) -> None:
    api.pause("shipping")
    api.held("shipping", "a", "one")
    api.held("shipping", "b", "two")
    api("POST", "/v1/executions/one/unpause", {"why": "to try it"})
    api("POST", "/v1/executions/two/cancel", {"why": "not needed"})
    api.wait()
    assert (api.status("one"), api.status("two"), RAN) == ("SUCCEEDED", "CANCELLED", ["a"])


def test_what_an_operator_has_paused_stays_so_and_a_job_lets_nothing_go_of_a_workflow_that_is_paused_again(
    api: AskedToPause,
) -> None:
    api.start("asking-first", "a", "by-hand")
    api.wait()
    api("POST", "/v1/executions/by-hand/pause")
    api.pause("asking-first")
    api.held("asking-first", "b", "held")
    job = api("POST", "/v1/jobs", {"action": "release", "filter": {}, "job_id": "early"}, 201)["job_id"]
    api.wait()
    reasons = {each["execution_id"]: each["reason"] for each in api("GET", f"/v1/jobs/{job}/report")["outcomes"]}
    assert reasons == {
        "by-hand": "it is not held with its workflow", "held": "workflow 'asking-first' is paused",
    }  # fmt: skip
    api.unpause("asking-first")
    api.wait()
    assert (api.status("by-hand"), api.status("held")) == ("PAUSED", "RUNNING")


def test_a_child_of_a_paused_workflow_is_held_and_its_parent_waits(api: AskedToPause) -> None:
    api.pause("shipping")
    api.held("above", "a", "top")
    assert (api.status("top"), api.status("a-below"), RAN) == ("RUNNING", "PAUSED", [])
    api.unpause("shipping")
    api.wait()
    assert (api.status("top"), RAN) == ("SUCCEEDED", ["a"])


def test_a_held_child_whose_parent_is_paused_goes_on_with_its_parent(api: AskedToPause) -> None:
    api.pause("shipping")
    api.held("above", "a", "top")
    api("POST", "/v1/executions/top/pause")
    api.unpause("shipping")
    api.wait()
    assert (api.status("top"), api.status("a-below"), RAN) == ("PAUSED", "PAUSED", [])
    api("POST", "/v1/executions/top/unpause")
    api.wait()
    assert (api.status("top"), RAN) == ("SUCCEEDED", ["a"])


def test_a_held_singleton_keeps_its_key_and_the_line_its_order(api: AskedToPause) -> None:
    api.pause("one-by-one")
    for order in ("a", "b", "c"):
        api.held("one-by-one", order, order)
    assert [api.status(order) for order in ("a", "b", "c")] == ["PAUSED"] * 3
    api.unpause("one-by-one")
    api.wait()
    assert RAN == ["a", "b", "c"]


def test_held_executions_of_a_throttle_begin_at_its_rate(api: AskedToPause) -> None:
    api.pause("paced")
    for order in ("a", "b", "c"):
        api.held("paced", order, order)
        api.wait(timedelta(seconds=90))
    assert [api.status(order) for order in ("a", "b", "c")] == ["PAUSED"] * 3
    api.unpause("paced")
    for begun in (1, 2, 3):
        api.wait(timedelta(seconds=20))
        assert len(RAN) == begun, "the job lets them go together, and the throttle has them begin one by one"
        api.wait(timedelta(seconds=41))


def test_starts_that_are_debounced_become_one_which_is_held_at_its_moment(api: AskedToPause) -> None:
    api.pause("last-one")
    api.start("last-one", "a", "first")
    api.start("last-one", "b", "second", 200)
    assert api.status("first") == "RUNNING"
    api.wait(timedelta(seconds=20))
    assert (api.status("first"), RAN) == ("PAUSED", [])
    api.unpause("last-one")
    api.wait()
    assert (api.status("first"), RAN) == ("SUCCEEDED", ["b"])


def test_nothing_is_left_of_held_executions_that_are_cancelled_or_let_go() -> None:
    for api in _embedded():
        pauses = api.env._stage._process.backend.workflow_pauses
        api.pause("shipping")
        for order in ("cancelled", "terminated", "by-hand"):
            api.held("shipping", order, order)
        assert len(finished(pauses.held("shipping", 10))[0]) == 3
        api("POST", "/v1/executions/cancelled/cancel")
        api("POST", "/v1/executions/terminated/terminate")
        api("POST", "/v1/executions/by-hand/unpause")
        api.wait()
        assert finished(pauses.held("shipping", 10)) == ([], None)


def test_the_job_of_an_unpause_reads_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index follows the table after a time that nobody bounds."""
    RAN.clear()
    reads, call = list[Any](), BaseClient._make_api_call

    def noted(self: Any, operation: str, parameters: Any) -> Any:
        reads.extend([parameters] * (operation == "Query"))
        return call(self, operation, parameters)

    for api in _cloud():
        api.pause("shipping")
        for order in ("a", "b", "c"):
            api.held("shipping", order, order)
        monkeypatch.setattr(BaseClient, "_make_api_call", noted)
        api.unpause("shipping")
        api.wait()
        assert sorted(RAN) == ["a", "b", "c"]
        assert [read for read in reads if "IndexName" in read] == []
        notes = [read for read in reads if read["ExpressionAttributeValues"][":pk"]["S"].startswith("paused#")]
        assert notes
        assert all(read["ConsistentRead"] for read in notes)
