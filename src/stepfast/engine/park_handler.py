"""Handles a park message: the first delivery becomes the dead letter, and a redrive of that resumes the execution."""

from __future__ import annotations

import logging
from typing import assert_never

from stepfast.engine.attempt import SKEW
from stepfast.engine.finish import is_parked_by
from stepfast.engine.messages import BY_GATE
from stepfast.engine.ports import Clock, Delete, Delivery, Disposition, Refuse, Store
from stepfast.engine.resuming import Resuming
from stepfast.errors import WrongStatus
from stepfast.language.registry import Registry

log = logging.getLogger(__name__)


class ParkHandler:
    """Tells the message of a failure from an operator's redrive of it (rule *finish and park*)."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store = store
        self._resuming = Resuming(store, clock, registry)

    async def handle(self, delivery: Delivery) -> Disposition:
        """Refuse makes the message a dead letter. Delete: the execution has gone on, or does so now."""
        message = delivery.message
        execution = await self._store.read(message.execution_id)
        if execution is None or execution.generation != message.generation:
            return Delete()
        match execution.status:
            case "SUCCEEDED" | "CANCELLED":
                return Delete()
            case "FAILED" if not is_parked_by(execution, message):
                return Delete()  # Another has written the failure, and sent a park message of its own before.
            case "FAILED" if message.command_id == BY_GATE or delivery.sent_at > (execution.ended_at or 0.0) + SKEW:
                # The first message was sent before the failure was written; a later one is a redrive. The clocks of
                # the machine that wrote the failure and of the queue may differ by SKEW.
                try:
                    await self._resuming.rewind(message.execution_id, message.generation)
                except WrongStatus as error:
                    log.warning("the dead letter stays one: %s", error)  # Another execution holds its key.
                    return Refuse()
                return Delete()
            case "RUNNING" if message.command_id == BY_GATE:
                return Delete()
            case "CLOSED" if is_parked_by(execution, message):
                return Delete()  # An operator has closed it, which takes its dead letter away (rule *close*).
            case "RUNNING" | "PAUSED" | "FAILED" | "CLOSED":
                return Refuse()
            case _:
                assert_never(execution.status)
