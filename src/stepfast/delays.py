"""Delays as RetryAfter takes them: seconds, a timedelta, or the text of an HTTP Retry-After header."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

clock: ContextVar[Callable[[], float] | None] = ContextVar("stepfast_delays_clock", default=None)
"""Seconds since the epoch, where the time is simulated; None for the machine's own."""


def seconds_of(delay: object) -> float:
    """Seconds from now; may be infinite or below 0. ValueError, which begins with RetryAfter, for what is no delay."""
    if isinstance(delay, timedelta):
        return delay.total_seconds()
    if isinstance(delay, str):
        return _of_header(delay)
    if isinstance(delay, int | float) and not isinstance(delay, bool):
        try:
            return float(delay)
        except OverflowError:
            return math.inf
    raise ValueError(
        f"RetryAfter takes seconds, a timedelta or the text of a Retry-After header, not {delay!r}"
        + ("; the answer had no such header" if delay is None else "")
    )


def _of_header(text: str) -> float:
    header = text.strip()
    if header.isascii() and header.isdecimal():
        return math.inf if len(header) > 12 else float(header)
    try:
        at = parsedate_to_datetime(header)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(
            f"RetryAfter: {text[:100]!r} is neither a whole number of seconds from 0 up nor an HTTP date such as "
            "'Wed, 21 Oct 2026 07:28:00 GMT'"
        ) from error
    # RFC 9110 has all dates in GMT, also those that do not say so.
    simulated = clock.get()
    now = datetime.now(UTC).timestamp() if simulated is None else simulated()
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
