"""The worker of a function that takes messages from a queue."""

from __future__ import annotations

import random

from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import Runner
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.worker import Worker
from stepfast.functions.wiring import Engine


def worker_of(engine: Engine) -> Worker:
    """A worker that shares the engine's replays, and chains steps while the invocation has time for them."""
    steps = StepHandler(
        engine.store,
        engine.queue,
        engine.clock,
        engine.registry,
        engine.host.runner or Runner(),
        # Of the operating system: sandboxes that began from one snapshot would all draw the same delays.
        engine.host.draw or random.SystemRandom(),
        engine.time_left,
        engine.lives,
    )
    timers = TimerHandler(engine.store, engine.clock)
    return Worker(steps, timers, ParkHandler(engine.store, engine.clock, engine.registry))
