"""API keys, and what is refused without them."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import workflow
from stepfast.errors import StartupError
from stepfast.http.auth import Authenticator

START = "/v1/workflows/nothing/executions"


@workflow("nothing")
async def nothing() -> None: ...


# -- with keys ----------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(serve: Any) -> Any:
    return serve(nothing, keys=Authenticator.from_environment({"STEPFAST_API_KEYS": "first-key, second-key"}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-key"},
        {"authorization": "bearer  second-key "},
        {"X-Api-Key": "second-key"},
        {"x-api-key": "first-key", "host": "stepfast.example.com", "origin": "https://elsewhere.example"},
    ],
)
def test_any_of_the_keys_lets_in(guarded: Any, headers: dict[str, str]) -> None:
    assert guarded.ask("GET", "/v1/executions", headers=headers).status == 200
    assert guarded.ask("POST", START, {}, headers=headers).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer first-ke"},
        {"authorization": "Bearer first-key,second-key"},
        {"authorization": "Basic first-key"},
        {"authorization": "first-key"},
        {"authorization": "Bearer"},
        {"x-api-key": ""},
        {"x-api-key": "schlüssel"},
        {"x-api-key": "\udc80"},
    ],
)
def test_without_one_of_the_keys_nothing_is_told(guarded: Any, headers: dict[str, str]) -> None:
    for method, path, body in (
        ("GET", "/v1/executions", None),
        ("POST", START, {}),
        ("GET", "/openapi.json", None),
        ("GET", "/nowhere", None),
    ):
        answer = guarded.ask(method, path, body, headers=headers)
        assert (answer.status, answer.kind) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "first-key" not in str(answer.body)
    assert guarded.get("/v1/executions", headers={"x-api-key": "first-key"})["executions"] == []


def test_health_needs_no_key(guarded: Any) -> None:
    assert guarded.ask("GET", "/v1/health").status == 200


@pytest.mark.parametrize("text", ["", "  "])
def test_no_keys_in_the_environment_is_no_authenticator(text: str) -> None:
    assert Authenticator.from_environment({}) is None
    assert Authenticator.from_environment({"STEPFAST_API_KEYS": text}) is None


@pytest.mark.parametrize("text", [",", "a,,b", "a,", "schlüssel", "a\tb"])
def test_a_malformed_list_of_keys_does_not_start(text: str) -> None:
    with pytest.raises(StartupError, match="STEPFAST_API_KEYS"):
        Authenticator.from_environment({"STEPFAST_API_KEYS": text})


# -- without keys ---------------------------------------------------------------------------------------------


@pytest.fixture
def local(serve: Any) -> Any:
    return serve(nothing)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8787", "127.0.0.1:1", "127.9.9.9", "[::1]:8787", "LOCALHOST."]
)
def test_loopback_names_are_answered(local: Any, host: str) -> None:
    assert local.ask("GET", "/v1/health", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8787", "localhost.evil.example", "192.168.1.5", "0.0.0.0", "", "[::1", "a,localhost",
     "user@evil.example", "127.0.0.1.nip.io"],
)  # fmt: skip
def test_other_names_are_refused_since_they_may_be_rebound(local: Any, host: str) -> None:
    answer = local.ask("GET", "/v1/executions", headers={"host": host})
    assert (answer.status, answer.kind) == (403, "forbidden-host")
    assert "STEPFAST_API_KEYS" in answer.body["detail"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"])
def test_pages_of_other_sites_are_refused(local: Any, origin: str) -> None:
    for method, path in (("POST", "/v1/executions/one/cancel"), ("GET", "/v1/executions")):
        answer = local.ask(method, path, headers={"origin": origin})
        assert (answer.status, answer.kind) == (403, "forbidden-origin")


def test_a_page_of_this_machine_may_ask(local: Any) -> None:
    assert local.ask("GET", "/v1/executions", headers={"origin": "http://localhost:5173"}).status == 200


ITS_OWN = [
    {"origin": "http://localhost:8787", "sec-fetch-site": "same-origin"},
    {"origin": "http://LOCALHOST:8787"},
    {"origin": "https://localhost:8787"},
    {"sec-fetch-site": "none"},
    {},
]
OF_OTHERS = [
    {"origin": "http://localhost:3000"},
    {"origin": "http://localhost"},
    {"origin": "http://127.0.0.1:8787"},
    {"origin": "http://localhost:8787.evil.example"},
    {"origin": "http://evil@localhost:8787"},
    {"origin": "javascript://localhost:8787"},
    {"origin": "chrome-extension://localhost:8787"},
    {"origin": "null"},
    {"origin": ""},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
]


@pytest.mark.parametrize("headers", ITS_OWN)
def test_its_own_page_and_programs_may_change_things(local: Any, headers: dict[str, str]) -> None:
    for action in ("cancel", "resume"):
        answer = local.ask("POST", f"/v1/executions/one/{action}", headers=headers)
        assert (answer.status, answer.kind) == (404, "execution-not-found")


@pytest.mark.parametrize("headers", OF_OTHERS)
def test_pages_of_other_ports_change_nothing_although_they_need_no_body(local: Any, headers: dict[str, str]) -> None:
    for action in ("cancel", "resume"):
        answer = local.ask("POST", f"/v1/executions/one/{action}", headers=headers)
        assert (answer.status, answer.kind) == (403, "forbidden-origin")


def test_a_link_from_elsewhere_leads_to_the_page_and_an_image_to_nothing(local: Any) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert local.ask("GET", "/v1/health", headers=link).status == 200
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert local.ask("GET", "/v1/health", headers=image).status == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1#evil.com", "evil.com@127.0.0.1", "localhost:", "localhost:x", "127.0.0.1/a"]
)
def test_a_host_is_a_name_and_a_port_and_nothing_else(local: Any, host: str) -> None:
    assert local.ask("GET", "/v1/health", headers={"host": host}).status == 403


def test_what_a_page_can_send_unasked_is_no_json(local: Any) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert local.ask("POST", START, {}, headers={"content-type": kind}).status == 415
