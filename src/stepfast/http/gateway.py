"""Translates ASGI requests into API Gateway's HTTP API events (payload 2.0), and the answers back.

The format: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

A request is authorized before its body is read, and its body is read before it gets a thread: a caller without a key
costs no memory, and a slow sender costs no thread.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stepfast.errors import PROBLEM_URN
from stepfast.http.bodies import MAX_BODY
from stepfast.http.lanes import Lanes, ThreadLane
from stepfast.http.problems import CONTENT_TYPE
from stepfast.http.streaming import EventStreams
from stepfast.http.waiting import ClientGone, HeldRequests, WaitAsked
from stepfast.records import dataclass

__all__ = ["MAX_BODY", "application", "to_event"]

log = logging.getLogger(__name__)

Object = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Handler = Callable[[Object, object], Object]

MAX_HEAD_BYTES = 64 * 1024
"""The largest request line and headers together, in bytes."""
MAX_HELD_BYTES = 25 * MAX_BODY
"""Bytes of all request bodies in memory at a time; a further large body waits."""
UNCOUNTED_BYTES = 64 * 1024
"""A body up to this size does not count: uvicorn buffers that much for every connection anyway."""
CHUNK_BYTES = 256 * 1024
"""Bytes of an answer passed to the connection at a time."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_POSTS = frozenset({"/v1/executions/statuses"})


@dataclass(frozen=True, slots=True)
class Pace:
    """The slowest pace of a body: `grace` seconds, plus one second for each `rate` bytes received."""

    grace: float = 15.0
    rate: int = 8 * 1024


class Unreadable(Exception):
    """A request that cannot become an event: the status of the answer, its problem type and the reason."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail


def application(
    handler: Handler,
    lanes: Lanes[Object],
    admit: Callable[[Object], Object | None] | None = None,
    pace: Pace | None = None,
    waiting: HeldRequests | None = None,
    streams: EventStreams | None = None,
) -> Application:
    """An ASGI application that calls a Lambda handler for each request, in a thread of one of the lanes.

    admit: called first, on the event loop, with the event without its body; a response from it refuses the request.
    pace: how slowly a body may arrive.
    waiting: holds back the requests that wait for the end of an execution; None answers them at once.
    streams: streams the changes of an execution; None answers requests for a stream with JSON.
    """
    bodies, speed = _BodyMemory(MAX_HELD_BYTES), pace or Pace()

    async def respond(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", scope["type"]
        taken, follows = False, None
        try:
            event = to_event(scope)
            declared = _declared(event["headers"])
            response = admit(event) if admit is not None else None
            if response is None:
                async with bodies.room(min(declared, MAX_BODY), speed.grace):
                    _add_body(event, await _read(receive, declared, speed))
                    taken = True
                    lane, asked = lanes[lane_of(event)], waiting.asked(event) if waiting is not None else None
                    streamed = streams.asked(event) if streams is not None else None
                    if streams is not None and streamed is not None:
                        response = await streams.run(
                            streamed, event, lambda each: lane.run(handler, each, None), receive, send
                        )
                        if response is None:
                            return
                    elif waiting is None or asked is None:
                        response = await lane.run(handler, event, None)
                        follows = waiting.after(event, response) if waiting is not None else None
                    else:
                        response = await waiting.run(asked, lambda: lane.run(handler, event, None), receive)
            taken = taken or declared == 0
            if waiting is not None and follows is not None:
                response = await _answered(waiting, follows, response, lanes["read"], handler, receive)
        except ClientGone:
            return
        except Unreadable as error:
            response = _refusal(error)
        except Exception as error:  # the handler never raises, so the mistake is in this module
            log.error("a request failed on %s before it reached its route", type(error).__name__)
            response = _refusal(Unreadable(500, "internal-error", "this is a mistake of stepfast's"))
        await _answer(send, response, scope["method"], ends=not taken)

    return respond


async def _answered(
    waiting: HeldRequests,
    follows: tuple[WaitAsked, Object],
    stored: Object,
    lane: ThreadLane[Object],
    handler: Handler,
    receive: Receive,
) -> Object:
    """The answer of an update that was stored; how it was stored, where its sender may not read the answer."""
    asked, read = follows
    response = await waiting.run(asked, lambda: lane.run(handler, read, None), receive)
    return response if int(response["statusCode"]) in (200, 202) else stored


def lane_of(event: Object) -> str:
    """The lane of threads that works on a request."""
    path: str = event["rawPath"]
    if path == "/v1/health":
        return "health"
    reads = event["requestContext"]["http"]["method"] in _READS or path in _READING_POSTS
    return "read" if reads else "write"


def to_event(scope: MutableMapping[str, Any]) -> Object:
    """The event that API Gateway would make of a request, without the body. Raises Unreadable if it is ambiguous.

    As in API Gateway, the path is decoded (%2F is a slash) and the query string is not, header names are in lower case,
    and duplicate headers are joined by commas.
    """
    raw_query = scope["query_string"].decode(errors="replace")
    if (
        len(scope["path"]) + len(raw_query) + sum(len(name) + len(value) for name, value in scope["headers"])
        > MAX_HEAD_BYTES
    ):
        # h11 applies its limit only to an event that arrives in several pieces.
        raise Unreadable(431, "headers-too-large", "the request line and the headers are too long")
    headers = _headers(scope)
    if "transfer-encoding" in headers and "content-length" in headers:
        # A proxy in front may have trusted the other header, which allows request smuggling (RFC 9112, section 6.3).
        raise Unreadable(400, "unreadable-body", "Transfer-Encoding and Content-Length contradict each other")
    cookies = [cookie.strip() for cookie in headers.pop("cookie", "").split(";") if cookie.strip()]
    path = _path(scope["path"])
    now = time.time()
    event: Object = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": raw_query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": headers.get("host", ""),
            "domainPrefix": "",
            "http": {
                "method": scope["method"],
                "path": path,
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": (scope.get("client") or ("",))[0],
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": _time_text(int(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if raw_query:
        joined: dict[str, str] = {}
        for name, value in parse_qsl(raw_query, keep_blank_values=True):
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        event["queryStringParameters"] = joined
    return event


@functools.lru_cache(maxsize=4)
def _time_text(second: int) -> str:
    """A time as API Gateway writes it."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))


