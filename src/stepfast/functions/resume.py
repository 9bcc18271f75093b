"""Consumes the park queue: refuses a new failure, so that SQS makes a dead letter of it, and resumes a redriven one.

The queue delivers a message once (`maxReceiveCount` 1). If a resume fails, the message becomes a dead letter again and
can be redriven again.
"""

from __future__ import annotations

from stepfast.backends.aws.messages import Posted
from stepfast.deployment.settings import Settings
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Delivery, Disposition
from stepfast.errors import Unavailable
from stepfast.functions.clients import Clients
from stepfast.functions.consumer import Consumer
from stepfast.functions.engine import Engine
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host

__all__ = ["handler"]

PAUSE_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each retry while the store cannot be reached."""


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler."""
    engine = Engine(settings, clients, host)
    parked = ParkHandler(engine.store, engine.clock, engine.registry)

    async def handle(posted: Posted, delivery: Delivery) -> Disposition:
        for pause in PAUSE_SECONDS:
            try:
                return await parked.handle(delivery)
            except Unavailable:
                await engine.clock.sleep(pause)
        return await parked.handle(delivery)

    return Consumer(engine, settings.park_queue, handle)


handler = EntryPoint("resume", build)
