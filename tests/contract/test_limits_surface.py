"""What operators see and change of limits and gates by the API: the same in both homes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from stepfast import Gate, Limit, step, workflow
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
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


class Asked:
    """A kit with its API, asked as a client asks it."""

    def __init__(self, env: Any, ask: Callable[[str, str, Any], tuple[int, Any]]) -> None:
        self.env, self._ask = env, ask

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answered, held = self._ask(method, path, body)
        assert answered == status, held
        return held


def _embedded() -> Iterator[Asked]:
    with Environment(holding, rendering) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            handle = build(env._stage.operations, Registry([holding, rendering]), finished)
            path, _, query = path.partition("?")
            answer = handle(event(method, path, body, query=query), None)
            return answer["statusCode"], json.loads(answer["body"])

        yield Asked(env, ask)


def _cloud() -> Iterator[Asked]:
    with MotoCloud(holding, rendering) as env:

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
    assert [limit["name"] for limit in api("GET", "/v1/limits")["limits"]] == ["pdf", "slots"]
    assert api.env.run_until(run).result == [0, 1, 2, 3, 4]


def test_numbers_are_changed_while_steps_wait(api: Asked) -> None:
    run = api.env.start(holding, 6)
    api.env.advance(timedelta(seconds=10))
    changed = api("PUT", "/v1/limits/slots", {"concurrency": 4})
    assert (changed["numbers"]["concurrency"], changed["declared"]["concurrency"]) == (4, 2)
    assert changed["set_by"] is not None
    api.env.advance(timedelta(seconds=70))
    assert [(key["taken"], key["waiting"]) for key in api("GET", "/v1/limits/slots")["keys"]] == [(4, 0)]
    assert api("DELETE", "/v1/limits/slots")["numbers"]["concurrency"] == 2
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
    assert "there are: pdf, slots" in api("GET", "/v1/limits/other", status=422)["detail"]


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
    assert "slots" in api("POST", "/v1/gates/slots/close", {}, status=422)["detail"]


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
