"""Closes FAILED executions, and reopens them (rule *close*). Safe to repeat at any time."""

from __future__ import annotations

from dataclasses import replace

from stepfast.engine import caller
from stepfast.engine.history import intervention_event
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import existing, require_status, require_untouched
from stepfast.errors import WrongStatus
from stepfast.model import Execution
from stepfast.standing import Intervention


class FailureClosing:
    """Turns FAILED executions into CLOSED ones and back."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def close(self, execution_id: str, why: str | None = None, seen: str | None = None) -> Execution:
        """As Operations.close. seen: as of Pausing.pause."""
        while True:
            execution = existing(await self._store.read(execution_id), execution_id)
            if execution.status == "CLOSED":
                return execution
            require_status(execution, "FAILED", "closed")
            require_untouched(execution, seen)
            if execution.link is not None and execution.is_child:
                raise WrongStatus(
                    f"execution {execution_id!r} is a child: close {execution.link.root!r}, the root of its tree; its "
                    "children cannot be resumed then",
                    execution.status,
                )
            hand = Intervention("close", self._clock.now(), caller.who(), why)
            after = replace(execution, status="CLOSED", intervention=hand)
            if await self._store.intervene(StatusTurn(execution, after, untouched=seen is not None)):
                return after

    async def reopen(self, execution_id: str, why: str | None = None, seen: str | None = None) -> Execution:
        """As Operations.reopen. seen: as of `close`."""
        while True:
            execution = existing(await self._store.read(execution_id), execution_id)
            if execution.status == "FAILED":
                return execution
            require_status(execution, "CLOSED", "reopened")
            require_untouched(execution, seen)
            hand = Intervention("reopen", self._clock.now(), caller.who(), why)
            after = replace(execution, status="FAILED", intervention=hand)
            events = [intervention_event(each) for each in (execution.intervention, hand) if each is not None]
            if await self._store.intervene(StatusTurn(execution, after, events=events, untouched=seen is not None)):
                return after
