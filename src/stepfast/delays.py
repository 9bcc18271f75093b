"""Delays as RetryAfter takes them: seconds, a timedelta, or the text of an HTTP Retry-After header."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

clock: ContextVar[Callable[[], float] | None] = ContextVar("stepfast_delays_clock", default=None)
"""A function that returns the simulated time in seconds since the epoch; None means the machine's own clock."""


def seconds_of(delay: object) -> float:
    """The delay in seconds from now, as a float; it may be infinite or below 0.

    delay: seconds as an int or float, a timedelta, or the text of a Retry-After header, which is a whole number of
    seconds or an HTTP date. A date in the past gives 0. Raises ValueError for anything else; its text begins with
    "RetryAfter".
    """
    if isinstance(delay, timedelta):
        return delay.total_seconds()
    if isinstance(delay, str):
        return _seconds_of_header(delay)
    if isinstance(delay, int | float) and not isinstance(delay, bool):
        try:
            return float(delay)
        except OverflowError:
            return math.inf
    raise ValueError(
        f"RetryAfter takes seconds, a timedelta or the text of a Retry-After header, not {delay!r}"
        + ("; the answer had no such header" if delay is None else "")
    )


def _seconds_of_header(text: str) -> float:
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
    # RFC 9110, section 5.6.7: HTTP dates are in GMT, so a date without a zone is read as UTC.
    simulated = clock.get()
    now = datetime.now(UTC).timestamp() if simulated is None else simulated()
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
