"""Takes each message to its disposition: a table from the kind of a message to its handler.

| kind | handler | dispositions |
|---|---|---|
| step | step_handler.StepHandler | Delete, Later, Leave, Elsewhere |
| timer | timer_handler.TimerHandler | Delete, Later |
| park | park_handler.ParkHandler | Delete, Refuse |

The caller then deletes, delays, refuses or leaves the message. Rules: docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from stepfast.engine.messages import MessageKind
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Delivery, Disposition
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.timer_handler import TimerHandler
from stepfast.model import Snapshot


class Handler(Protocol):
    """Handles the messages of one kind."""

    def handle(self, delivery: Delivery) -> Coroutine[Any, Any, Disposition]:
        """Does what a message asks for; safe to call any number of times for the same message."""


class Worker:
    """Handles messages of every kind; may handle many at once."""

    def __init__(self, step: StepHandler, timer: TimerHandler, park: ParkHandler) -> None:
        self._attempts, self._step = step.attempts, step
        self._handlers: dict[MessageKind, Handler] = {"step": step, "timer": timer, "park": park}

    def handle(self, delivery: Delivery, read: Snapshot | None = None) -> Coroutine[Any, Any, Disposition]:
        """Does what a message asks for; safe to call any number of times for the same message.

        read: what an advance has read that has just sent the message of a step. None for other messages.
        """
        if read is not None:
            return self._step.handle(delivery, read)
        return self._handlers[delivery.message.kind].handle(delivery)

    def interrupt(self, reason: str) -> int:
        """Stops the attempts that run, since this process is to end; returns how many (see Attempts.interrupt)."""
        return self._attempts.interrupt(reason)
