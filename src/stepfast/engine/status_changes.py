"""Changes of the status of executions, as webhooks and EventBridge report them (rule *event*). Pure.

A change carries no value of the execution: neither input nor result, and of an error only its class and its step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from stepfast.records import dataclass

OWN_PREFIX = "stepfast."
"""What the workflows of stepfast itself begin with, such as batches of map_items(). Their changes are not reported."""
LONGEST_ERROR = 200
_BY_STATUS = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "PAUSED": "paused",
    "CLOSED": "closed",
}
_FROM_TO = {("PAUSED", "RUNNING"): "unpaused", ("FAILED", "RUNNING"): "resumed", ("CLOSED", "FAILED"): "reopened"}
TYPES = tuple(
    f"execution.{verb}" for verb in ("started", "continued", *_BY_STATUS.values(), *sorted(_FROM_TO.values()))
)
"""All types of events."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One change, complete in itself.

    previous: the status before; None for a start. at: seconds since the epoch, as the execution has it. parent: the id
    of the execution above a child. error_type, step: of a failure. A RUNNING execution that continues as a new run
    changes as well, from RUNNING to RUNNING.
    """

    execution_id: str
    workflow: str
    run: int
    generation: int
    previous: str | None
    status: str
    at: float
    labels: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    error_type: str | None = None
    step: str | None = None

    @property
    def id(self) -> str:
        """The same for the same change, however often it is reported."""
        parts = [self.execution_id, self.run, self.generation, self.previous, self.status, self.at]
        return f"evt_{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"

    @property
    def type(self) -> str:
        if self.previous is None:
            return "execution.started"
        if self.previous == self.status:
            return "execution.continued"
        return f"execution.{_FROM_TO.get((self.previous, self.status)) or _BY_STATUS[self.status]}"

    @property
    def timestamp(self) -> str:
        """ISO 8601, UTC, with microseconds and Z."""
        return f"{datetime.fromtimestamp(self.at, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"

    def event(self) -> dict[str, Any]:
        """The whole event, as the body of a webhook."""
        return {"type": self.type, "timestamp": self.timestamp, "data": self.data()}

    def data(self) -> dict[str, Any]:
        """What a receiver learns of the change, as JSON values."""
        failed = self.error_type is not None
        return {
            "execution_id": self.execution_id,
            "workflow": self.workflow,
            "run": self.run,
            "generation": self.generation,
            "status": self.status,
            "previous_status": self.previous,
            "labels": dict(self.labels),
            "parent": self.parent,
            "error": {"type": self.error_type, "step": self.step} if failed else None,
        }


def moment_of(
    previous: str | None,
    status: str,
    created: float,
    began: float | None,
    ended: float | None,
    resumed: float | None,
    intervened: float | None,
) -> float:
    """When an execution came to stand as it does, by its own times: the same change has the same time in every report.

    previous: None for a start. began: of the run. intervened: of the last intervention.
    """
    if previous is None:
        at: float | None = created
    elif previous == status:
        at = began
    elif status in ("SUCCEEDED", "CANCELLED") or (previous, status) == ("RUNNING", "FAILED"):
        at = ended
    elif (previous, status) == ("FAILED", "RUNNING"):
        at = resumed
    else:
        at = intervened
    return created if at is None else at


def shortened(text: str | None) -> str | None:
    """The name of a class or a step, as it is reported."""
    return None if text is None else text[:LONGEST_ERROR]
