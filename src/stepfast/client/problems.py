"""The client's own exceptions, and which exception a problem of the API stands for."""

from __future__ import annotations

from typing import Any

import httpx

from stepfast.errors import (
    ExecutionConflict,
    ExecutionNotFound,
    InvalidRequest,
    Refused,
    StepfastError,
    TooManySignals,
    Unavailable,
    UnknownWorkflow,
    WrongStatus,
)

URN = "urn:stepfast:problem:"
PROBLEMS: dict[str, type[Refused]] = {
    "unknown-workflow": UnknownWorkflow,
    "execution-not-found": ExecutionNotFound,
    "execution-conflict": ExecutionConflict,
    "too-many-signals": TooManySignals,
}


class Unreachable(Unavailable):
    """No answer from the server's address; `sent` tells whether the call may have arrived all the same."""

    def __init__(self, url: str, reason: str, sent: bool) -> None:
        super().__init__(f"no answer from {url}: {reason}")
        self.reason, self.sent = reason, sent


class NotAllowed(Refused):
    """The API key is missing or not one of the server's, or the server does not answer to this name."""


class ExecutionFailed(StepfastError):
    """The execution is FAILED; it is paused and can be resumed.

    `step` names the step that failed (None: the workflow's own code), `error_type` and `message` are the
    error's class and text, `traceback` where it was raised.
    """

    def __init__(self, execution: dict[str, Any]) -> None:
        error = execution["error"] or {}
        self.execution_id: str = execution["execution_id"]
        self.step: str | None = error.get("step")
        self.error_type: str = error.get("type", "Unknown")
        self.message: str = error.get("message", "")
        self.traceback: str | None = error.get("traceback")
        place = f"in step {self.step!r}" if self.step else "in the workflow's own code"
        super().__init__(f"execution {self.execution_id!r} failed {place}: {self.error_type}: {self.message}")


class ExecutionCancelled(StepfastError):
    """The execution was cancelled and will have no result."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"execution {execution_id!r} was cancelled")
        self.execution_id = execution_id


def error_of(response: httpx.Response) -> StepfastError:
    """The exception that a problem stands for."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or not str(problem.get("type", "")).startswith(URN):
        told = f"{response.request.url} answered {response.status_code} {response.reason_phrase}"
        if response.status_code in (401, 403):  # of API Gateway, which asks its authorizer and says no more
            return NotAllowed(f"{told}: is the API key right, and still valid?")
        away = response.status_code >= 500 or response.status_code == 429
        return Unavailable(told) if away else Refused(f"{told}: is a stepfast API there?")
    kind, detail = str(problem["type"]).removeprefix(URN), str(problem.get("detail", ""))
    if kind == "invalid-request":
        fields = ((str(one["field"]), str(one["message"])) for one in problem.get("errors") or ())
        return InvalidRequest(detail, tuple(fields))
    if kind == "wrong-status":
        return WrongStatus(detail, str(problem.get("execution_status", "")))
    if kind in PROBLEMS:
        return PROBLEMS[kind](detail)
    if response.status_code in (401, 403):
        return NotAllowed(detail)
    return Unavailable(detail) if response.status_code >= 500 else Refused(detail)
