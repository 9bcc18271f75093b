"""Requests that a process hands on to the owner of the file."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from stepfast.errors import Unavailable
from stepfast.http.auth import EVERYTHING, Authenticator, Grant
from stepfast.http.inbound import UNSIGNED
from stepfast.http.problems import Rejected
from stepfast.http.waiting import APPLIED, PREFER
from stepfast.local.owner_file import OwnerAddress
from stepfast.webhook_signing import SIGNATURE_HEADERS

HANDED_ON = ("content-type", "idempotency-key", "if-none-match", "traceparent", *SIGNATURE_HEADERS)
"""The headers of a request that the routes read."""
OWNER_ANSWER_SECONDS = 60.0
"""The time for the owner to answer. A replay of dead letters takes 20 s."""
OWNER_CONNECT_SECONDS = 5.0
"""The time for the owner to accept a connection."""
AWAY_SECONDS = 0.25
"""The time between two looks for the owner."""


GRANT = "x-stepfast-grant"
"""The header in which a process tells the owner what its caller may do. Only the owner's key makes it count."""


class OwnerAuthenticator(Authenticator):
    """Lets the other processes in, which have let in their callers: each request says what its caller may do."""

    def admit(self, headers: Mapping[str, str]) -> Grant:
        super().admit(headers)
        try:
            return Grant.of_text(headers[GRANT])
        except (KeyError, ValueError, TypeError) as error:
            detail = "say what the caller may do: all processes must have the same version of stepfast"
            raise Rejected(401, "unauthorized", "Not let in", detail) from error


class OwnerAway(Exception):
    """The owner was not reached: it has not seen the request."""


class OwnerWatch:
    """Waits for the end of an execution that the owner of the file runs.

    address: where the owner is now, or None while no process owns the file.
    """

    def __init__(self, address: Callable[[], OwnerAddress | None], execution_id: str) -> None:
        self._address, self._execution_id = address, execution_id
        self._asking: asyncio.Future[None] | None = None
        self._woken = False

    def wake_here(self) -> None:
        self._woken = True
        if self._asking is not None:
            self._asking.cancel()

    async def wait(self, seconds: float) -> None:
        """Returns when the execution has ended, or after some seconds. An owner that is away is waited for."""
        if not self._woken:
            self._asking = asyncio.ensure_future(self._ask(seconds))
            try:
                await asyncio.wait({self._asking})
            finally:
                self._asking.cancel()
        self._woken = False

    async def _ask(self, seconds: float) -> None:
        address, end = self._address(), time.monotonic() + seconds
        if address is not None and seconds >= 1:
            url = f"{address.url}/v1/executions/{quote(self._execution_id, safe='')}?commands=false&largest=0"
            headers = {
                "authorization": f"Bearer {address.key}",
                GRANT: EVERYTHING.as_text(),
                PREFER: f"wait={int(seconds)}",
            }
            async with httpx.AsyncClient(
                trust_env=False, verify=False, timeout=seconds + OWNER_CONNECT_SECONDS
            ) as http:
                try:
                    if APPLIED in (await http.get(url, headers=headers)).headers:
                        return
                except httpx.RequestError:
                    pass
        await asyncio.sleep(min(AWAY_SECONDS, max(0.0, end - time.monotonic())))


class OwnerClient:
    """Sends events to the owner of the file. Thread-safe."""

    def __init__(self) -> None:
        self._http = self._connections()

    def close(self) -> None:
        """Closes the connections; later requests make new ones."""
        connections, self._http = self._http, self._connections()
        connections.close()

    @staticmethod
    def _connections() -> httpx.Client:
        timeout = httpx.Timeout(OWNER_ANSWER_SECONDS, connect=OWNER_CONNECT_SECONDS)
        return httpx.Client(trust_env=False, verify=False, timeout=timeout)

    def answers(self, address: OwnerAddress) -> bool:
        """Whether the owner of this address is there."""
        try:
            self._send(
                address, "GET", f"{address.url}/v1/executions?limit=1&largest=0", {GRANT: EVERYTHING.as_text()}, b""
            )
        except (OwnerAway, Unavailable):
            return False
        return True

    def send(self, address: OwnerAddress, event: Mapping[str, Any], grant: Grant) -> dict[str, Any]:
        """The owner's response to an event. Raises OwnerAway, and Unavailable if it may have seen the request."""
        url = address.url + quote(event["rawPath"], safe="/~")
        if query := event.get("rawQueryString"):
            url = f"{url}?{query}"
        headers = {name: value for name, value in event["headers"].items() if name in HANDED_ON}
        headers[GRANT] = grant.as_text()
        body = event.get("body") or ""
        content = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        answer = self._send(address, event["requestContext"]["http"]["method"], url, headers, content)
        kept = {name: value for name, value in answer.headers.items() if name not in ("server", "date", "connection")}
        return {
            "statusCode": answer.status_code,
            "headers": kept,
            "cookies": [],
            "body": answer.text,
            "isBase64Encoded": False,
        }

    def _send(
        self, address: OwnerAddress, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> httpx.Response:
        headers = {**headers, "authorization": f"Bearer {address.key}"}
        try:
            answer = self._http.request(method, url, headers=headers, content=content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise OwnerAway from error
        except httpx.RequestError as error:
            raise Unavailable("the process that owns the file has not answered; try again") from error
        # After the death of an owner another program may get its port.
        refused = answer.status_code == 401 and UNSIGNED not in answer.text
        if answer.headers.get("server") != "stepfast" or refused:
            raise OwnerAway
        return answer
