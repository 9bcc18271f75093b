"""A sweep's visits: one execution that cannot be advanced does not stop the others, and stuck ones are told of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property

from stepfast.advancer import Advancer, Resend
from stepfast.errors import Unavailable
from stepfast.functions import logs
from stepfast.functions.sending import SendingEngine
from stepfast.model import Message, Snapshot
from stepfast.ports import Queue

log = logging.getLogger(__name__)

PATIENCE = 900.0
"""Seconds without progress after which an execution that waits for nothing else is called stuck."""


AWAY = 3
"""Visits in a row that fail because something is away, after which the sweep gives up until the next one."""


class VisitingEngine(SendingEngine):
    """An engine whose advances are visits of the sweep."""

    @cached_property
    def queue(self) -> Queue:
        return self.visits.sending(super().queue)

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
        self._sent: dict[str, float] = {}
        self._stuck = 0

    def take_stuck(self) -> int:
        """How many were stuck since this was last asked."""
        stuck, self._stuck = self._stuck, 0
        return stuck

    def sending(self, queue: Queue) -> Queue:
        return _Noting(queue, self._sent)

    def judge(self, execution_id: str, failed: bool) -> None:
        """Called after a visit; stuck is what was sent again, cannot be advanced or is not deployed, for long."""
        due, snapshot = self._sent.pop(execution_id, None), self._engine.store.seen
        if snapshot is None or snapshot.execution.status != "RUNNING":
            return
        deployed = self._engine.registry.get(snapshot.execution.workflow) is not None
        if due is None and deployed and not failed:
            return
        since = self._engine.clock.now() - max(_progress(snapshot), due or 0.0)
        if since > PATIENCE:
            self._stuck += 1
            log.warning("execution %s has made no progress for %.0f s", execution_id, since)


class _Visitor(Advancer):
    def __init__(self, engine: VisitingEngine) -> None:
        super().__init__(engine.store, engine.queue, engine.clock, engine.registry)
        self._visits, self._away = engine.visits, 0

    async def advance(self, execution_id: str, *, resend: Resend | None = None) -> None:
        failed = False
        with logs.about(execution_id):
            try:
                await super().advance(execution_id, resend=resend)
                self._away = 0
            except Exception as error:
                failed = True
                logs.complain(log, f"execution {execution_id} was not advanced", error)
                self._away += isinstance(error, Unavailable)
                if self._away >= AWAY:
                    raise  # the next ones would fare no better
            self._visits.judge(execution_id, failed)


class _Noting:
    """A queue that notes for which executions something was sent, and the latest time that it is due."""

    def __init__(self, queue: Queue, sent: dict[str, float]) -> None:
        self._queue, self._sent = queue, sent

    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        await self._queue.send(messages)
        for message, due in messages:
            self._sent[message.execution_id] = max(due or 0.0, self._sent.get(message.execution_id, 0.0))


def _progress(snapshot: Snapshot) -> float:
    """When the execution last went on, or is to go on by itself."""
    execution = snapshot.execution
    times = [execution.created_at, execution.resumed_at]
    for record in snapshot.records.values():
        times += [record.first_at, record.started_at, record.ended_at, record.due, record.lease]
    times += [signal.received_at for signal in snapshot.signals]
    return max(one for one in times if one is not None)
