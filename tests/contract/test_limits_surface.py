"""What operators see and change of limits and gates by the API: the same in both homes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from stepfast import Gate, Limit, step, workflow
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from tests.contract.asked import Asked
from tests.http.serving import event

SLOTS = Limit("slots", concurrency=2, rate=1000)
PDF = Limit("pdf", key=lambda n: f"customer {n % 2}", gate=Gate(failures=2))


@step(limits=[SLOTS])
async def hold(n: int) -> int:
    await asyncio.sleep(60)
    return n


@step(limits=[PDF])
async def render(n: int) -> int:
    return n


@workflow("holding")
async def holding(n: int) -> list[int]:
    return list(await asyncio.gather(*[hold(number) for number in range(n)]))


@workflow("rendering")
async def rendering(n: int) -> int:
    return await render(n)


@step(limits=[Limit("pace", rate=1, per=100)])
async def tick(n: int) -> int:
    return n


@workflow("paced")
async def paced(n: int) -> list[int]:
    return list(await asyncio.gather(*[tick(number) for number in range(n)]))


def _embedded() -> Iterator[Asked]:
    with Environment(holding, rendering, paced) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            handle = build(env._stage.operations, Registry([holding, rendering, paced]), finished)
            path, _, query = path.partition("?")
            answer = handle(event(method, path, body, query=query), None)
            return answer["statusCode"], json.loads(answer["body"])

        yield Asked(env, ask)


def _cloud() -> Iterator[Asked]:
    with MotoCloud(holding, rendering, paced) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            path, _, query = path.partition("?")
            answer = env.request(method, path, body, query=dict(parse_qsl(query)))
            return answer.status, json.loads(answer.body)

        yield Asked(env, ask)


@pytest.fixture(params=[_embedded, _cloud])
def api(request: pytest.FixtureRequest) -> Iterator[Asked]:
    yield from request.param()


def test_a_limit_shows_what_is_taken_and_who_waits(api: Asked) -> None:
    run = api.env.start(holding, 5)
    api.env.advance(timedelta(seconds=10))
    shown = api("GET", "/v1/limits/slots")
    assert [(key["taken"], key["waiting"]) for key in shown["keys"]] == [(2, 3)]
    assert shown["keys"][0]["waiting_since"] is not None
    first = shown["keys"][0]["first"]
    assert {step["execution_id"] for step in first} == {run.execution_id}
    assert sorted(step["command"] for step in first) == ["hold#3", "hold#4", "hold#5"]
    assert [limit["name"] for limit in api("GET", "/v1/limits")["limits"]] == ["pace", "pdf", "slots"]
    assert api.env.run_until(run).result == [0, 1, 2, 3, 4]


def test_numbers_are_changed_while_steps_wait(api: Asked) -> None:
    run = api.env.start(holding, 6)
    api.env.advance(timedelta(seconds=10))
    changed = api("PUT", "/v1/limits/slots", {"concurrency": 4})
    assert (changed["numbers"]["concurrency"], changed["declared"]["concurrency"]) == (4, 2)
    assert changed["set_by"] is not None
    api.env.advance(timedelta(seconds=55))
    assert [(key["taken"], key["waiting"]) for key in api("GET", "/v1/limits/slots")["keys"]] == [(4, 0)]
    assert api("DELETE", "/v1/limits/slots")["numbers"]["concurrency"] == 2
    assert api.env.run_until(run).result == list(range(6))


def test_more_slots_bring_those_who_wait_within_seconds_embedded() -> None:
    """On AWS the API may not send to the queues of steps: they come with the next slot that is given back."""
    for api in _embedded():
        run = api.env.start(holding, 6)
        api.env.advance(timedelta(seconds=10))
        api("PUT", "/v1/limits/slots", {"concurrency": 5})
        api.env.advance(timedelta(seconds=5))
        assert [(key["taken"], key["waiting"]) for key in api("GET", "/v1/limits/slots")["keys"]] == [(5, 1)]
        assert api.env.run_until(run).result == list(range(6))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "say what to set"),
        ({"concurrency": 0}, "greater than or equal to 1"),
        ({"rate": -1}, "greater than 0"),
        ({"rates": 1}, "not permitted"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(api: Asked, body: dict[str, Any], says: str) -> None:
    assert says in json.dumps(api("PUT", "/v1/limits/slots", body, status=422))
    assert api("GET", "/v1/limits/slots")["set_by"] is None


def test_a_kind_of_number_that_the_code_does_not_have_is_refused(api: Asked) -> None:
    assert "the code decides" in api("PUT", "/v1/limits/pdf", {"concurrency": 3}, status=422)["detail"]
    assert "there are: pace, pdf, slots" in api("GET", "/v1/limits/other", status=404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/limits/gone", None),
        ("PUT", "/v1/limits/gone", {"rate": 1}),
        ("DELETE", "/v1/limits/gone", None),
        ("GET", "/v1/gates?name=gone", None),
        ("POST", "/v1/gates/gone/close", {}),
        ("POST", "/v1/gates/gone/open", {}),
        ("POST", "/v1/gates/slots/open", {}),
    ],
)
def test_a_name_that_nothing_has_is_not_found(api: Asked, method: str, path: str, body: Any) -> None:
    refused = api(method, path, body, status=404)
    assert refused["type"].endswith(":unknown-name")
    assert "there are: " in refused["detail"]


@pytest.mark.parametrize("cursor", ["x", "%7C", "99%7C", "-1%7Ca", "1"])
def test_a_cursor_that_no_page_has_given_is_refused_or_ends_the_list(api: Asked, cursor: str) -> None:
    for path in ("/v1/gates?name=pdf", "/v1/limits/pdf?"):
        answered, _ = api._ask("GET", f"{path}&cursor={cursor}", None)
        assert answered in (200, 422)


def test_a_gate_is_closed_and_opened_by_hand(api: Asked) -> None:
    closed = api("POST", "/v1/gates/pdf/close", {"key": "customer 1", "why": "maintenance"})
    assert (closed["status"], closed["why"]) == ("CLOSED", "maintenance")
    waiting, other = api.env.start(rendering, 1), api.env.start(rendering, 2)
    assert api.env.run_until(other).result == 2
    api.env.advance(timedelta(minutes=1))
    assert waiting.status == "RUNNING"
    (gate,) = api("GET", "/v1/gates")["gates"]
    assert (gate["key"], gate["status"], gate["waiting"]) == ("customer 1", "CLOSED", 1)
    assert [(step["execution_id"], step["command"]) for step in gate["first"]] == [(waiting.execution_id, "render")]
    assert api("POST", "/v1/gates/pdf/open", {"key": "customer 1"})["status"] == "RAMPING"
    assert api.env.run_until(waiting).result == 1
    assert "slots" in api("POST", "/v1/gates/slots/close", {}, status=404)["detail"]


def test_the_next_probe_of_a_gate_that_is_opened_by_hand_does_not_wait_for_its_time(api: Asked) -> None:
    late = (api.env.now + timedelta(days=2)).isoformat()
    api("POST", "/v1/gates/pdf/close", {"key": "customer 1", "until": late})
    probing, waiting = api.env.start(rendering, 1), api.env.start(rendering, 3)
    api.env.advance(timedelta(minutes=10))
    (gate,) = api("GET", "/v1/gates")["gates"]
    assert gate["probe"] == {"execution_id": probing.execution_id, "command": "render"}
    assert gate["waiting"] == 2
    assert [run.status for run in (probing, waiting)] == ["RUNNING"] * 2
    api("POST", "/v1/gates/pdf/open", {"key": "customer 1"})
    api.env.advance(timedelta(minutes=5))
    assert [run.status for run in (probing, waiting)] == ["SUCCEEDED"] * 2


def test_the_next_probe_of_a_gate_that_is_closed_until_a_time_begins_then(api: Asked) -> None:
    late = api.env.now + timedelta(hours=3)
    api("POST", "/v1/gates/pdf/close", {"key": "customer 1", "until": late.isoformat()})
    probing, waiting = api.env.start(rendering, 1), api.env.start(rendering, 3)
    api.env.run_until(lambda: [run.status for run in (probing, waiting)] == ["SUCCEEDED"] * 2)
    assert late <= min(call.started_at for call in probing.steps) <= late + timedelta(seconds=2)


def waits(api: Asked, run: Any) -> list[Any]:
    return list(api("GET", f"/v1/executions/{run.execution_id}/waits")["waits"])


def test_what_a_step_waits_for_is_told_until_it_begins(api: Asked) -> None:
    run = api.env.start(holding, 5)
    api.env.advance(timedelta(seconds=10))
    found = waits(api, run)
    assert [(wait["command"], wait["waits_for"], wait["limit"]) for wait in found] == [
        (f"hold#{number}", "slot", "slots") for number in (3, 4, 5)
    ]
    assert sorted(wait["before"] for wait in found) == [0, 1, 2]
    assert all(wait["since"] is not None and wait["gate"] is None for wait in found)
    api.env.run_until(run)
    assert waits(api, run) == []
    assert "nobody" in api("GET", "/v1/executions/nobody/waits", status=404)["detail"]


def test_what_waits_at_a_gate_says_who_has_closed_it_and_when_it_is_probed(api: Asked) -> None:
    closed = api("POST", "/v1/gates/pdf/close", {"key": "customer 1", "why": "maintenance"})
    run = api.env.start(rendering, 1)
    api.env.advance(timedelta(seconds=10))
    (wait,) = waits(api, run)
    assert (wait["waits_for"], wait["limit"], wait["key"]) == ("gate", "pdf", "customer 1")
    assert (wait["gate"], wait["gate_since"], wait["next_at"]) == ("CLOSED", closed["since"], None)
    assert (wait["why"], wait["by"]) == ("maintenance", closed["by"])
    assert wait["since"] >= closed["since"]
    api("POST", "/v1/gates/pdf/open", {"key": "customer 1"})
    api.env.run_until(run)
    assert waits(api, run) == []


def test_a_step_that_an_outage_holds_waits_for_the_gate_and_its_probe(api: Asked) -> None:
    api.env.outage(render, timedelta(minutes=2))
    runs = [api.env.start(rendering, number) for number in (1, 3, 5)]
    api.env.advance(timedelta(seconds=20))
    found = [wait for run in runs for wait in waits(api, run)]
    assert [(wait["gate"], wait["cause"]) for wait in found] == [("CLOSED", "ConnectionError in render")] * 3
    assert sum(wait["probe"] for wait in found) == 1
    assert len({wait["next_at"] for wait in found}) == 1


def test_a_step_that_waits_for_its_moment_says_when_it_begins_at_the_latest(api: Asked) -> None:
    run = api.env.start(paced, 3)
    api.env.advance(timedelta(seconds=5))
    found = waits(api, run)
    assert [(wait["waits_for"], wait["limit"]) for wait in found] == [("rate", "pace")] * 2
    assert all(wait["next_at"] is not None for wait in found)


def waited(run: Any) -> list[dict[str, Any]]:
    """What its steps have waited for, without the times that differ between homes."""
    return [dict(event.details) for event in run.history if event.type == "step-waited"]


def test_the_history_says_for_what_a_step_has_waited_and_how_long(api: Asked) -> None:
    run = api.env.start(holding, 5)
    api.env.run_until(run)
    found = waited(run)
    assert [(wait["waited_for"], wait["limit"], wait["key"]) for wait in found] == [("slot", "slots", "")] * 3
    assert [round((wait["until_at"] - wait["since_at"]) / 60) for wait in found] == [1, 1, 2]
    run = api.env.start(paced, 3)
    api.env.run_until(run)
    assert [(wait["waited_for"], wait["limit"]) for wait in waited(run)] == [("rate", "pace")] * 2
    events = api("GET", f"/v1/executions/{run.execution_id}/history")["events"]
    (first, _) = [event for event in events if event["type"] == "step-waited"]
    assert first["command"].startswith("tick")
    assert first["since_at"].endswith("Z")
    assert first["until_at"] == first["at"]


def test_the_history_says_who_had_closed_the_gate_at_which_a_step_has_waited(api: Asked) -> None:
    closed = api("POST", "/v1/gates/pdf/close", {"key": "customer 1", "why": "maintenance"})
    run = api.env.start(rendering, 1)
    api.env.advance(timedelta(minutes=10))
    opened = api("POST", "/v1/gates/pdf/open", {"key": "customer 1", "why": "done"})
    api.env.run_until(run)
    events = api("GET", f"/v1/executions/{run.execution_id}/history")["events"]
    (wait,) = [event for event in events if event["type"] == "step-waited"]
    assert (wait["waited_for"], wait["limit"], wait["key"]) == ("gate", "pdf", "customer 1")
    assert (wait["closed_at"], wait["opened_at"]) == (closed["since"], opened["since"])
    assert (wait["cause"], wait["why"], wait.get("by", "")) == ("by hand", "maintenance", closed["by"])
    assert wait["since_at"] < wait["opened_at"] <= wait["until_at"]
    (command,) = api("GET", f"/v1/executions/{run.execution_id}")["commands"]
    assert command["waited"] == [{name: wait[name] for name in wait if name not in ("at", "type", "command")}]


def test_the_history_of_an_outage_has_the_wait_of_the_probe_and_of_the_others(api: Asked) -> None:
    api.env.outage(render, timedelta(minutes=2))
    runs = [api.env.start(rendering, number) for number in (1, 3, 5)]
    api.env.run_until(lambda: all(run.status == "SUCCEEDED" for run in runs))
    waits = [wait for run in runs for wait in waited(run)]
    assert {wait["cause"] for wait in waits} == {"ConnectionError in render"}
    assert any("opened_at" in wait for wait in waits)
    assert any("opened_at" not in wait for wait in waits)
