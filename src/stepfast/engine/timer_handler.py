"""Handles a timer's message: the timer has come due, which its record says from here on."""

from __future__ import annotations

from stepfast.engine.beginning import Beginning
from stepfast.engine.deliveries import superseded
from stepfast.engine.holding import Holding
from stepfast.engine.messages import Message
from stepfast.engine.ports import Clock, Commit, Delete, Delivery, Disposition, Later, Queue, Store
from stepfast.engine.start_items import BEGIN
from stepfast.model import Record


class TimerHandler:
    """Records that timers are over (rule *signals and timers*); without a replay, so it needs no workflow code.

    It has executions begin, too, whose turn or whose moment has come (rule *turn*). pauses_kept: as of Holding.
    """

    def __init__(self, store: Store, queue: Queue, clock: Clock, pauses_kept: float = 0.0) -> None:
        self._store, self._clock = store, clock
        self._beginning = Beginning(store, queue, clock, holds=Holding(store, clock, pauses_kept).holds)

    async def handle(self, delivery: Delivery) -> Disposition:
        """Writes the timer's record with a wake: Delete once it is stored, Later if another has changed it."""
        message = delivery.message
        if message.command_id == BEGIN:
            return await self._begin(message)
        peeked = await self._store.peek(message.run_id, message.command_id)
        if peeked is None:
            return Delete()
        execution, record = peeked
        now = self._clock.now()
        if (disposition := superseded(execution, message, now)) is not None:
            return disposition
        if execution.run != message.run:  # The file keeps messages without the number of their run.
            peeked = await self._store.peek(execution.run_id, message.command_id)
            record = peeked[1] if peeked is not None else None
        if record is not None and record.status != "OPEN":
            return Delete()
        over = Record(
            message.command_id,
            "timer",
            "timer",
            "SUCCEEDED",
            message.generation,
            revision=record.revision + 1 if record else 1,
            ended_at=now,
        )
        commit = Commit(over, wake=True, due=delivery.due)
        return Delete() if await self._store.commit(execution.run_id, commit) else Later(now + 1.0)

    async def _begin(self, message: Message) -> Disposition:
        execution = await self._store.read(message.execution_id)
        if execution is None:
            return Delete()
        if (disposition := superseded(execution, message, self._clock.now())) is not None:
            return disposition
        at = await self._beginning.drive(execution) if execution.waits else None
        return Delete() if at is None else Later(at)
