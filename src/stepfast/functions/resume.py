"""Parked failures: refused, so that SQS makes dead letters of them; a redriven one resumes its execution.

The queue delivers once. What cannot be resumed just now is a dead letter again, and can be redriven again.
"""

from __future__ import annotations

from stepfast.backends.aws.messages import Posted
from stepfast.deployment.settings import Settings
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Delivery, Disposition
from stepfast.errors import Unavailable
from stepfast.functions.clients import Clients
from stepfast.functions.consuming import Consumer
from stepfast.functions.entry import Entry
from stepfast.functions.host import Handler, Host
from stepfast.functions.wiring import Engine

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try while the store is away."""


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler."""
    engine = Engine(settings, clients, host)
    parked = ParkHandler(engine.store, engine.clock, engine.registry)

    async def handle(posted: Posted, delivery: Delivery) -> Disposition:
        for pause in PAUSES:
            try:
                return await parked.handle(delivery)
            except Unavailable:
                await engine.clock.sleep(pause)
        return await parked.handle(delivery)

    return Consumer(engine, settings.park_queue, handle)


handler = Entry("resume", build)
