"""ASGI to API Gateway events and back: in isolation, then through the real web server."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast import workflow
from stepfast.http.bodies import MAX_BODY
from stepfast.http.gateway import Pace, application, to_event
from stepfast.http.lanes import Lanes
from tests.http.serving import served


def scope_of(**more: Any) -> dict[str, Any]:
    """What an ASGI server makes of a request."""
    made = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 5),
    }
    return made | more


def respond(handler: Any, *messages: dict[str, Any], admit: Any = None, **more: Any) -> tuple[int, Any, bytes]:
    """Status, headers and body of the answer to a request whose body arrives in these messages."""
    arriving, sent = list(messages), list[Any]()

    async def receive() -> dict[str, Any]:
        return arriving.pop(0) if arriving else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        lanes: Lanes[Any] = Lanes()
        answer = handler if callable(handler) else lambda event, context: handler
        await application(answer, lanes, admit, Pace(grace=0.05))(scope_of(**more), receive, send)
        lanes.close()

    asyncio.run(ask())
    if not sent:
        return 0, [], b""
    return sent[0]["status"], sent[0]["headers"], b"".join(message["body"] for message in sent[1:])


def body_of(*parts: bytes) -> list[dict[str, Any]]:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    return [*messages[:-1], {**messages[-1], "more_body": False}]


def kind_of(body: bytes) -> str:
    return str(json.loads(body)["type"]).removeprefix("urn:stepfast:problem:")


# -- the event ----------------------------------------------------------------------------------------------


def test_an_event_has_what_a_handler_reads() -> None:
    events: list[Any] = []
    headers = {
        "host": "localhost:1",
        "x-api-key": "k",
        "cookie": "one=1; two=2",
        "user-agent": "ua",
        "content-type": "application/json",
        "content-length": "11",
        "x-many": "a",
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()] + [(b"x-many", b"b")]
    respond(
        lambda event, context: events.append(event) or {"statusCode": 200},
        *body_of(b'{"a": ', b'"\xc3\xa9"}'),
        method="POST",
        path="/v1/things",
        query_string=b"a=1&b=x%20y&a=2&empty=",
        headers=raw,
    )
    [event] = events
    assert event["version"] == "2.0"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/v1/things"
    assert event["rawQueryString"] == "a=1&b=x%20y&a=2&empty="
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y", "empty": ""}
    assert event["cookies"] == ["one=1", "two=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-api-key"] == "k"
    assert event["headers"]["x-many"] == "a,b"
    assert event["headers"]["content-type"] == "application/json"
    assert event["body"] == '{"a": "é"}'
    assert event["isBase64Encoded"] is False
    http = event["requestContext"]["http"]
    assert (http["method"], http["sourceIp"], http["userAgent"]) == ("POST", "127.0.0.1", "ua")
    assert event["requestContext"]["stage"] == "$default"


def test_what_is_not_there_is_left_out_as_api_gateway_does() -> None:
    event = to_event(scope_of())
    assert not {"body", "cookies", "queryStringParameters"} & set(event)
    assert event["rawQueryString"] == ""


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/é/🎉", "/é/🎉"),
        ("", "/"),
        ("/a b", "/a b"),
        ("http://evil.example/v1/health", "/v1/health"),
        ("HTTP://evil.example", "/"),
        ("*", "*"),
        ("/\udcff", "/?"),
    ],
)
def test_the_path_is_what_the_server_has_decoded(path: str, raw: str) -> None:
    assert to_event(scope_of(path=path))["rawPath"] == raw


def test_bytes_that_are_no_text_are_replaced_in_queries_and_base64_in_bodies() -> None:
    events: list[Any] = []
    respond(
        lambda event, context: events.append(event) or {"statusCode": 200},
        *body_of(b"\xff\x00"),
        query_string=b"q=\xff",
        method="POST",
        headers=[(b"content-length", b"2")],
    )
    assert events[0]["rawQueryString"] == "q=\N{REPLACEMENT CHARACTER}"
    assert events[0]["isBase64Encoded"] is True
    assert base64.b64decode(events[0]["body"]) == b"\xff\x00"


@given(st.text(max_size=40), st.binary(max_size=40), st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9))))
def test_any_bytes_make_an_event_that_is_json(path: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    kept = [pair for pair in headers if pair[0].lower() not in (b"transfer-encoding", b"content-length")]
    event = to_event(scope_of(path="/" + path, query_string=query, headers=kept))
    assert json.loads(json.dumps(event)) == event
    json.dumps(event, ensure_ascii=False).encode()


# -- bodies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "messages", "status", "kind"),
    [
        ({"content-length": "many"}, [], 400, "unreadable-body"),
        ({"content-length": "-1"}, [], 400, "unreadable-body"),
        ({"content-length": str(MAX_BODY + 1)}, [], 413, "body-too-large"),
        ({"content-length": "9" * 5000}, [], 413, "body-too-large"),
        ({"content-length": "5", "transfer-encoding": "chunked"}, [], 400, "unreadable-body"),
        ({"content-length": "5"}, [], 408, "request-timeout"),
        ({"content-length": "5"}, body_of(b"ab", b"c")[:1], 408, "request-timeout"),
        ({"transfer-encoding": "chunked"}, body_of(b"x" * MAX_BODY, b"x", b"x")[:2], 413, "body-too-large"),
    ],
)
def test_unreadable_bodies_are_refused_before_the_handler(
    headers: dict[str, str], messages: list[Any], status: int, kind: str
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answered, answer_headers, body = respond(lambda *_: pytest.fail("the handler was asked"), *messages, headers=raw)
    assert (answered, kind_of(body)) == (status, kind)
    assert (b"content-type", b"application/problem+json") in answer_headers
    assert (b"connection", b"close") in answer_headers


def test_nobody_answers_a_client_that_has_gone() -> None:
    gone = {"type": "http.disconnect"}
    headers = [(b"content-length", b"3")]
    assert respond(lambda *_: pytest.fail("the handler was asked"), gone, headers=headers)[0] == 0


def test_a_body_is_not_taken_from_whom_is_not_admitted() -> None:
    refusal = {"statusCode": 401, "headers": {"Content-Type": "application/json"}, "body": "{}"}
    headers = [(b"content-length", b"1000")]
    status, answer_headers, _ = respond(lambda *_: pytest.fail("asked"), admit=lambda event: refusal, headers=headers)
    assert (status, (b"connection", b"close") in answer_headers) == (401, True)


def test_what_fails_outside_of_the_handler_is_a_problem_too() -> None:
    status, _, body = respond({"statusCode": 200}, admit=lambda event: 1 / 0)
    assert (status, kind_of(body)) == (500, "internal-error")


# -- the response -------------------------------------------------------------------------------------------


def test_a_response_goes_back_with_headers_cookies_and_length() -> None:
    status, headers, body = respond(
        {
            "statusCode": 201,
            "headers": {"Content-Type": "application/json", "content-length": "999"},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "é",
            "isBase64Encoded": False,
        }
    )
    assert (status, body) == (201, "é".encode())
    assert headers == [
        (b"content-type", b"application/json"),
        (b"set-cookie", b"a=1; Secure"),
        (b"set-cookie", b"b=2"),
        (b"content-length", b"2"),
    ]


def test_base64_bodies_large_ones_and_missing_parts_go_back() -> None:
    assert respond({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True})[2] == b"\x00\xff"
    assert respond({"statusCode": 204, "headers": None, "cookies": None, "body": None})[1:] == ([], b"")
    assert respond({"statusCode": 200, "body": "x" * 1_000_000})[2] == b"x" * 1_000_000


def test_the_answer_to_head_has_no_body() -> None:
    _, headers, body = respond({"statusCode": 200, "body": "abc"}, method="HEAD")
    assert (body, headers) == (b"", [(b"content-length", b"3")])


# -- through the web server -----------------------------------------------------------------------------------


@workflow("echo")
async def echo(value: Any) -> Any:
    return value


@pytest.fixture
def url(serve: Any) -> Any:
    with served(serve(echo).handler) as address:
        yield address


def raw(url: str, request: bytes) -> bytes:
    """Sends bytes as they are; returns everything that comes back."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_routes_answer_over_http(url: str) -> None:
    with httpx.Client(base_url=url) as http:
        started = http.post("/v1/workflows/echo/executions", json={"input": "é", "execution_id": "e.1"})
        assert (started.status_code, started.headers["location"]) == (201, "/v1/executions/e.1")
        assert http.get("/v1/executions/e%2E1").json()["input"] == "é"
        assert http.get("/v1/executions/e%2F1").status_code == 404
        assert http.get("/v1/executions", params={"label": ["a:b", "c:d"]}).json()["executions"] == []
        assert http.head("/v1/health").status_code == 405
        assert http.get("/v1/health").headers["content-type"] == "application/json"


