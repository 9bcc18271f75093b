"""Times: those of query parameters are parsed, and those of answers are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from stepfast.errors import InvalidRequest

Moment = Annotated[str | None, Query(max_length=64, description="ISO 8601 (UTC unless it says) or seconds since 1970")]
_SECONDS = re.compile(r"-?\d{1,12}(\.\d{1,9})?")


def moment(field: str, text: str | None) -> float | None:
    """Seconds since the epoch. Raises InvalidRequest, with the field's name, if the text is no time."""
    if text is None:
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        # In a query string an unescaped `+` means a space, so `+02:00` arrives as ` 02:00`.
        instant = datetime.fromisoformat(re.sub(r"(T.*) (\d\d:?\d\d)$", r"\1+\2", text))
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        message = "a time is ISO 8601, such as 2026-11-22T15:00:00Z, or seconds since 1970"
        raise InvalidRequest(message, ((field, message),)) from error


_LAST_SECOND = 253402300799.0
"""The last second of the year 9999, the largest that datetime can hold."""


def time(at: float) -> str:
    """ISO 8601 in UTC with microseconds; a later time is shown as the end of the year 9999."""
    return datetime.fromtimestamp(min(at, _LAST_SECOND), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
