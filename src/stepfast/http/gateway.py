"""ASGI in front, API Gateway's HTTP API events (payload 2.0) behind: a translation and nothing else.

A request is let in before its body is taken, and its body is taken before a thread is: so a caller without a key costs
no memory, and one that sends slowly costs no thread.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stepfast.http.bodies import MAX_BODY
from stepfast.http.lanes import Lanes
from stepfast.http.problems import CONTENT_TYPE, URN

__all__ = ["MAX_BODY", "application", "to_event"]

log = logging.getLogger(__name__)

Object = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Handler = Callable[[Object, object], Object]

HEAD = 64 * 1024
"""Bytes that the request line and the headers may have."""
BODIES = 25 * MAX_BODY
"""Bytes of bodies that are held at a time; who sends more waits."""
SMALL = 64 * 1024
"""Bytes of a body that is not counted: uvicorn holds as many for each connection anyway."""
PIECE = 256 * 1024
"""Bytes of an answer that are handed to the connection at a time."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_POSTS = frozenset({"/v1/executions/statuses"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a body may come: within `grace` seconds, and a second more for each `rate` bytes that are there."""

    grace: float = 15.0
    rate: int = 8 * 1024


class Unreadable(Exception):
    """A request that cannot be made an event: the status to answer with, a type, and why."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail


class Gone(Exception):
    """The client has gone: nobody waits for an answer."""


def application(
    handler: Handler,
    lanes: Lanes[Object],
    admit: Callable[[Object], Object | None] | None = None,
    pace: Pace | None = None,
) -> Application:
    """An ASGI application that asks a Lambda handler for every answer, in a thread of one of the lanes.

    admit: asked first, on the event loop, with the event as it is without its body; its answer, if it gives one, is
    the request's.
    """
    bodies, speed = _Room(BODIES), pace or Pace()

    async def respond(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", scope["type"]
        taken = False
        try:
            event = to_event(scope)
            declared = _declared(event["headers"])
            response = admit(event) if admit is not None else None
            if response is None:
                async with bodies.taken(min(declared, MAX_BODY), speed.grace):
                    _add_body(event, await _read(receive, declared, speed))
                    taken = True
                    response = await lanes[lane_of(event)].run(handler, event, None)
            taken = taken or declared == 0
        except Gone:
            return
        except Unreadable as error:
            response = _refusal(error)
        except Exception as error:  # a handler answers whatever happens; only what is here can fail
            log.error("a request failed on %s before it reached its route", type(error).__name__)
            response = _refusal(Unreadable(500, "internal-error", "this is a mistake of stepfast's"))
        await _answer(send, response, scope["method"], ends=not taken)

    return respond


def lane_of(event: Object) -> str:
    """Which threads a request is worked on by."""
    path: str = event["rawPath"]
    if path == "/v1/health":
        return "health"
    reads = event["requestContext"]["http"]["method"] in _READS or path in _READING_POSTS
    return "read" if reads else "write"


def to_event(scope: MutableMapping[str, Any]) -> Object:
    """The event that API Gateway would make of a request without a body; Unreadable for an ambiguous one.

    As there, the path is decoded (so %2F is a slash), the query string is not, header names are in lower case, and
    duplicates are joined by commas.
    """
    raw_query = scope["query_string"].decode(errors="replace")
    if len(scope["path"]) + len(raw_query) + sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD:
        # h11 counts only what arrives in more than one piece.
        raise Unreadable(431, "headers-too-large", "the request line and the headers are too long")
    headers = _headers(scope)
    if "transfer-encoding" in headers and "content-length" in headers:
        # Whatever stands in front may have believed the other of the two (RFC 9112, section 6.3).
        raise Unreadable(400, "unreadable-body", "Transfer-Encoding and Content-Length contradict each other")
    cookies = [one.strip() for one in headers.pop("cookie", "").split(";") if one.strip()]
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
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
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


def _path(path: str) -> str:
    """A path that JSON can carry; a proxy's request names the whole URL (RFC 9112, section 3.2.2)."""
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


class _Room:
    """Memory for bodies; each takes its room at once, so that no two wait for what the other has."""

    def __init__(self, size: int) -> None:
        self._free, self._changed = size, asyncio.Condition()

    @contextlib.asynccontextmanager
    async def taken(self, size: int, patience: float) -> AsyncIterator[None]:
        if size <= SMALL:
            yield
            return
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
    """Bytes that the body may have; Unreadable for more than are taken."""
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
            message = await asyncio.wait_for(receive(), max(0.0, left))
        except TimeoutError:
            raise Unreadable(408, "request-timeout", "the body did not arrive in time") from None
        if message["type"] == "http.disconnect":
            raise Gone
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
    problem = {"type": URN + error.kind, "title": title, "status": error.status, "detail": error.detail}
    headers = {"Content-Type": CONTENT_TYPE, **({"Retry-After": "1"} if error.status == 503 else {})}
    return {"statusCode": error.status, "headers": headers, "body": json.dumps(problem)}


async def _answer(send: Send, response: Object, method: str, ends: bool) -> None:
    """Sends a Lambda response. ends: the request's body was not taken, so no other request can follow it."""
    status, body = int(response["statusCode"]), _body_of(response)
    headers = _headers_of(response)
    # A 204 or 304 has no body, and a Content-Length of 0 would be read as the length of the body it stands for.
    if status not in (204, 304):
        headers.append((b"content-length", str(len(body)).encode()))
    if ends:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if method == "HEAD" or status in (204, 304):
        body = b""
    for begin in range(0, len(body), PIECE):
        more = begin + PIECE < len(body)
        await send({"type": "http.response.body", "body": body[begin : begin + PIECE], "more_body": more})
    if not body:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _body_of(response: Object) -> bytes:
    body = response.get("body") or ""
    return base64.b64decode(body) if response.get("isBase64Encoded") else str(body).encode()


def _headers_of(response: Object) -> list[tuple[bytes, bytes]]:
    headers = [(str(name).lower(), str(value)) for name, value in (response.get("headers") or {}).items()]
    headers += [("set-cookie", cookie) for cookie in response.get("cookies") or []]
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers if name != "content-length"]
