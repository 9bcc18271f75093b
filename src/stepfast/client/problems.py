"""The client's own exceptions, and which exception a problem of the API stands for."""

from __future__ import annotations

from typing import Any

from stepfast.client.replies import Reply
from stepfast.errors import (
    PROBLEM_URN,
    ExecutionConflict,
    ExecutionNotFound,
    InvalidRequest,
    Misconfigured,
    Refused,
    StepfastError,
    TooManySignals,
    Unavailable,
    UnknownName,
    UnknownWorkflow,
    WrongStatus,
)

PROBLEMS: dict[str, type[Refused]] = {
    "unknown-workflow": UnknownWorkflow,
    "unknown-name": UnknownName,
    "execution-not-found": ExecutionNotFound,
    "execution-conflict": ExecutionConflict,
    "too-many-signals": TooManySignals,
}


class Unreachable(Unavailable):
    """Nothing has answered at the server's URL within `retry_for`.

    `reason` is what the last try met. `sent` is True if the call may have arrived nevertheless.
    """

    def __init__(self, url: str, reason: str, sent: bool) -> None:
        super().__init__(f"no answer from {url}: {reason}")
        self.reason = reason
        self.sent = sent


class NotAllowed(Refused):
    """The API key or the signature is missing or wrong, or the server does not answer to this host name.

    scope: the scope that a valid key lacks, such as "run". None in all other cases.
    """

    def __init__(self, message: str, scope: str | None = None) -> None:
        super().__init__(message)
        self.scope = scope


class ExecutionFailed(StepfastError):
    """The execution is FAILED. It is paused and can be resumed.

    execution_id: the id of the execution.
    step: the name of the step that failed, or None for a failure of the workflow's own code.
    error_type: the name of the error's class.
    error_class: the same with its module, such as "billing.errors.Declined". A class that is built into Python has no
    module here.
    message: the text of the error.
    traceback: the place where the error was raised, or None where it is not known.
    """

    def __init__(self, execution: dict[str, Any]) -> None:
        error = execution["error"] or {}
        self.execution_id: str = execution["execution_id"]
        self.step: str | None = error.get("step")
        self.error_type: str = error.get("type", "Unknown")
        self.error_class: str = error.get("error_class") or self.error_type
        self.message: str = error.get("message", "")
        self.traceback: str | None = error.get("traceback")
        place = f"in step {self.step!r}" if self.step else "in the workflow's own code"
        super().__init__(f"execution {self.execution_id!r} failed {place}: {self.error_type}: {self.message}")


class ExecutionCancelled(StepfastError):
    """The execution `execution_id` is CANCELLED. It has no result and cannot be resumed."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"execution {execution_id!r} was cancelled")
        self.execution_id = execution_id


def error_of(reply: Reply) -> StepfastError:
    """The exception for an answer that is an error, by the type of its problem document and else by its status."""
    try:
        problem = reply.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or not str(problem.get("type", "")).startswith(PROBLEM_URN):
        answer = f"{reply.url} answered {reply.status} {reply.reason}"
        if reply.status in (401, 403):  # API Gateway answers a refusal of its authorizer without a problem document.
            return NotAllowed(f"{answer}: is the API key right, and still valid?")
        away = reply.status >= 500 or reply.status == 429
        return Unavailable(answer) if away else Refused(f"{answer}: is a stepfast API there?")
    kind, detail = str(problem["type"]).removeprefix(PROBLEM_URN), str(problem.get("detail", ""))
    if kind == "invalid-request":
        return InvalidRequest(detail, _fields(problem.get("errors")), _whole_number(problem.get("error_count")))
    if kind == "wrong-status":
        return WrongStatus(detail, str(problem.get("execution_status", "")))
    if kind == "misconfigured":
        return Misconfigured(detail)
    if kind in PROBLEMS:
        return PROBLEMS[kind](detail)
    if reply.status in (401, 403):
        scope = problem.get("scope")
        return NotAllowed(detail, scope if isinstance(scope, str) else None)
    return Unavailable(detail) if reply.status >= 500 else Refused(detail)


def _whole_number(count: object) -> int | None:
    return count if type(count) is int else None


def _fields(errors: object) -> tuple[tuple[str, str], ...]:
    entries = [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    return tuple((str(entry.get("field", "")), str(entry.get("message", ""))) for entry in entries)
