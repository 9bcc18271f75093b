"""The engine of the functions that send messages."""

from __future__ import annotations

from functools import cached_property

from stepfast.backends.aws.scheduler import ScheduleGroup
from stepfast.backends.aws.sqs import SqsQueue
from stepfast.engine.ports import Queue
from stepfast.functions.engine import Engine


class SendingEngine(Engine):
    """Sends to the pools' queues, the timer queue and the park queue, and makes schedules."""

    @cached_property
    def queue(self) -> Queue:
        settings, clients = self.settings, self.clients
        return SqsQueue(
            clients.sqs,
            self.clock,
            pools=settings.queues,
            timers=settings.timer_queue,
            parks=settings.park_queue,
            schedules=ScheduleGroup(lambda: clients.scheduler, settings.schedules, settings.schedule_role),
        )
