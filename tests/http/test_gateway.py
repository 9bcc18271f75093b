"""WSGI to API Gateway events and back: in isolation, then through the real web server."""

from __future__ import annotations

import base64
import io
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast import workflow
from stepfast.http.bodies import MAX_BODY
from stepfast.http.gateway import Unreadable, application, to_event
from tests.http.serving import served


def environ(**more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    setup_testing_defaults(made)
    body = more.pop("body", None)
    if body is not None:
        made |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "REQUEST_METHOD": "POST"}
    return made | more


def wsgi(text: str) -> str:
    """Text as WSGI hands it over: its UTF-8 bytes as latin-1."""
    return text.encode().decode("latin-1")


def respond(response: dict[str, Any], **more: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    told: list[Any] = []
    app = application(lambda event, context: response)
    body = b"".join(app(environ(**more), lambda status, headers, *_: told.extend((status, headers))))  # type: ignore[arg-type]
    return told[0], told[1], body


# -- the event ----------------------------------------------------------------------------------------------


def test_an_event_has_what_a_handler_reads() -> None:
    event = to_event(
        environ(
            REQUEST_METHOD="POST",
            PATH_INFO="/v1/things",
            QUERY_STRING="a=1&b=x%20y&a=2&empty=",
            HTTP_HOST="localhost:1",
            HTTP_X_API_KEY="k",
            HTTP_COOKIE="one=1; two=2",
            HTTP_USER_AGENT="ua",
            REMOTE_ADDR="127.0.0.1",
            body=b'{"a": "\xc3\xa9"}',
            CONTENT_TYPE="application/json",
        )
    )
    assert event["version"] == "2.0"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/v1/things"
    assert event["rawQueryString"] == "a=1&b=x%20y&a=2&empty="
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y", "empty": ""}
    assert event["cookies"] == ["one=1", "two=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-api-key"] == "k"
    assert event["headers"]["content-type"] == "application/json"
    assert event["headers"]["content-length"] == "11"
    assert event["body"] == '{"a": "é"}'
    assert event["isBase64Encoded"] is False
    http = event["requestContext"]["http"]
    assert (http["method"], http["sourceIp"], http["userAgent"]) == ("POST", "127.0.0.1", "ua")
    assert event["requestContext"]["stage"] == "$default"


def test_what_is_not_there_is_left_out_as_api_gateway_does() -> None:
    event = to_event(environ())
    assert not {"body", "cookies", "queryStringParameters"} & set(event)
    assert event["rawQueryString"] == ""


@pytest.mark.parametrize(
    ("path", "raw"), [("/é/🎉", "/é/🎉"), ("/a/b", "/a/b"), ("", "/"), ("/a%2Fb", "/a%2Fb"), ("/a b", "/a b")]
)
def test_the_path_comes_decoded(path: str, raw: str) -> None:
    assert to_event(environ(PATH_INFO=wsgi(path)))["rawPath"] == raw


def test_bytes_that_are_no_text_are_replaced_in_paths_and_base64_in_bodies() -> None:
    event = to_event(environ(PATH_INFO="/\xff", QUERY_STRING="q=\xff", body=b"\xff\x00"))
    assert event["rawPath"] == "/\N{REPLACEMENT CHARACTER}"
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"CONTENT_LENGTH": "many"}, 400),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"CONTENT_LENGTH": "²"}, 400),
        ({"CONTENT_LENGTH": "5", "wsgi.input": io.BytesIO(b"abc")}, 400),
        ({"CONTENT_LENGTH": str(MAX_BODY + 1)}, 413),
        ({"CONTENT_LENGTH": "9" * 5000}, 413),
    ],
)
def test_unreadable_bodies_are_refused_before_the_handler(more: dict[str, Any], status: int) -> None:
    with pytest.raises(Unreadable) as refused:
        to_event(environ(REQUEST_METHOD="POST", **more))
    assert refused.value.status == status
    line, headers, body = respond({"statusCode": 200}, REQUEST_METHOD="POST", **more)
    assert line.startswith(str(status))
    assert ("Content-Type", "application/problem+json") in headers
    assert json.loads(body)["type"].startswith("urn:stepfast:problem:")


class _BrokenOff(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


def test_a_body_that_breaks_off_is_refused() -> None:
    with pytest.raises(Unreadable, match="broke off"):
        to_event(environ(REQUEST_METHOD="POST", CONTENT_LENGTH="3", **{"wsgi.input": _BrokenOff()}))


@given(
    st.binary(max_size=40), st.binary(max_size=40), st.dictionaries(st.text("ABC_", min_size=1), st.text(max_size=9))
)
def test_any_bytes_make_an_event_that_is_json(path: bytes, query: bytes, headers: dict[str, str]) -> None:
    event = to_event(
        environ(
            PATH_INFO=path.decode("latin-1"),
            QUERY_STRING=query.decode("latin-1"),
            **{f"HTTP_{name}": value for name, value in headers.items()},
        )
    )
    assert json.loads(json.dumps(event)) == event
    json.dumps(event, ensure_ascii=False).encode()


# -- the response -------------------------------------------------------------------------------------------


def test_a_response_goes_back_with_headers_cookies_and_length() -> None:
    line, headers, body = respond(
        {
            "statusCode": 201,
            "headers": {"Content-Type": "application/json", "content-length": "999"},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "é",
            "isBase64Encoded": False,
        }
    )
    assert (line, body) == ("201 Created", "é".encode())
    assert headers == [
        ("Content-Type", "application/json"),
        ("Set-Cookie", "a=1; Secure"),
        ("Set-Cookie", "b=2"),
        ("Content-Length", "2"),
    ]


def test_base64_bodies_odd_statuses_and_missing_parts_go_back() -> None:
    assert respond({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True})[2] == b"\x00\xff"
    assert respond({"statusCode": 299})[0] == "299 Unknown"
    assert respond({"statusCode": 204, "headers": None, "cookies": None, "body": None})[2] == b""


def test_the_answer_to_head_has_no_body() -> None:
    _, headers, body = respond({"statusCode": 200, "body": "abc"}, REQUEST_METHOD="HEAD")
    assert (body, headers) == (b"", [("Content-Length", "3")])


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
        return all((one.status, one.body["input"]) == (200, number) for one in answers)

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
