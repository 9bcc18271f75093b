"""Runs the steps of one pool: claims, runs and records the step of each message, then the chain that follows."""

from __future__ import annotations

import logging

from stepfast.backends.aws.messages import Posted
from stepfast.deployment.settings import Settings
from stepfast.engine.ports import Delivery, Disposition, Later
from stepfast.errors import Misconfigured
from stepfast.functions.clients import Clients
from stepfast.functions.consumer import Consumer
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host
from stepfast.functions.sending_engine import SendingEngine
from stepfast.functions.worker import worker_of

__all__ = ["handler"]

log = logging.getLogger(__name__)

WRONG_QUEUE_SECONDS = 300.0
"""Seconds until a message in the wrong queue is delivered again."""


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler of the pool that the settings name."""
    engine = SendingEngine(settings, clients, host)
    worker = worker_of(engine)

    async def handle(posted: Posted, delivery: Delivery) -> Disposition:
        message = delivery.message
        if message.kind == "step" and message.pool != settings.pool:
            # The step may need more time or memory than this function has, so it must not run here.
            log.error(
                "step %s is of pool %r, and this is the queue of %r: move the message, or deploy that pool",
                message.command_id,
                message.pool,
                settings.pool,
            )
            return Later(engine.clock.now() + WRONG_QUEUE_SECONDS)
        try:
            return await worker.handle(delivery)
        except Misconfigured:
            # The deployed code puts the step into a pool without a queue. Advancing the execution fails it with that
            # reason.
            await engine.advancer.advance(message.execution_id)
            raise

    return Consumer(engine, settings.queues[settings.pool], handle)


handler = EntryPoint("step", build)
