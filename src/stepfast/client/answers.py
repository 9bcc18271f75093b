"""What the calls of both clients share: answers and their errors, pauses between tries, and checks of URLs."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from stepfast.client import shapes
from stepfast.client.problems import error_of
from stepfast.client.replies import Reply
from stepfast.errors import ExecutionNotFound, InvalidRequest, Misconfigured, Refused, WrongStatus

GONE = "GONE"
"""An entry of `settled` for the outcome that the execution does not exist any more."""
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors that occur before any byte of the request has left this machine."""
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and its JSON. The JSON is empty where a refusal shows that an earlier try has done the work.

    waited: whether the server has held the answer back for as long as it was asked to.
    """

    status: int
    body: Object
    waited: bool = False


def signature(host: str, iam: bool) -> httpx.Auth | None:
    if not iam:
        return None
    from stepfast.client.signing import Signature

    return Signature(host)


def is_transient(reply: Reply) -> bool:
    """True for an answer that the next try may not get.

    A 500 without a problem document comes from a gateway in front of stepfast, so it is tried again.
    """
    gateways = reply.status == 500 and "problem" not in reply.headers.get("content-type", "")
    if reply.status == 503 and isinstance(error_of(reply), Misconfigured):
        return False  # Somebody must repair the server first, and its message says what.
    return reply.status in RETRIED_STATUSES or gateways


def answer_or_raise(reply: Reply, shape: type, settled: tuple[str, ...]) -> Answer:
    if reply.is_success:
        try:
            body = reply.json()
        except ValueError:
            raise Refused(f"what answers at {reply.url} is no stepfast API") from None
        return Answer(reply.status, shapes.check(body, shape, reply.url), "preference-applied" in reply.headers)
    error = error_of(reply)
    if isinstance(error, WrongStatus) and error.status in settled:
        return Answer(reply.status, {})
    if isinstance(error, ExecutionNotFound) and GONE in settled:
        return Answer(reply.status, {})
    raise error


def pauses() -> Iterator[float]:
    """Seconds between tries, growing to 5, with jitter so that many clients do not return at the same moment."""
    ceiling = 0.1
    while True:
        yield random.uniform(ceiling / 2, ceiling)
        ceiling = min(5.0, ceiling * 2)


def retry_after(reply: Reply, otherwise: float) -> float:
    """The seconds that the header Retry-After asks for, in seconds or as a date; `otherwise` without such a header."""
    text = reply.headers.get("Retry-After", "")
    try:
        if text.isdigit():
            return float(text)
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return otherwise


def reason_of(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def host_of(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise InvalidRequest(f"{url!r} is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidRequest(f"{url!r} is not the URL of an API: it begins with http:// or https://")
    return parsed.host
