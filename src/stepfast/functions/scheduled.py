"""Handles the messages of schedules: starts what is due, and looks at what waits."""

from __future__ import annotations

from stepfast.deployment.schedule_messages import ScheduleMessage
from stepfast.engine.schedule_items import Moment
from stepfast.engine.schedule_starts import MomentOutcome
from stepfast.functions import logs
from stepfast.functions.engine import Engine


class ScheduledMoments:
    """The schedules of a deployment, on its engine."""

    def __init__(self, engine: Engine) -> None:
        self._clock, self._engine = engine.clock, engine

    async def handle(self, message: ScheduleMessage) -> tuple[MomentOutcome | None, float | None]:
        """What became of the message's moment, and when the message is to come again; None when it is done with."""
        target, at, starts = message.target, message.moment, self._engine.operations.scheduled
        if at is None:
            return None, await starts.look(target)
        due = at + target.offset(at)
        if target.jitter and due > self._clock.now():
            return None, due
        id = target.id_at(at)
        with logs.about(id):
            outcome = await starts.take(target, Moment(id, at, decided_at=self._clock.now()))
        return outcome, outcome.look_at
