"""Requests that wait for an execution: for its end, by `Prefer: wait=SECONDS` (RFC 7240, section 4.3) on its address;
for a change, by `?wait=SECONDS` on its events; for the answer of an update, by `wait` of its request.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from stepfast.records import dataclass

__all__ = [
    "APPLIED",
    "DEFAULT_ANSWER_WAIT_SECONDS",
    "MAX_END_WAIT_SECONDS",
    "PREFER",
    "ClientGone",
    "EndWatch",
    "HeldRequests",
    "TellsEnds",
    "WaitAsked",
    "disconnected",
    "events_path",
]

Object = dict[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

PREFER, APPLIED = "prefer", "Preference-Applied"
MAX_END_WAIT_SECONDS = 20
"""The longest wait: below the 29 or 30 seconds after which gateways and proxies commonly give a request up."""
DEFAULT_ANSWER_WAIT_SECONDS = 5.0
"""How long a request that stores an update waits for its answer, unless it says so itself."""
RECHECK_SECONDS = 2.0
"""The time after which an execution is read again unasked: of some ends nobody tells, such as a deletion."""
SECONDS_PER_READ = 0.004
"""The time for one read of an execution, where many requests wait for its changes."""
LONGEST_READ_PAUSE_SECONDS = 1.0
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*(\d{1,9})\s*(?:$|[,;])", re.IGNORECASE)
_PATH = re.compile(r"/v1/executions/([^/]+)")
_EVENTS = re.compile(r"/v1/executions/([^/]+)/events")
_QUERY = re.compile(r"(?:^|&)wait=([1-9][0-9]?)(?:$|&)")
_UPDATE = re.compile(r"/v1/executions/([^/]+)/updates/([^/]+)")
_SECONDS = re.compile(r"(?:^|&)wait=([0-9]{1,2}(?:\.[0-9]{0,20})?)(?:$|&)")
_PLAIN = frozenset({"", "commands=false"})
"""Queries that no route refuses."""
_PENDING = 202
_GOING_ON = frozenset({"RUNNING", "PAUSED"})


class ClientGone(Exception):
    """The client has disconnected; nobody waits for an answer."""


class EndWatch(Protocol):
    """Learns of every end, or every change, of one execution from the moment that it was made."""

    async def wait(self, seconds: float) -> None:
        """Returns after one that was not told of yet, or after some seconds. It may return early for no reason."""

    def wake_here(self) -> None:
        """Makes a wait return, also the next one. Call it on the loop that waits."""


class TellsEnds(Protocol):
    """Reports the ends and changes of executions."""

    def watch(self, execution_id: str, *, changes: bool = False) -> AbstractContextManager[EndWatch]:
        """changes: reports every change, not the end alone."""

    def goes_on(self, execution_id: str) -> bool:
        """True if the execution is known to go on, unless its end is reported to the watch that the caller is in."""


@dataclass(frozen=True, slots=True)
class WaitAsked:
    """Which execution's end is waited for, and for how many seconds. changes: any change is waited for.

    plain: the answer depends on the execution alone, so a read of one that goes on would only say that it does.
    """

    execution_id: str
    seconds: float
    changes: bool = False
    plain: bool = False


class HeldRequests:
    """Holds requests back until their execution has ended, or has changed. It takes no thread while it waits.

    ends: reports what this process writes. may_read: whether the caller of a request may read every execution.
    """

    def __init__(self, ends: TellsEnds, may_read: Callable[[Object], bool] = lambda event: False) -> None:
        self._ends, self._closed, self._may_read = ends, False, may_read
        self._held: set[EndWatch] = set()
        self._watching: Counter[str] = Counter()
        self._closing: asyncio.Future[None] | None = None

    def close(self) -> None:
        """Lets all waiting requests be answered now, and none wait any more. Call it on the loop of the requests."""
        self._closed = True
        for watch in self._held:
            watch.wake_here()
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)

    def asked(self, event: Object) -> WaitAsked | None:
        """What a request waits for; None if it is to be answered at once."""
        if event["requestContext"]["http"]["method"] != "GET":
            return None
        if (update := _UPDATE.fullmatch(event["rawPath"])) is not None:
            wait = _SECONDS.search(event["rawQueryString"])
            return None if wait is None else _answer_of(update[1], float(wait[1]))
        changes = events_path(event["rawPath"])
        if changes is not None:
            asked = _QUERY.search(event["rawQueryString"])
            return WaitAsked(changes, min(int(asked[1]), MAX_END_WAIT_SECONDS), changes=True) if asked else None
        header, path = event["headers"].get(PREFER), _PATH.fullmatch(event["rawPath"])
        wait = _WAIT.search(header) if header and path else None
        if path is None or wait is None or "run=" in event["rawQueryString"]:  # a run that is over waits for nothing
            return None
        plain = event["rawQueryString"] in _PLAIN and "if-none-match" not in event["headers"] and self._may_read(event)
        return WaitAsked(path[1], min(int(wait[1]), MAX_END_WAIT_SECONDS), plain=plain)

    def after(self, event: Object, response: Object) -> tuple[WaitAsked, Object] | None:
        """What a request that has stored an update waits for, and the event of the read that has its answer.

        None if there is nothing to wait for. The update was stored once: the reads repeat nothing.
        """
        update = _UPDATE.fullmatch(event["rawPath"])
        if update is None or event["requestContext"]["http"]["method"] != "POST":
            return None
        if int(response["statusCode"]) != _PENDING or response.get("isBase64Encoded"):
            return None
        sent, held = json.loads(event.get("body") or "{}"), json.loads(response["body"])
        seconds = float(sent.get("wait", DEFAULT_ANSWER_WAIT_SECONDS))
        if seconds <= 0:
            return None
        path = f"/v1/executions/{update[1]}/updates/{held['update_id']}"
        http = {**event["requestContext"]["http"], "method": "GET", "path": path}
        read = {**event, "rawPath": path, "rawQueryString": "", "requestContext": {**event["requestContext"]}}
        read["requestContext"]["http"] = http
        read["headers"] = {name: held for name, held in event["headers"].items() if not name.startswith("content-")}
        read.pop("body", None)
        return _answer_of(update[1], seconds), read

    async def run(self, asked: WaitAsked, read: Callable[[], Awaitable[Object]], receive: Receive) -> Object:
        """The answer to a read of the execution: the first one that says what is waited for, or the last one in time.

        read: reads the execution. receive: the request's; its body must have been read. Raises ClientGone.
        """
        end = time.monotonic() + asked.seconds
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            with self._ends.watch(asked.execution_id, changes=asked.changes) as watch, self._holding(asked, watch):
                # One wait ends by whatever happens. A task for each cause would cost turns of the loop.
                gone.add_done_callback(lambda _: watch.wake_here())
                # An execution that was just started is not read before it has ended: the read would only find that out.
                known = asked.plain and self._ends.goes_on(asked.execution_id)
                response = None if known else await read()
                while response is None or _goes_on(response):
                    left = end - time.monotonic()
                    if response is not None and (left <= 0 or self._closed):
                        break
                    if not self._closed:
                        await watch.wait(min(left, RECHECK_SECONDS))
                        await self._let_others_read(asked, end, gone)
                    if gone.done():
                        raise ClientGone
                    response = await read()
        finally:
            gone.cancel()
        if not isinstance(asked.seconds, int):
            return response
        return {**response, "headers": {**(response.get("headers") or {}), APPLIED: f"wait={asked.seconds}"}}

    @contextmanager
    def _holding(self, asked: WaitAsked, watch: EndWatch) -> Iterator[None]:
        self._held.add(watch)
        self._watching[asked.execution_id] += asked.changes
        try:
            yield
        finally:
            self._held.discard(watch)
            self._watching[asked.execution_id] -= asked.changes
            if not self._watching[asked.execution_id]:
                del self._watching[asked.execution_id]

    async def _let_others_read(self, asked: WaitAsked, end: float, gone: asyncio.Future[None]) -> None:
        """Waits before the next read, the longer the more requests wait for changes of this execution.

        Each change wakes all of them, and most changes are the answer of one: n updates at once would take n² reads.
        """
        others = self._watching[asked.execution_id] - 1
        if not asked.changes or others < 1 or self._closed:
            return
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_future()
        pause = min(others * SECONDS_PER_READ, LONGEST_READ_PAUSE_SECONDS, max(0.0, end - time.monotonic()))
        await asyncio.wait({gone, self._closing}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _answer_of(execution_id: str, seconds: float) -> WaitAsked:
    return WaitAsked(execution_id, min(seconds, float(MAX_END_WAIT_SECONDS)), changes=True)


def _goes_on(response: Object) -> bool:
    """Whether the answer does not show yet what is waited for: an end, events, or the answer of an update."""
    if int(response["statusCode"]) == _PENDING:
        return True
    if int(response["statusCode"]) != 200 or response.get("isBase64Encoded"):
        return False
    body = json.loads(response["body"])
    if "ended" in body:
        return not body["events"] and not body["ended"]
    return body.get("status") in _GOING_ON


def events_path(path: str) -> str | None:
    """The execution of a request for its changes; None for any other request."""
    match = _EVENTS.fullmatch(path)
    return None if match is None else match[1]
