"""What a caller may do when the gateway in front has let them in, and that nothing is told to the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stepfast import workflow
from stepfast.http.api import Handler, build
from stepfast.http.auth import SCOPES, Authenticator, GatewayAuth
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from tests.http.serving import Answer, event

NEEDED = {
    ("POST", "/v1/workflows/nothing/executions"): "run",
    ("GET", "/v1/executions"): "read",
    ("POST", "/v1/executions/batch"): "run",
    ("POST", "/v1/executions/statuses"): "read",
    ("GET", "/v1/executions/one"): "read",
    ("GET", "/v1/executions/one/commands"): "read",
    ("GET", "/v1/executions/one/items"): "read",
    ("GET", "/v1/executions/one/runs"): "read",
    ("GET", "/v1/executions/one/recording"): "read",
    ("GET", "/v1/executions/one/recording/value"): "read",
    ("GET", "/v1/executions/one/waits"): "read",
    ("GET", "/v1/executions/one/links"): "read",
    ("GET", "/v1/executions/one/events"): "read",
    ("GET", "/v1/executions/one/history"): "read",
    ("POST", "/v1/executions/one/signals/go"): "run",
    ("GET", "/v1/executions/one/handlers"): "read",
    ("POST", "/v1/executions/one/queries/total"): "read",
    ("POST", "/v1/executions/one/updates/add"): "run",
    ("GET", "/v1/executions/one/updates/first"): "read",
    ("POST", "/v1/executions/one/resume"): "operate",
    ("POST", "/v1/executions/one/fork"): "operate",
    ("POST", "/v1/executions/one/commands/pay/repair"): "operate",
    ("POST", "/v1/executions/one/cancel"): "operate",
    ("POST", "/v1/executions/one/pause"): "operate",
    ("POST", "/v1/executions/one/unpause"): "operate",
    ("POST", "/v1/executions/one/close"): "operate",
    ("POST", "/v1/executions/one/reopen"): "operate",
    ("POST", "/v1/executions/one/terminate"): "operate",
    ("DELETE", "/v1/executions/one"): "operate",
    ("GET", "/v1/dead-letters"): "read",
    ("GET", "/v1/dead-letters/groups"): "read",
    ("POST", "/v1/dead-letters/replay"): "operate",
    ("GET", "/v1/workflows"): "read",
    ("GET", "/v1/workflows/nothing/figures"): "read",
    ("GET", "/v1/limits"): "read",
    ("GET", "/v1/limits/stripe"): "read",
    ("PUT", "/v1/limits/stripe"): "operate",
    ("DELETE", "/v1/limits/stripe"): "operate",
    ("GET", "/v1/gates"): "read",
    ("POST", "/v1/gates/stripe/close"): "operate",
    ("POST", "/v1/gates/stripe/open"): "operate",
    ("GET", "/v1/link-keys"): "operate",
    ("POST", "/v1/link-keys/rotate"): "operate",
    ("POST", "/v1/workflows/nothing/pause"): "operate",
    ("POST", "/v1/workflows/nothing/unpause"): "operate",
    ("GET", "/v1/schedules"): "read",
    ("GET", "/v1/schedules/nightly"): "read",
    ("POST", "/v1/schedules/nightly/pause"): "operate",
    ("POST", "/v1/schedules/nightly/unpause"): "operate",
    ("POST", "/v1/schedules/nightly/trigger"): "operate",
    ("POST", "/v1/schedules/nightly/backfill"): "operate",
    ("GET", "/v1/audit"): "operate",
    ("GET", "/v1/webhooks"): "read",
    ("GET", "/v1/webhooks/ops"): "read",
    ("GET", "/v1/webhooks/ops/dead-letters"): "read",
    ("POST", "/v1/webhooks/ops/redeliver"): "operate",
    ("POST", "/v1/jobs"): "operate",
    ("GET", "/v1/jobs"): "read",
    ("GET", "/v1/jobs/night"): "read",
    ("GET", "/v1/jobs/night/report"): "read",
    ("POST", "/v1/jobs/night/stop"): "operate",
    ("GET", "/openapi.json"): "read",
}
IAM = {"iam": {"userArn": "arn:aws:iam::123456789012:user/ann", "accountId": "123456789012"}}


@workflow("nothing")
async def nothing() -> None: ...


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("scopes") / "scopes.db"
    with Runtime(Registry([nothing]), path, workers=1, durability="process") as made:
        yield made


def handler(runtime: Runtime, keys: GatewayAuth | Authenticator) -> Handler:
    return build(runtime.operations, runtime.registry, runtime.call, keys)


def ask(handle: Handler, method: str, path: str, authorizer: Any = None, body: Any = None) -> Answer:
    sent = event(method, path, body, headers={"host": "api.example.com", "origin": "https://elsewhere.example"})
    if authorizer is not None:
        sent["requestContext"]["authorizer"] = authorizer
    response = handle(sent, None)
    return Answer(response["statusCode"], response["headers"], json.loads(response["body"]))


def by_key(*scopes: str) -> Any:
    return {"lambda": {"scopes": " ".join(scopes), "key": "tests"}}


def test_every_route_is_in_this_table(runtime: Runtime) -> None:
    described = ask(handler(runtime, GatewayAuth()), "GET", "/openapi.json", by_key("read")).body
    routes = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert len(routes) == len(NEEDED), "one more has no scheme: the description itself, one no scope: health"
    scopes = {
        (method.upper(), path): operation["security"]
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert scopes["GET", "/v1/health"] == []
    assert scopes["POST", "/v1/executions/{execution_id}/cancel"][0] == {"bearer": ["operate"]}


@pytest.mark.parametrize(("method", "path"), NEEDED)
def test_a_route_answers_those_with_its_scope_alone(runtime: Runtime, method: str, path: str) -> None:
    handle, scope = handler(runtime, GatewayAuth()), NEEDED[method, path]
    without = ask(handle, method, path, by_key(*(SCOPES - {scope})))
    assert (without.status, without.kind, without.body["scope"]) == (403, "scope-missing", scope)
    assert scope in without.body["detail"]
    assert ask(handle, method, path, by_key(scope)).status not in (401, 403)


@pytest.mark.parametrize(("method", "path"), NEEDED)
def test_without_any_scope_a_wrong_request_is_as_forbidden_as_a_right_one(
    runtime: Runtime, method: str, path: str
) -> None:
    handle = handler(runtime, GatewayAuth())
    bodies: tuple[Any, ...] = (None, {}, {"unknown": 1}, [])
    for body in bodies:
        assert ask(handle, method, path, by_key(), body if method == "POST" else None).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/v1/executions/one/cancel\n",
        "/v1/executions/one%2Fcancel",
        "/v1/executions/one/cancel/",
        "/v1/executions//cancel",
        "//v1/executions/one/cancel",
        "/v1/executions/one/cancel?x",
        "/v1/executions/ü/cancel",
        "/v1/executions/a b/cancel",
        "/V1/executions/one/cancel",
        "/v1/dead-letters/replay\n",
    ],
)
@pytest.mark.parametrize("method", ["POST", "post", "PUT", "HEAD", "OPTIONS"])
def test_no_spelling_of_a_path_gets_around_its_scope(runtime: Runtime, method: str, path: str) -> None:
    answer = ask(handler(runtime, GatewayAuth()), method, path, by_key("read", "run"))
    assert answer.kind in ("scope-missing", "unknown-route", "wrong-method")


def test_a_caller_that_iam_has_let_in_has_every_scope(runtime: Runtime) -> None:
    handle = handler(runtime, GatewayAuth("iam"))
    for (method, path), _ in NEEDED.items():
        assert ask(handle, method, path, IAM).status not in (401, 403)


@pytest.mark.parametrize(
    ("by", "authorizer"),
    [
        ("keys", None),
        ("keys", {}),
        ("keys", IAM),
        ("keys", {"lambda": None}),
        ("keys", {"lambda": {}}),
        ("iam", None),
        ("iam", {"lambda": {"scopes": "read run operate"}}),
        ("iam", {"iam": {}}),
    ],
)
def test_a_request_that_nobody_has_let_in_is_not_answered(runtime: Runtime, by: Any, authorizer: Any) -> None:
    handle = handler(runtime, GatewayAuth(by))
    assert ask(handle, "GET", "/v1/executions", authorizer).status == 401
    assert ask(handle, "GET", "/v1/health", authorizer).status == 200


@pytest.mark.parametrize("scopes", [None, 7, "", "admin", "READ", "read,run"])
def test_scopes_that_are_not_ours_are_none(runtime: Runtime, scopes: Any) -> None:
    authorizer = {"lambda": {"scopes": scopes, "key": "tests"}}
    assert ask(handler(runtime, GatewayAuth()), "GET", "/v1/executions", authorizer).status == 403


def test_keys_of_the_environment_have_every_scope(runtime: Runtime) -> None:
    handle = handler(runtime, Authenticator(["first-key"]))
    for method, path in NEEDED:
        sent = event(method, path, headers={"authorization": "Bearer first-key"})
        assert handle(sent, None)["statusCode"] not in (401, 403)


def test_a_caller_cannot_claim_scopes_by_headers(runtime: Runtime) -> None:
    sent = event("GET", "/v1/executions", headers={"x-amzn-authorizer": "read", "authorization": "Bearer read"})
    assert handler(runtime, GatewayAuth())(sent, None)["statusCode"] == 401
