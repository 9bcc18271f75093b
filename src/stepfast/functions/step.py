"""Runs the steps of one pool: claims, runs and records the step of each message, then the chain that follows."""

from __future__ import annotations

import random

from stepfast.backends.aws.messages import Posted
from stepfast.backends.item_files import DiskAndBucketFiles
from stepfast.deployment.settings import Settings
from stepfast.engine.limiting import Limiter
from stepfast.engine.looks import LookPace, SharedGlances
from stepfast.engine.ports import Delivery, Disposition
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import Runner
from stepfast.errors import Misconfigured
from stepfast.functions.clients import Clients
from stepfast.functions.consumer import Consumer, in_wrong_queue
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host
from stepfast.functions.sending_engine import SendingEngine

__all__ = ["handler"]

NAP_SECONDS = 1.0
"""Seconds that an invocation waits for the reserved moment of its step: SQS delays messages by whole seconds."""
LOOK_SECONDS = 3.0
"""How late an attempt may learn that it is not wanted any more. A look takes half a read unit of the table."""


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler of the pool that the settings name."""
    engine = SendingEngine(settings, clients, host)
    runner = engine.host.runner or Runner()
    steps = StepHandler(
        engine.store,
        engine.queue,
        engine.clock,
        engine.registry,
        runner if engine.telemetry is None else engine.telemetry.runner(runner),
        # SystemRandom asks the operating system. A seeded generator would give the same retry delays in every sandbox
        # that SnapStart restores from one snapshot (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html).
        engine.host.draw or random.SystemRandom(),
        engine.time_left,
        engine.lives,
        files=DiskAndBucketFiles(lambda: clients.s3),
        limiter=Limiter(engine.store, engine.queue, engine.clock, nap=NAP_SECONDS, settings=engine.limit_numbers),
        public_url=settings.public_url,
        pace=LookPace(LOOK_SECONDS, SharedGlances(engine.table_store, engine.clock)),
    )

    async def handle(posted: Posted, delivery: Delivery) -> Disposition:
        message = delivery.message
        if message.kind != "step" or message.pool != settings.pool:
            # The step may need more time or memory than this function has.
            return in_wrong_queue(message, f"pool {settings.pool!r}", engine.clock.now())
        try:
            return await steps.handle(delivery)
        except Misconfigured:
            # The deployed code puts the step into a pool without a queue. Advancing the execution fails it with that
            # reason.
            await engine.advancer.advance(message.execution_id)
            raise

    return Consumer(engine, settings.queues[settings.pool], handle)


handler = EntryPoint("step", build)
