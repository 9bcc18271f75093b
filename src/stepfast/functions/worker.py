"""The engine's worker, as the functions that consume a queue use it."""

from __future__ import annotations

import random

from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import Runner
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.worker import Worker
from stepfast.functions.engine import Engine


def worker_of(engine: Engine) -> Worker:
    """A worker that shares the engine's replay cache and chains steps while the invocation has time left."""
    steps = StepHandler(
        engine.store,
        engine.queue,
        engine.clock,
        engine.registry,
        engine.host.runner or Runner(),
        # SystemRandom asks the operating system. A seeded generator would give the same retry delays in every sandbox
        # that SnapStart restores from one snapshot (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html).
        engine.host.draw or random.SystemRandom(),
        engine.time_left,
        engine.lives,
    )
    timers = TimerHandler(engine.store, engine.clock)
    return Worker(steps, timers, ParkHandler(engine.store, engine.clock, engine.registry))
