"""One call of a function: what its handler is passed, and what becomes of the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from stepfast.simulator.clock import ReadableClock

Handler = Callable[[Any, Any], Any]
Outcome = Literal["ok", "error", "killed", "timeout"]
MAX_PAYLOAD = 6 * 1024 * 1024
"""Bytes of an event or a response (Lambda's quota for synchronous invocations)."""


class SandboxEnded(BaseException):
    """The sandbox has been ended. No code of it continues."""

    outcome: Outcome = "killed"


class TimedOut(SandboxEnded):
    """Lambda ends a function that runs longer than its timeout."""

    outcome: Outcome = "timeout"


@dataclass(slots=True)
class Invocation:
    """One invocation of a function. Times are in seconds since the epoch, by the clock of the world.

    function: the name of the function.
    request_id: the id of the invocation.
    event: what the handler was called with.
    started_at: when the invocation began.
    cold: whether it was the first of its sandbox.
    outcome: how it ended; None while it runs.
    error: the exception of the handler, or None.
    result: what the handler returned, as JSON values.
    ended_at: when the invocation ended; None while it runs.
    """

    function: str
    request_id: str
    event: Any = field(repr=False)
    started_at: float
    deadline: float = field(repr=False)
    cold: bool = False
    outcome: Outcome | None = None
    error: BaseException | None = None
    result: Any = field(default=None, repr=False)
    ended_at: float | None = None
    text: str = field(default="", repr=False)
    done: Callable[[Invocation], None] = field(default=lambda _: None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the invocation has ended without an error."""
        return self.outcome == "ok"


class Context:
    """What Lambda passes to a handler beside its event."""

    function_version = "$LATEST"
    client_context = None
    identity = None

    def __init__(self, clock: ReadableClock, invocation: Invocation, memory: int, arn: str) -> None:
        self._clock, self._deadline = clock, invocation.deadline
        self.function_name = invocation.function
        self.invoked_function_arn = arn
        self.memory_limit_in_mb = str(memory)
        self.aws_request_id = invocation.request_id
        self.log_group_name = f"/aws/lambda/{invocation.function}"
        self.log_stream_name = "simulated"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - self._clock.now) * 1000))
