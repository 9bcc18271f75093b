"""The asynchronous twin of calls.py: `make async-client` writes it. Change calls.py."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version
from typing import Any

import httpx

from stepfast.client import shapes
from stepfast.client.answers import (
    NOT_SENT,
    Answer,
    Object,
    answer_or_raise,
    host_of,
    is_transient,
    pauses,
    reason_of,
    retry_after,
    signature,
)
from stepfast.client.async_replies import read_reply
from stepfast.client.calls import RESULT_WAIT_SECONDS
from stepfast.client.problems import Unreachable, error_of
from stepfast.client.replies import ENCODINGS, MAX_REPLY_BYTES, Reply
from stepfast.client.tracing import trace_headers
from stepfast.client.unserved import CONNECT_PATIENCE_SECONDS, NoServer, nothing_serves
from stepfast.client.values import check_query, encoded
from stepfast.errors import InvalidRequest, StepfastError
from stepfast.loopback import is_loopback


class AsyncCalls:
    """One API and one connection pool. For one event loop. AsyncClient explains the arguments.

    transport: reaches the API instead of the network.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        timeout: float,
        retry_for: float,
        iam: bool = False,
        largest: int = MAX_REPLY_BYTES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        host = host_of(url)
        if iam and api_key is not None:
            raise InvalidRequest("an API asks for a key or for a signature by IAM: give one of them")
        if api_key is not None and not (api_key and api_key.isascii() and api_key.isprintable()):
            raise InvalidRequest("an API key is printable ASCII text, and not empty")
        headers = {"User-Agent": f"stepfast/{version('stepfast')}", "Content-Type": "application/json"}
        headers["Accept-Encoding"] = ENCODINGS
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        self.url = url.rstrip("/")
        self.retry_for = retry_for
        self._timeout, self._largest = timeout, largest
        # A proxy from the environment cannot reach the loopback of this machine, so the environment is ignored for a
        # loopback host. httpx 0.28 loads certificates into every client, which takes about 30 ms. So
        # none are loaded for plain http to loopback, where no proxy and no TLS is possible.
        here = is_loopback(host)
        # Over TLS the certificates are those of SSL_CERT_FILE where that is set, also for a loopback host.
        tls = not (here and url.lower().startswith("http:")) and httpx.create_ssl_context()
        self._http = httpx.AsyncClient(
            headers=headers, trust_env=not here, verify=tls, auth=signature(host, iam), transport=transport
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, shape: type, /, patience: float | None = None, **asked: Any) -> Object:
        """The body of the answer to a GET, which has this shape. Arguments that are None are left out of the query."""
        chosen = {key: value for key, value in asked.items() if value is not None}
        return (await self.send("GET", path, shape, query=chosen, patience=patience)).body

    async def awaited(self, path: str, patience: float | None) -> Answer:
        """An execution without its commands, which a server that can wait answers when it has ended.

        patience: the longest wait in seconds. The answer's `waited` tells whether the server has waited.
        """
        wait = int(RESULT_WAIT_SECONDS if patience is None else min(patience, RESULT_WAIT_SECONDS))
        return await self.send("GET", path, shapes.Execution, query={"commands": "false"}, patience=patience, wait=wait)

    async def send(
        self,
        method: str,
        path: str,
        shape: type,
        body: Object | None = None,
        query: Object | None = None,
        patience: float | None = None,
        settled: tuple[str, ...] = (),
        wait: int = 0,
    ) -> Answer:
        """Makes one call, with retries for at most `patience` seconds.

        wait: whole seconds for which the server may hold the answer back until the execution has ended.

        settled: the statuses that this call leads to. An earlier try may have arrived although its answer was lost;
        a later try is then refused because the execution has one of these statuses, and the call counts as done.
        Raises Refused for an answer of another shape, Unreachable, and the exceptions of `error_of`.
        """
        alone, began = nothing_serves.get(), time.monotonic()
        end = began + (self.retry_for if patience is None else min(patience, self.retry_for))
        content = None if body is None else encoded(body)
        check_query(query or {})
        doubtful, timeout = False, self._timeout
        for pause in pauses():
            try:
                connect = min(CONNECT_PATIENCE_SECONDS, timeout) if alone else timeout
                response = await self._ask(method, path, content, query, timeout, connect, wait)
            except httpx.RequestError as error:
                doubtful = doubtful or not isinstance(error, NOT_SENT)
                failure: StepfastError = Unreachable(self.url, reason_of(error), doubtful)
                if alone and isinstance(error, NOT_SENT):
                    failure = NoServer(self.url, reason_of(error))
                failure.__cause__ = error
            else:
                if not is_transient(response):
                    return answer_or_raise(response, shape, settled if doubtful else ())
                doubtful = doubtful or response.status != 429
                failure = error_of(response)
                pause = retry_after(response, pause)
                alone = False
            remaining = (min(end, began + CONNECT_PATIENCE_SECONDS) if alone else end) - time.monotonic()
            if pause > remaining:
                raise failure
            await asyncio.sleep(pause)
            timeout = min(self._timeout, max(1.0, remaining))
        raise AssertionError("unreachable")

    async def _ask(
        self,
        method: str,
        path: str,
        content: bytes | None,
        query: Object | None,
        timeout: float,
        connect: float,
        wait: int,
    ) -> Reply:
        limits, url = httpx.Timeout(timeout + wait, connect=connect), self.url + path
        headers = {**trace_headers(), "Prefer": f"wait={wait}"} if wait else trace_headers()
        asking = self._http.stream(method, url, content=content, params=query, timeout=limits, headers=headers)
        async with asking as response:
            return await read_reply(response, timeout, self._largest)