def _path(path: str) -> str:
    """The path as valid Unicode. A request to a proxy names the whole URL (RFC 9112, section 3.2.2)."""
    if path.lower().startswith(("http://", "https://")):
        try:
            path = urlsplit(path).path
        except ValueError as error:
            raise Unreadable(400, "malformed-request", "the request's URL cannot be read") from error
    return path.encode(errors="replace").decode() or "/"


def _headers(scope: MutableMapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode(errors="replace")
        between = "; " if name == "cookie" else ","
        headers[name] = f"{headers[name]}{between}{value}" if name in headers else value
    return headers


# -- bodies -----------------------------------------------------------------------------------------------------


_NOTHING: contextlib.AbstractAsyncContextManager[None] = contextlib.nullcontext()


class _BodyMemory:
    """The memory for request bodies. A body reserves all it needs at once, so two bodies cannot block each other."""

    def __init__(self, size: int) -> None:
        self._free, self._changed = size, asyncio.Condition()

    def room(self, size: int, patience: float) -> contextlib.AbstractAsyncContextManager[None]:
        """Has the room for a body while the block runs. Raises Unreadable (503) after `patience` seconds."""
        return _NOTHING if size <= UNCOUNTED_BYTES else self._taken(size, patience)

    @contextlib.asynccontextmanager
    async def _taken(self, size: int, patience: float) -> AsyncIterator[None]:
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: self._free >= size), patience)
            except TimeoutError:
                raise Unreadable(503, "unavailable", "too many large bodies at a time; try again") from None
            self._free -= size
        try:
            yield
        finally:
            async with self._changed:
                self._free += size
                self._changed.notify_all()


def _declared(headers: dict[str, str]) -> int:
    """The largest size in bytes that the body may have. Raises Unreadable (413) if it declares more than MAX_BODY."""
    if "transfer-encoding" in headers:
        return MAX_BODY
    declared = headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()):
        raise Unreadable(400, "unreadable-body", "Content-Length is not a number")
    length = int(declared) if len(declared) < 20 else MAX_BODY + 1
    if length > MAX_BODY:
        raise _too_large()
    return length


async def _read(receive: Receive, declared: int, pace: Pace) -> bytes:
    body = bytearray()
    if not declared:
        return b""
    begun = time.monotonic()
    while True:
        left = begun + pace.grace + len(body) / pace.rate - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, left)):
                message = await receive()
        except TimeoutError:
            raise Unreadable(408, "request-timeout", "the body did not arrive in time") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _add_body(event: Object, body: bytes) -> None:
    if not body:
        return
    try:
        event["body"] = body.decode()
    except UnicodeDecodeError:
        event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True


def _too_large() -> Unreadable:
    return Unreadable(413, "body-too-large", f"a body may have {MAX_BODY} bytes")


# -- answers ----------------------------------------------------------------------------------------------------


def _refusal(error: Unreadable) -> Object:
    title = HTTPStatus(error.status).phrase
    problem = {"type": PROBLEM_URN + error.kind, "title": title, "status": error.status, "detail": error.detail}
    headers = {"Content-Type": CONTENT_TYPE, **({"Retry-After": "1"} if error.status == 503 else {})}
    return {"statusCode": error.status, "headers": headers, "body": json.dumps(problem)}


async def _answer(send: Send, response: Object, method: str, ends: bool) -> None:
    """Sends a Lambda response. ends: the body was not read, so the connection cannot take another request."""
    status, body = int(response["statusCode"]), _body_of(response)
    headers = _headers_of(response)
    # 204 and 304 have no body. On a 304, Content-Length: 0 would describe the body that a 200 would have had.
    if status not in (204, 304):
        headers.append((b"content-length", str(len(body)).encode()))
    if ends:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if method == "HEAD" or status in (204, 304):
        body = b""
    for begin in range(0, len(body), CHUNK_BYTES):
        more = begin + CHUNK_BYTES < len(body)
        await send({"type": "http.response.body", "body": body[begin : begin + CHUNK_BYTES], "more_body": more})
    if not body:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _body_of(response: Object) -> bytes:
    body = response.get("body") or ""
    return base64.b64decode(body) if response.get("isBase64Encoded") else str(body).encode()


def _headers_of(response: Object) -> list[tuple[bytes, bytes]]:
    headers = [(str(name).lower(), str(value)) for name, value in (response.get("headers") or {}).items()]
    headers += [("set-cookie", cookie) for cookie in response.get("cookies") or []]
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers if name != "content-length"]
