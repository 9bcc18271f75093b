"""The engine of the functions that send messages."""

from __future__ import annotations

from functools import cached_property

from stepfast.backends.aws.scheduler import ScheduleGroup
from stepfast.backends.aws.sqs import SqsQueue
from stepfast.engine.messages import Message
from stepfast.engine.ports import Queue
from stepfast.engine.sealed_parts import SealedQueue
from stepfast.functions.engine import Engine
from stepfast.values.encryption import DataKey


class SendingEngine(Engine):
    """Sends to the pools' queues, the timer queue and the park queue, and makes schedules."""

    @cached_property
    def queue(self) -> Queue:
        settings, clients = self.settings, self.clients
        queue = SqsQueue(
            clients.sqs,
            self.clock,
            pools=settings.queues,
            timers=settings.timer_queue,
            parks=settings.park_queue,
            schedules=ScheduleGroup(lambda: clients.scheduler, settings.schedules, settings.schedule_role),
        )
        return SealedQueue(queue, self._message_keys)

    async def _message_keys(self, message: Message) -> DataKey | None:
        return await self.table_store.keys.for_write(message.execution_id, message.generation)
