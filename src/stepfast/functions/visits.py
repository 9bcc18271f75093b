"""The visits of a sweep: an execution that cannot be advanced does not stop the others, and stuck ones are counted."""

from __future__ import annotations

import logging

from stepfast.engine.advancer import Advanced, Advancer
from stepfast.engine.resending import Resend
from stepfast.errors import Misconfigured, StepfastError, Unavailable
from stepfast.functions import logs
from stepfast.functions.sending_engine import SendingEngine
from stepfast.model import Snapshot

log = logging.getLogger(__name__)

STUCK_SECONDS = 900.0
"""Seconds without progress after which an execution that waits for nothing else is called stuck."""
AWAY = 3
"""Visits in a row that fail because something is away, after which the sweep gives up until the next one."""


class Visits:
    """Visits executions for the sweep, and counts those that are stuck.

    An execution is judged by what its own visit has come to, or, where that failed, by what a read of its own finds.
    """

    def __init__(self, engine: SendingEngine) -> None:
        self._store, self._clock = engine.store, engine.clock
        depth = engine.settings.max_child_depth
        self._advancer = Advancer(engine.store, engine.queue, engine.clock, engine.registry, max_child_depth=depth)
        self._away, self._stuck = 0, 0

    async def visit(self, execution_id: str, resend: Resend) -> None:
        """Advances an execution; a failure is logged, and raised only where the next visits would fare no better."""
        with logs.about(execution_id):
            try:
                advanced = await self._advancer.advance(execution_id, resend=resend)
            except Exception as error:
                await self._failed(execution_id, error)
            else:
                self._away = 0
                self._judge(advanced)

    def take_stuck(self) -> int:
        """How many executions were stuck; the count starts again at 0."""
        stuck, self._stuck = self._stuck, 0
        return stuck

    async def _failed(self, execution_id: str, error: Exception) -> None:
        logs.complain(log, f"execution {execution_id} was not advanced", error)
        self._away += isinstance(error, Unavailable | Misconfigured)
        if self._away >= AWAY:
            raise error
        if isinstance(error, Unavailable):
            return  # that a service is away says nothing of the execution
        try:
            snapshot = await self._store.load(execution_id)
        except StepfastError:
            return  # an execution that cannot be read cannot be judged
        if snapshot is not None and snapshot.execution.status == "RUNNING":
            self._judge_since(snapshot, _progress(snapshot))

    def _judge(self, advanced: Advanced) -> None:
        """Stuck is what was sent again, or is not deployed, long after it last went on or was to go on."""
        snapshot = advanced.snapshot
        if snapshot is None or advanced.finished or not (advanced.sent or advanced.waits):
            return
        due = max((due or 0.0 for _, due in advanced.sent), default=0.0)
        self._judge_since(snapshot, max(_progress(snapshot), due))

    def _judge_since(self, snapshot: Snapshot, progress: float) -> None:
        seconds = self._clock.now() - progress
        if seconds > STUCK_SECONDS:
            self._stuck += 1
            log.warning("execution %s has made no progress for %.0f s", snapshot.execution.execution_id, seconds)


def _progress(snapshot: Snapshot) -> float:
    """When the execution last went on, or is to go on by itself."""
    execution = snapshot.execution
    times = [execution.run_began_at, execution.resumed_at]
    for record in snapshot.records.values():
        times += [record.first_at, record.started_at, record.ended_at, record.due, record.lease]
    times += [signal.received_at for signal in snapshot.signals]
    return max(time for time in times if time is not None)
