"""Calls of the API over HTTP, with retries while the network or the server is not available."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any

import httpx

from stepfast.client import replies, shapes
from stepfast.client.problems import Unreachable, error_of
from stepfast.client.replies import Reply
from stepfast.client.unserved import CONNECT_PATIENCE_SECONDS, NoServer, nothing_serves
from stepfast.client.values import encoded
from stepfast.errors import (
    ExecutionNotFound,
    InvalidRequest,
    Misconfigured,
    Refused,
    StepfastError,
    WrongStatus,
)

GONE = "GONE"
"""An entry of `settled` for the outcome that the execution does not exist any more."""
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors that occur before any byte of the request has left this machine."""
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and its JSON. The JSON is empty where a refusal shows that an earlier try has done the work."""

    status: int
    body: Object


class Calls:
    """One API and one connection pool. Thread-safe. Client explains the arguments."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        timeout: float,
        retry_for: float,
        iam: bool = False,
        largest: int = replies.MAX_REPLY_BYTES,
    ) -> None:
        host = _host(url)
        if iam and api_key is not None:
            raise InvalidRequest("an API asks for a key or for a signature by IAM: give one of them")
        if api_key is not None and not (api_key and api_key.isascii() and api_key.isprintable()):
            raise InvalidRequest("an API key is printable ASCII text, and not empty")
        headers = {"User-Agent": f"stepfast/{version('stepfast')}", "Content-Type": "application/json"}
        headers["Accept-Encoding"] = replies.ENCODINGS
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        self.url = url.rstrip("/")
        self._timeout, self._retry_for, self._largest = timeout, retry_for, largest
        # A proxy from the environment cannot reach the loopback of this machine, so the environment is ignored for a
        # loopback host. httpx 0.28 loads certificates into every client, which takes about 30 ms. So
        # none are loaded for plain http to loopback, where no proxy and no TLS is possible.
        here = _is_loopback(host)
        tls = not (here and url.lower().startswith("http:"))
        self._http = httpx.Client(headers=headers, trust_env=not here, verify=tls, auth=_signature(host, iam))

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, shape: type, /, patience: float | None = None, **asked: Any) -> Object:
        """The body of the answer to a GET, which has this shape. Arguments that are None are left out of the query."""
        chosen = {key: value for key, value in asked.items() if value is not None}
        return self.send("GET", path, shape, query=chosen, patience=patience).body

    def send(
        self,
        method: str,
        path: str,
        shape: type,
        body: Object | None = None,
        query: Object | None = None,
        patience: float | None = None,
        settled: tuple[str, ...] = (),
    ) -> Answer:
        """Makes one call, with retries for at most `patience` seconds.

        settled: the statuses that this call leads to. An earlier try may have arrived although its answer was lost;
        a later try is then refused because the execution has one of these statuses, and the call counts as done.
        Raises Refused for an answer of another shape, Unreachable, and the exceptions of `error_of`.
        """
        alone, began = nothing_serves.get(), time.monotonic()
        end = began + (self._retry_for if patience is None else min(patience, self._retry_for))
        content = None if body is None else encoded(body)
        doubtful, timeout = False, self._timeout
        for pause in _pauses():
            try:
                response = self._ask(
                    method, path, content, query, timeout, min(CONNECT_PATIENCE_SECONDS, timeout) if alone else timeout
                )
            except httpx.RequestError as error:
                doubtful = doubtful or not isinstance(error, NOT_SENT)
                failure: StepfastError = Unreachable(self.url, _reason(error), doubtful)
                if alone and isinstance(error, NOT_SENT):
                    failure = NoServer(self.url, _reason(error))
                failure.__cause__ = error
            else:
                if not _is_transient(response):
                    return _answer_or_raise(response, shape, settled if doubtful else ())
                doubtful = doubtful or response.status != 429
                failure = error_of(response)
                pause = _retry_after(response, pause)
                alone = False
            remaining = (min(end, began + CONNECT_PATIENCE_SECONDS) if alone else end) - time.monotonic()
            if pause > remaining:
                raise failure
            time.sleep(pause)
            timeout = min(self._timeout, max(1.0, remaining))
        raise AssertionError("unreachable")

    def _ask(
        self, method: str, path: str, content: bytes | None, query: Object | None, timeout: float, connect: float
    ) -> Reply:
        limits = httpx.Timeout(timeout, connect=connect)
        asking = self._http.stream(method, self.url + path, content=content, params=query, timeout=limits)
        with asking as response:
            return replies.read(response, timeout, self._largest)


def _signature(host: str, iam: bool) -> httpx.Auth | None:
    if not iam:
        return None
    from stepfast.client.signing import Signature

    return Signature(host)


def _is_transient(reply: Reply) -> bool:
    """True for an answer that the next try may not get.

    A 500 without a problem document comes from a gateway in front of stepfast, so it is tried again.
    """
    gateways = reply.status == 500 and "problem" not in reply.headers.get("content-type", "")
    if reply.status == 503 and isinstance(error_of(reply), Misconfigured):
        return False  # Somebody must repair the server first, and its message says what.
    return reply.status in RETRIED_STATUSES or gateways


def _answer_or_raise(reply: Reply, shape: type, settled: tuple[str, ...]) -> Answer:
    if reply.is_success:
        try:
            body = reply.json()
        except ValueError:
            raise Refused(f"what answers at {reply.url} is no stepfast API") from None
        return Answer(reply.status, shapes.check(body, shape, reply.url))
    error = error_of(reply)
    if isinstance(error, WrongStatus) and error.status in settled:
        return Answer(reply.status, {})
    if isinstance(error, ExecutionNotFound) and GONE in settled:
        return Answer(reply.status, {})
    raise error


def _pauses() -> Iterator[float]:
    """Seconds between tries, growing to 5, with jitter so that many clients do not return at the same moment."""
    ceiling = 0.1
    while True:
        yield random.uniform(ceiling / 2, ceiling)
        ceiling = min(5.0, ceiling * 2)


def _retry_after(reply: Reply, otherwise: float) -> float:
    """The seconds that the header Retry-After asks for, in seconds or as a date; `otherwise` without such a header."""
    text = reply.headers.get("Retry-After", "")
    try:
        if text.isdigit():
            return float(text)
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return otherwise


def _reason(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def _host(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise InvalidRequest(f"{url!r} is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidRequest(f"{url!r} is not the URL of an API: it begins with http:// or https://")
    return parsed.host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