def test_requests_served_at_the_same_time_do_not_mix(serve: Any) -> None:
    api = serve(echo)
    for number in range(16):
        api.start("echo", number, str(number))

    def ask(number: int) -> bool:
        answers = [api.ask("GET", f"/v1/executions/{number}", query="commands=false") for _ in range(60)]
        return all((answer.status, answer.body["input"]) == (200, number) for answer in answers)

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(16)))


def test_a_body_of_ten_megabytes_is_taken_and_a_larger_one_is_not(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as http:
        fits = json.dumps({"input": "x" * (MAX_BODY - 13)}).encode()
        assert len(fits) == MAX_BODY
        headers = {"content-type": "application/json"}
        assert http.post("/v1/workflows/echo/executions", content=fits, headers=headers).status_code == 201
        answer = http.post("/v1/workflows/echo/executions", content=fits + b" ", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:stepfast:problem:body-too-large")


def test_chunked_bodies_are_read(url: str) -> None:
    def chunks() -> Any:
        yield b'{"input":'
        yield b" 7}"

    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{url}/v1/workflows/echo/executions", content=chunks(), headers=headers)
    assert (answer.status_code, answer.json()["input"]) == (201, 7)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /v1/executions/%C3%A9 HTTP/1.1", b"422"),
        (b"GET /v1/executions/%ff%fe HTTP/1.1", b"404"),
        (b"GET /v1/executions/%00 HTTP/1.1", b"404"),
        (b"GET /v1/executions?cursor=%ff%zz HTTP/1.1", b"422"),
        (b"GET http://evil.example/v1/health HTTP/1.1", b"200"),
        (b"BREW /v1/health HTTP/1.1", b"405"),
    ],
)
def test_rubbish_on_the_wire_is_answered(url: str, request_line: bytes, status: bytes) -> None:
    answer = raw(url, request_line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ", 2)[1] == status, answer


def test_a_foreign_host_is_refused_on_the_wire(url: str) -> None:
    answer = raw(url, b"GET /v1/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ", 2)[1] == b"403"
