"""Server-sent events of an execution's changes (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Each turn is a request for the changes since a cursor. The next one is made once the client has taken the last, so a
client that reads slowly costs no memory: it misses what has changed twice meanwhile, and gets the state of then.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from stepfast.errors import PROBLEM_URN
from stepfast.http.problems import CONTENT_TYPE
from stepfast.http.waiting import ClientGone, Receive, TellsEnds, disconnected, events_path

Object = dict[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

KEEPALIVE_SECONDS = 15.0
"""A comment is sent after this time without an event, so that proxies keep the connection."""
STREAM_RECHECK_SECONDS = 2.0
"""The time after which the execution is read again unasked: of some changes nobody tells."""
MAX_STREAMS = 256
"""Streams at a time; a further one is answered 503."""
_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class EventStreams:
    """Streams to all clients of a server. It takes a thread only while it reads."""

    def __init__(self, tells: TellsEnds) -> None:
        self._tells = tells
        self._closing: set[_StreamEnd] = set()
        self._closed = False

    def close(self) -> None:
        """Ends all streams; clients come again with their cursors. Call it on the loop of the requests."""
        self._closed = True
        for closing in self._closing:
            closing.set()

    def asked(self, event: Object) -> str | None:
        """The execution whose changes are to be streamed; None for any other request."""
        if event["requestContext"]["http"]["method"] != "GET" or self._closed:
            return None
        if "text/event-stream" not in event["headers"].get("accept", ""):
            return None
        return events_path(event["rawPath"])

    async def run(
        self,
        execution_id: str,
        event: Object,
        read: Callable[[Object], Awaitable[Object]],
        receive: Receive,
        send: Send,
    ) -> Object | None:
        """Streams until the end of the execution. An answer other than 200 to the first read is returned instead.

        read: answers an event. Raises ClientGone.
        """
        if len(self._closing) >= MAX_STREAMS:
            return _busy()
        closing, gone = _StreamEnd(), asyncio.ensure_future(disconnected(receive))
        self._closing.add(closing)
        try:
            with self._tells.watch(execution_id, changes=True) as watch:
                # The one wait of this task ends by whatever happens. A task for each event would take turns of the
                # loop, and at each turn this thread waits for the interpreter, which the engine keeps busy.
                closing.ring = watch.wake_here
                gone.add_done_callback(lambda _: watch.wake_here())
                after = event["headers"].get("last-event-id") or _asked_after(event)
                response = await read(_after(event, after))
                if int(response["statusCode"]) != 200:
                    return response
                page = json.loads(response["body"])
                if page["ended"] and not page["events"]:
                    return {"statusCode": 204}  # a browser's EventSource comes again after anything else
                await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
                spoke = time.monotonic()
                while True:
                    if page["events"]:
                        await send({"type": "http.response.body", "body": _text(page), "more_body": True})
                        spoke = time.monotonic()
                    elif time.monotonic() - spoke >= KEEPALIVE_SECONDS:
                        await send({"type": "http.response.body", "body": b": keepalive\n\n", "more_body": True})
                        spoke = time.monotonic()
                    after = page["after"]
                    if page["ended"] or closing.is_set:
                        break
                    await watch.wait(STREAM_RECHECK_SECONDS)
                    if gone.done():
                        raise ClientGone
                    response = await read(_after(event, after))
                    if int(response["statusCode"]) != 200:
                        break  # it was deleted, or the server ends: the client asks again and learns it
                    page = json.loads(response["body"])
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return None
        finally:
            gone.cancel()
            self._closing.discard(closing)


class _StreamEnd:
    """Whether a stream is to end, since the server does, and what tells it."""

    def __init__(self) -> None:
        self.is_set = False
        self.ring: Callable[[], None] = lambda: None

    def set(self) -> None:
        self.is_set = True
        self.ring()


def _text(page: Object) -> bytes:
    """The events; the last one has the cursor, so that a client which was cut off before gets all of them again."""
    lines = []
    for event in page["events"]:
        lines += [f"event: {event['type']}", f"data: {json.dumps(event, ensure_ascii=False)}", ""]
    lines.insert(-1, f"id: {page['after']}")
    return ("\n".join(lines) + "\n").encode()


def _asked_after(event: Object) -> str | None:
    return dict(parse_qsl(event["rawQueryString"])).get("after")


def _after(event: Object, after: str | None) -> Object:
    """The event that asks for the changes since a cursor, without a wait."""
    query = {} if after is None else {"after": after}
    return {**event, "rawQueryString": urlencode(query), "queryStringParameters": query}


def _busy() -> Object:
    detail = f"{MAX_STREAMS} streams of events are open: come again later, or ask with `wait`"
    problem = {"type": PROBLEM_URN + "unavailable", "title": "Service Unavailable", "status": 503, "detail": detail}
    headers = {"Content-Type": CONTENT_TYPE, "Retry-After": "5"}
    return {"statusCode": 503, "headers": headers, "body": json.dumps(problem)}
