"""HTTP API: events of payload 2.0, the authorizer, what the gateway answers by itself."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from stepfast.simulator.gateway import GatewayRequest
from stepfast.simulator.player import Player
from stepfast.simulator.sandbox import Sandbox
from tests.simulator.conftest import Toys


def authorize(event: Any) -> Any:
    return {"isAuthorized": event["headers"].get("authorization") == "Bearer sesame", "context": {"scopes": "run"}}


@pytest.fixture
def asked(player: Player, toys: Toys) -> Toys:
    """An API that answers with 201, an authorizer that knows one key."""
    api = toys.function(lambda event: {"statusCode": 201, "headers": {"X-A": "b"}, "body": "{}"}, "api")
    guard = Toys(player)
    player.gateway(api, guard.function(authorize, "authorizer"))
    return toys


def test_a_request_reaches_the_function_as_an_event_of_payload_two(player: Player, asked: Toys) -> None:
    response = player.request("POST", "/v1/a%20b", {"n": 1}, key="sesame", headers={"X-Mine": "1"}, query={"q": "x y"})
    assert (response.status, response.headers, response.json()) == (201, {"x-a": "b"}, {})
    (_, event) = asked.events[0]
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/v1/a b", "q=x+y")
    assert event["queryStringParameters"] == {"q": "x y"}
    assert event["headers"]["x-mine"] == "1"
    assert event["headers"]["content-type"] == "application/json"
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    context = event["requestContext"]
    assert context["http"]["method"] == "POST"
    assert context["timeEpoch"] == int(player.world.clock.now * 1000)
    assert context["authorizer"] == {"lambda": {"scopes": "run"}}


@pytest.mark.parametrize("key", [None, "wrong"])
def test_who_is_not_authorized_does_not_reach_the_function(player: Player, asked: Toys, key: str | None) -> None:
    response = player.request("GET", "/v1/executions", key=key)
    assert (response.status, response.json()) == (403, {"message": "Forbidden"})
    assert asked.events == []


def test_the_authorizer_sees_no_body(player: Player, toys: Toys) -> None:
    api = player.function("api", lambda sandbox: lambda event, context: {"statusCode": 200})
    player.gateway(api, toys.function(authorize, "authorizer"))
    player.request("POST", "/v1", {"secret": 1}, key="sesame")
    (_, event) = toys.events[0]
    assert "body" not in event
    assert (event["version"], event["type"]) == ("2.0", "REQUEST")


def test_an_authorizer_that_fails_is_an_error_of_the_server(player: Player, toys: Toys) -> None:
    def fail(event: Any) -> None:
        raise ValueError("no")

    player.gateway(toys.function(lambda event: {"statusCode": 200}, "api"), toys.function(fail, "authorizer"))
    assert player.request("GET", "/").status == 500


def test_a_function_that_fails_or_hangs_is_an_error_of_the_gateway(player: Player) -> None:
    def build(sandbox: Sandbox) -> Any:
        def handler(event: Any, context: Any) -> Any:
            if event["rawPath"] == "/hang":
                sandbox.call(asyncio.sleep(3600))
            raise ValueError("no")

        return handler

    player.gateway(player.function("api", build, timeout=29))
    assert player.request("GET", "/fail").status == 500
    assert player.request("GET", "/hang").status == 503


def test_what_is_no_answer_becomes_one_of_two_hundred(player: Player, toys: Toys) -> None:
    player.gateway(toys.function(lambda event: {"hello": 1}, "api"))
    response = player.request("GET", "/")
    assert (response.status, response.json()) == (200, {"hello": 1})


def test_requests_at_one_moment_are_served_beside_each_other(player: Player) -> None:
    def build(sandbox: Sandbox) -> Any:
        def handler(event: Any, context: Any) -> Any:
            sandbox.call(asyncio.sleep(1))
            return {"statusCode": 200}

        return handler

    player.gateway(player.function("api", build))
    began = player.now
    answers = player.request_all(*(GatewayRequest("GET", "/") for _ in range(50)))
    assert [one.status for one in answers] == [200] * 50
    assert player.now - began == timedelta(seconds=1)


def test_a_request_out_of_a_running_function_is_served_while_it_waits(player: Player, asked: Toys) -> None:
    def build(sandbox: Sandbox) -> Any:
        return lambda event, context: player.request("GET", "/", key="sesame").status

    player.function("inner", build)
    assert player.invoke("inner", None).result == 201
