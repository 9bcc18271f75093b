"""A sweep's visits: one execution that cannot be advanced does not stop the others, and stuck ones are told of."""

from __future__ import annotations

import logging
from functools import cached_property

from stepfast.engine.advancer import Advanced, Advancer, Resend
from stepfast.errors import Misconfigured, StepfastError, Unavailable
from stepfast.functions import logs
from stepfast.functions.sending_engine import SendingEngine
from stepfast.model import Snapshot

log = logging.getLogger(__name__)

PATIENCE = 900.0
"""Seconds without progress after which an execution that waits for nothing else is called stuck."""


AWAY = 3
"""Visits in a row that fail because something is away, after which the sweep gives up until the next one."""


class VisitingEngine(SendingEngine):
    """An engine whose advances are visits of the sweep."""

    @cached_property
    def visits(self) -> Visits:
        return Visits(self)

    @cached_property
    def advancer(self) -> Advancer:
        return _Visitor(self)


class Visits:
    """What this sweep's visits have found."""

    def __init__(self, engine: VisitingEngine) -> None:
        self._engine = engine
        self._stuck = 0

    def take_stuck(self) -> int:
        """How many were stuck since this was last asked."""
        stuck, self._stuck = self._stuck, 0
        return stuck

    def judge(self, found: Advanced, failed: bool = False) -> None:
        """Called after a visit; stuck is what was sent again, cannot be advanced or is not deployed, for long."""
        snapshot = found.snapshot
        if snapshot is None or snapshot.execution.status != "RUNNING" or not (found.sent or found.waits or failed):
            return
        due = max((at or 0.0 for _, at in found.sent), default=0.0)
        since = self._engine.clock.now() - max(_progress(snapshot), due)
        if since > PATIENCE:
            self._stuck += 1
            log.warning("execution %s has made no progress for %.0f s", snapshot.execution.execution_id, since)


class _Visitor(Advancer):
    def __init__(self, engine: VisitingEngine) -> None:
        super().__init__(engine.store, engine.queue, engine.clock, engine.registry)
        self._visits, self._away = engine.visits, 0

    async def advance(self, execution_id: str, *, resend: Resend | None = None) -> Advanced:
        with logs.about(execution_id):
            try:
                found = await super().advance(execution_id, resend=resend)
                self._away = 0
                self._visits.judge(found)
                return found
            except Exception as error:
                logs.complain(log, f"execution {execution_id} was not advanced", error)
                self._away += isinstance(error, Unavailable | Misconfigured)
                if self._away >= AWAY:
                    raise  # the next ones would fare no better
                if not isinstance(error, Unavailable):  # that says nothing of the execution
                    await self._judge_failed(execution_id)
                return Advanced()

    async def _judge_failed(self, execution_id: str) -> None:
        try:
            snapshot = await self._store.load(execution_id)
        except StepfastError:
            return  # who cannot be read cannot be judged
        self._visits.judge(Advanced(snapshot), failed=True)


def _progress(snapshot: Snapshot) -> float:
    """When the execution last went on, or is to go on by itself."""
    execution = snapshot.execution
    times = [execution.created_at, execution.resumed_at]
    for record in snapshot.records.values():
        times += [record.first_at, record.started_at, record.ended_at, record.due, record.lease]
    times += [signal.received_at for signal in snapshot.signals]
    return max(one for one in times if one is not None)
