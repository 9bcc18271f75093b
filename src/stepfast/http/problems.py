"""Errors as application/problem+json (RFC 9457), each with a stable `type`."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from stepfast.descriptors import NO_DESCRIPTOR, OUT_OF_DESCRIPTORS
from stepfast.errors import (
    PROBLEM_URN,
    ExecutionConflict,
    ExecutionNotFound,
    InvalidRequest,
    StartupError,
    StepfastError,
    TooManySignals,
    Unavailable,
    UnknownName,
    UnknownWorkflow,
    WrongStatus,
)
from stepfast.http.patterns import IN_WORDS
from stepfast.update_errors import NoSuchHandler, QueryFailed, UpdateNotFound, UpdateRefused
from stepfast.values.diff import LONGEST_MESSAGE_CHARS, LONGEST_PATH_CHARS, shorten

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
MOST_ERRORS = 100
"""Errors listed in one answer; `error_count` has the total."""
LONGEST_DETAIL = 2000
"""The longest `detail` in characters; it may quote the request."""

QUIET_SECONDS = 60.0
"""A reason is logged again only after this many seconds without it."""
MAX_REASONS = 100
"""How many reasons are remembered."""
_told: dict[str, float] = {}
_lock = threading.Lock()

# Subclasses stand before their bases: the first match counts.
_OURS: tuple[tuple[type[StepfastError], int, str, str], ...] = (
    (InvalidRequest, 422, "invalid-request", "Invalid request"),
    (UnknownWorkflow, 404, "unknown-workflow", "Unknown workflow"),
    (UnknownName, 404, "unknown-name", "Unknown name"),
    (ExecutionNotFound, 404, "execution-not-found", "Execution not found"),
    (ExecutionConflict, 409, "execution-conflict", "The id is taken"),
    (WrongStatus, 409, "wrong-status", "The status does not allow this"),
    (NoSuchHandler, 404, "no-such-handler", "No such query or update"),
    (UpdateNotFound, 404, "update-not-found", "Update not found"),
    (UpdateRefused, 409, "update-refused", "The workflow refuses the update"),
    (QueryFailed, 422, "query-failed", "The query has failed"),
    (TooManySignals, 409, "too-many-signals", "The execution takes no more signals"),
    (Unavailable, 503, "unavailable", "Try again later"),
)


class Rejected(Exception):
    """A request that is refused before it reaches the engine, with the problem to answer."""

    def __init__(
        self, status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.title, self.detail = status, kind, title, detail
        self.headers, self.members = dict(headers or {}), members


def problem(
    status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
) -> Response[str]:
    body = {
        "type": PROBLEM_URN + kind,
        "title": title,
        "status": status,
        "detail": shorten(detail, LONGEST_DETAIL),
        **members,
    }
    return Response(status, CONTENT_TYPE, json.dumps(body), dict(headers or {}))


def of(error: Exception) -> Response[str]:
    """The problem document for an exception. An unforeseen exception is logged, without values."""
    if isinstance(error, Rejected):
        return problem(error.status, error.kind, error.title, error.detail, error.headers, **error.members)
    if isinstance(error, RequestValidationError):
        faults = error.errors()
        fields = tuple((path_of(fault["loc"]), _message(fault)) for fault in faults[:MOST_ERRORS])
        summary = "; ".join(f"{path or 'the body'}: {message}" for path, message in fields[:5])
        error = InvalidRequest(summary, fields, len(faults))
    if isinstance(error, NotFoundError):
        return problem(404, "unknown-route", "No such route", "there is nothing at this address; see /openapi.json")
    if isinstance(error, StartupError):  # its text names resources and permissions, which a caller must not see
        log.error("a request cannot be served: %s", error)
        # No Retry-After header: waiting does not help.
        detail = "this deployment is not in order; its log says what to mend"
        return problem(503, "misconfigured", "Something must be mended first", detail)
    if isinstance(error, OSError) and error.errno in OUT_OF_DESCRIPTORS:
        error = Unavailable(NO_DESCRIPTOR)
    for kind, status, name, title in _OURS:
        if isinstance(error, kind):
            if status == 503:
                _tell_once(str(error))
            headers = {"Retry-After": "1"} if status == 503 else {}
            return problem(status, name, title, str(error), headers, **_members(error))
    # The log gets the place and not the text, which may quote the request.
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("a request failed on %s\n%s", type(error).__name__, where)
    return problem(500, "internal-error", "Internal error", "this is a mistake of stepfast's; its log has the place")


def answer(error: Exception) -> dict[str, Any]:
    """The problem document for an exception, as the answer of a Lambda function."""
    return as_dict(of(error))


def as_dict(response: Response[str]) -> dict[str, Any]:
    """A response without cookies, as the answer of a Lambda function."""
    return {
        "statusCode": response.status_code,
        "headers": response.headers,
        "cookies": [],
        "body": response.body,
        "isBase64Encoded": False,
    }


def _tell_once(reason: str) -> None:
    """Logs a reason why requests are not served: once, and again after QUIET_SECONDS without it."""
    now = time.monotonic()
    with _lock:
        before = _told.pop(reason, now - QUIET_SECONDS)
        _told[reason] = now
        while len(_told) > MAX_REASONS:
            del _told[next(iter(_told))]
    if now - before >= QUIET_SECONDS:
        log.warning("a request was not served: %s", reason)


def _members(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidRequest):
        shown = error.fields[:MOST_ERRORS]
        errors = [
            {"field": shorten(path, LONGEST_PATH_CHARS), "message": shorten(message, LONGEST_MESSAGE_CHARS)}
            for path, message in shown
        ]
        return {"errors": errors, "error_count": max(error.total, len(error.fields))}
    if isinstance(error, QueryFailed):
        return {"error_type": error.error_type}
    if isinstance(error, WrongStatus):
        return {"execution_status": error.status}
    return {}


def _message(fault: Mapping[str, Any]) -> str:
    return IN_WORDS.get((fault.get("ctx") or {}).get("pattern", ""), str(fault["msg"]))


def path_of(location: tuple[int | str, ...]) -> str:
    """A field's path as the sender would write it: `labels.team`, `limit`, `execution_ids[3]`."""
    parts = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.removeprefix(".")


def below(field: str, error: InvalidRequest) -> InvalidRequest:
    """The same error, with each path prefixed by a field of the body."""
    fields = error.fields or (("", str(error)),)
    placed = ((f"{field}{'' if not path or path[0] == '[' else '.'}{path}", message) for path, message in fields)
    return InvalidRequest(str(error), tuple(placed), max(error.total, len(fields)))
