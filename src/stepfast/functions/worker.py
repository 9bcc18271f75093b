"""The worker of a function that takes messages from a queue."""

from __future__ import annotations

import random

from stepfast.engine.step_runner import Runner
from stepfast.engine.worker import Worker
from stepfast.functions.engine import Engine


def worker_of(engine: Engine) -> Worker:
    """A worker that shares the engine's replays, and chains steps while the invocation has time for them."""
    return Worker(
        engine.store,
        engine.queue,
        engine.clock,
        engine.registry,
        engine.host.runner or Runner(),
        engine.operations.resume,
        # Of the operating system: sandboxes that began from one snapshot would all draw the same delays.
        engine.host.draw or random.SystemRandom(),
        engine.time_left,
        engine.lives,
    )
