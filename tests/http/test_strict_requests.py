"""What a caller gets wrong is said, never overlooked: query parameters, empty names, encoded bodies."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from stepfast import Client, workflow
from stepfast.errors import InvalidRequest
from tests.http.serving import Api, event, served


@workflow("echo")
async def echo(value: int) -> int:
    return value


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(echo)
    made.start("echo", 1)
    made.ends()
    return made


ROUTES = [
    ("GET", "/v1/executions", None),
    ("POST", "/v1/executions/batch", {"starts": [{"workflow": "echo", "input": 1}]}),
    ("POST", "/v1/executions/statuses", {"execution_ids": ["one"]}),
    ("GET", "/v1/executions/one", None),
    ("GET", "/v1/executions/one/commands", None),
    ("GET", "/v1/executions/one/items", None),
    ("GET", "/v1/executions/one/runs", None),
    ("GET", "/v1/executions/one/recording", None),
    ("GET", "/v1/executions/one/recording/value", None),
    ("GET", "/v1/executions/one/links", None),
    ("GET", "/v1/link-keys", None),
    ("POST", "/v1/link-keys/rotate", {"revoke": False}),
    ("GET", "/v1/executions/one/waits", None),
    ("GET", "/v1/executions/one/events", None),
    ("GET", "/v1/executions/one/history", None),
    ("DELETE", "/v1/executions/one", None),
    ("POST", "/v1/executions/one/resume", None),
    ("POST", "/v1/executions/one/fork", None),
    ("POST", "/v1/executions/one/commands/pay/repair", {"skip": True}),
    ("POST", "/v1/executions/one/cancel", None),
    ("POST", "/v1/executions/one/pause", None),
    ("POST", "/v1/executions/one/unpause", None),
    ("POST", "/v1/executions/one/close", None),
    ("POST", "/v1/executions/one/reopen", None),
    ("POST", "/v1/executions/one/terminate", None),
    ("POST", "/v1/executions/one/signals/it", {"payload": 1}),
    ("GET", "/v1/executions/one/handlers", None),
    ("POST", "/v1/executions/one/queries/it", {"payload": 1}),
    ("POST", "/v1/executions/one/updates/it", {"payload": 1, "wait": 0}),
    ("GET", "/v1/executions/one/updates/it", None),
    ("POST", "/v1/workflows/echo/executions", {"input": 1}),
    ("GET", "/v1/workflows/echo/figures", None),
    ("GET", "/v1/workflows", None),
    ("GET", "/v1/dead-letters", None),
    ("GET", "/v1/dead-letters/groups", None),
    ("POST", "/v1/dead-letters/replay", {"all": True}),
    ("GET", "/v1/limits", None),
    ("GET", "/v1/limits/stripe", None),
    ("PUT", "/v1/limits/stripe", {"rate": 5}),
    ("DELETE", "/v1/limits/stripe", None),
    ("GET", "/v1/gates", None),
    ("POST", "/v1/gates/stripe/close", {"why": "it is down"}),
    ("POST", "/v1/gates/stripe/open", {"why": "it is up"}),
    ("POST", "/v1/workflows/echo/pause", {"why": "an outage"}),
    ("POST", "/v1/workflows/echo/unpause", {"rate": 5}),
    ("GET", "/v1/schedules", None),
    ("GET", "/v1/schedules/nightly", None),
    ("POST", "/v1/schedules/nightly/pause", {"why": "a holiday"}),
    ("POST", "/v1/schedules/nightly/unpause", None),
    ("POST", "/v1/schedules/nightly/trigger", {"overlap": "allow"}),
    ("POST", "/v1/schedules/nightly/backfill", {"from": "2027-01-01", "to": "2027-01-02"}),
    ("GET", "/v1/audit", None),
    ("GET", "/v1/webhooks", None),
    ("GET", "/v1/webhooks/ops", None),
    ("GET", "/v1/webhooks/ops/dead-letters", None),
    ("POST", "/v1/webhooks/ops/redeliver", {}),
    ("POST", "/v1/jobs", {"action": "close", "ids": ["one"]}),
    ("GET", "/v1/jobs", None),
    ("GET", "/v1/jobs/night", None),
    ("GET", "/v1/jobs/night/report", None),
    ("POST", "/v1/jobs/night/stop", None),
    ("GET", "/v1/health", None),
    ("GET", "/openapi.json", None),
]


def test_these_are_all_routes(api: Api) -> None:
    described = api.get("/openapi.json")["paths"]
    count = sum(len(methods) for methods in described.values())
    assert count <= len(ROUTES) - 1, "a new route is to be added here"


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_an_unknown_query_parameter_is_refused_everywhere(api: Api, method: str, path: str, body: Any) -> None:
    answer = api.ask(method, path, body, query="statuss=FAILED")
    assert (answer.status, answer.kind, answer.fields) == (422, "invalid-request", ["statuss"])


def test_the_refusal_names_what_there_is(api: Api) -> None:
    assert "status" in api.ask("GET", "/v1/executions", query="statuss=FAILED").body["detail"]
    assert "prefix" in api.ask("GET", "/v1/executions", query="statuss=FAILED").body["detail"]


def test_many_unknown_parameters_make_a_short_refusal(api: Api) -> None:
    answer = api.ask("GET", "/v1/executions", query="&".join(f"{'x' * 500}{number}=1" for number in range(500)))
    assert answer.status == 422
    assert len(json.dumps(answer.body)) < 5000


@pytest.mark.parametrize("name", ["status", "workflow", "limit", "cursor", "prefix", "since", "until", "largest"])
def test_a_single_parameter_is_not_given_twice(api: Api, name: str) -> None:
    answer = api.ask("GET", "/v1/executions", query=f"{name}=1&{name}=1")
    assert (answer.status, name in answer.fields) == (422, True)


def test_labels_may_be_given_more_than_once(api: Api) -> None:
    assert api.ask("GET", "/v1/executions", query="label=a:b&label=c:d").status == 200


@pytest.mark.parametrize(
    "name", ["workflow", "status", "prefix", "label", "since", "until", "limit", "cursor", "largest"]
)
def test_an_empty_parameter_is_not_none_given(api: Api, name: str) -> None:
    answer = api.ask("GET", "/v1/executions", query=f"{name}=")
    assert (answer.status, answer.fields) == (422, [name])


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/workflows/echo/executions", {"input": 1, "execution_id": ""}, {}),
        ("/v1/workflows/echo/executions", {"input": 1}, {"idempotency-key": ""}),
        ("/v1/workflows/echo/executions", {"input": 1, "execution_id": ""}, {"idempotency-key": "two"}),
        ("/v1/workflows/echo/executions", {"input": 1, "labels": {"": "x"}}, {}),
        ("/v1/executions/one/signals/it", {"payload": 1, "signal_id": ""}, {}),
        ("/v1/executions/statuses", {"execution_ids": [""]}, {}),
        ("/v1/dead-letters/replay", {"execution_ids": [""]}, {}),
        ("/v1/dead-letters/replay", {"all": True, "cursor": ""}, {}),
    ],
)
def test_an_empty_name_is_an_error_and_starts_nothing(api: Api, path: str, body: Any, headers: dict[str, str]) -> None:
    answer = api.ask("POST", path, body, headers=headers)
    assert (answer.status, answer.kind) == (422, "invalid-request")
    assert [execution["execution_id"] for execution in api.get("/v1/executions")["executions"]] == ["one"]


def test_the_client_refuses_empty_names_before_it_asks(api: Api) -> None:
    with served(api.handler) as url, Client(url, retry_for=0) as client:
        for ask in (
            lambda: client.run("echo", 1, ""),
            lambda: client.run("", 1),
            lambda: client.execution(""),
            lambda: client.execution("one").signal("", 1),
            lambda: client.execution("one").signal("it", 1, ""),
            lambda: Client(url, ""),
        ):
            with pytest.raises(InvalidRequest):
                ask()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x" * 5000, "gzip, identity"])
def test_an_encoded_body_is_refused_as_such(api: Api, encoding: str) -> None:
    answer = api.ask("POST", "/v1/workflows/echo/executions", {"input": 1}, headers={"content-encoding": encoding})
    assert (answer.status, answer.kind) == (415, "unsupported-encoding")
    assert answer.headers["Accept-Encoding"] == "identity"
    assert len(answer.body["detail"]) < 300


def test_a_gzipped_body_is_refused_before_it_is_taken(api: Api) -> None:
    with served(api.handler) as url:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        path = f"{url}/v1/workflows/echo/executions"
        assert httpx.post(path, content=gzip.compress(b'{"input": 1}'), headers=headers).status_code == 415
        headers["content-encoding"] = "identity"
        assert httpx.post(path, content=b'{"input": 1}', headers=headers).status_code == 201


def test_api_gateways_own_events_are_held_to_the_same(api: Api) -> None:
    sent = event("GET", "/v1/executions", query="statuss=FAILED&limit=1&limit=2")
    sent["queryStringParameters"] = {"statuss": "FAILED", "limit": "1,2"}
    assert api.handle(sent).fields == ["statuss", "limit"]
