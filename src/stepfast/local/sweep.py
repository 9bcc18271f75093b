"""The embedded sweep (rule *sweep*): it handles overdue commands again, whose message is lost, late or missing.

The sweep runs no workflow code. It leaves that to worker threads, so that code which blocks cannot stop the sweep.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from stepfast.engine.embedded import EmbeddedBackend, Stored
from stepfast.engine.ports import Clock
from stepfast.engine.resending import Resend
from stepfast.local.inbox import Inbox

log = logging.getLogger(__name__)

OVERDUE_AFTER_SECONDS = 60.0
"""The time after its due time from which a message or a command is overdue."""
ROWS_PER_READ = 200
"""Rows that are read at once."""
BATCH_PAUSE_SECONDS = 0.05
"""The pause between two batches, and between two looks at a batch whose advances are under way."""
MAX_BATCH_LOOKS = 100
"""The number of looks at a batch after which the sweep continues with the next batch."""


class Sweep:
    """Compares the file with the inbox. holds: returns the numbers of the messages that threads have in hand."""

    def __init__(self, backend: EmbeddedBackend, inbox: Inbox, holds: Callable[[], set[int]], clock: Clock) -> None:
        self._backend, self._inbox, self._holds, self._clock = backend, inbox, holds, clock
        self._wakes: dict[str, int] = {}

    async def lap(self) -> None:
        """Looks at all RUNNING executions once."""
        self._backend.flush()
        self._advance_lost_wakes()
        await self._advance_idle()
        await self._resume_overdue()

    def _advance_lost_wakes(self) -> None:
        """Advances executions whose wake is in the file since the lap before and is not known in this process."""
        before, self._wakes = self._wakes, self._backend.wakes()
        old = {id: seq for id, seq in self._wakes.items() if before.get(id) == seq}
        for id in sorted(self._inbox.lacks_wakes(old)):
            log.warning("execution %s has not been advanced for a while: it is advanced again", id)
            self._inbox.put_wake(id, old[id])

    async def _advance_idle(self) -> None:
        """Advances executions without a message and without a wake. Most of them wait for a signal."""
        after, more = "", True
        while more:
            ids, after = await self._backend.idle(ROWS_PER_READ, after)
            for id in ids:
                self._inbox.put_wake(id, 0, Resend())
            for _ in range(MAX_BATCH_LOOKS):
                if len(self._inbox.lacks_wakes(ids)) == len(ids):
                    break
                await asyncio.sleep(BATCH_PAUSE_SECONDS)
            more = after != ""

    async def _resume_overdue(self) -> None:
        """Handles overdue messages that are no longer in memory, or that wait longer than their command is due."""
        after, executions = 0, dict[str, list[Stored]]()
        while batch := self._backend.messages_due_before(
            self._clock.now() - OVERDUE_AFTER_SECONDS, after, ROWS_PER_READ
        ):
            after = batch[-1].seq
            for stored in await self._lost_messages(batch):
                self._inbox.put_message(stored, self._clock.now())
            for stored in batch:
                executions.setdefault(stored.delivery.message.execution_id, []).append(stored)
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
        for number, (id, messages) in enumerate(executions.items()):
            self._hasten_or_resend(id, messages)
            if number % ROWS_PER_READ == ROWS_PER_READ - 1:
                await asyncio.sleep(BATCH_PAUSE_SECONDS)

    async def _lost_messages(self, batch: list[Stored]) -> list[Stored]:
        """The messages that neither wait nor are in hand, at two looks in a row.

        One look is not enough: a message that moves from the inbox to a thread is in neither for a moment.
        """
        lost = self._not_in_memory(batch)
        if lost:
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
            lost = self._not_in_memory(lost)
        ids = {stored.delivery.message.execution_id for stored in lost}
        running = {
            execution.execution_id
            for execution in await self._backend.read_many(list(ids))
            if execution.status == "RUNNING"
        }
        for stored in lost:
            message = stored.delivery.message
            if message.execution_id in running:
                _warn_overdue(
                    message.execution_id, message.command_id, self._clock.now() - stored.due, "its message was lost"
                )
        return lost

    def _not_in_memory(self, batch: Iterable[Stored]) -> list[Stored]:
        held = self._holds()
        return [stored for stored in batch if stored.seq not in held and self._inbox.waits_until(stored.seq) is None]

    def _hasten_or_resend(self, execution_id: str, messages: list[Stored]) -> None:
        """Brings forward messages that wait longer than their command is due, and has missing messages sent again.

        messages: all overdue messages of the execution.
        """
        now = self._clock.now()
        overdue = self._backend.commands_due_before(execution_id, now - OVERDUE_AFTER_SECONDS)
        for command in overdue:
            own = [stored for stored in messages if stored.delivery.message.command_id == command.command_id]
            late = [
                stored
                for stored in own or messages
                if (at := self._inbox.waits_until(stored.seq)) is not None and at > now
            ]
            for stored in late:
                self._inbox.put_message(stored, now)
            if late:
                _warn_overdue(execution_id, command.command_id, now - command.due, f"it is {command.status}")
            elif not own:  # Messages of other commands are in memory, and none of them leads to this command.
                self._inbox.put_wake(execution_id, 0, Resend(OVERDUE_AFTER_SECONDS))


def _warn_overdue(execution_id: str, command_id: str, seconds: float, why: str) -> None:
    log.warning(
        "execution %s: %s is overdue by %.0f s (%s): it is handled again", execution_id, command_id, seconds, why
    )
