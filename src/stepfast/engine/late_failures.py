"""Brings back an execution whose failure is written after the gate of its step has opened (rule *ramp*).

A ramp redrives what has FAILED behind its gate. An execution that is still RUNNING then has nothing to redrive, so
whoever writes its failure looks at the gate. It looks before the write, in case that the process dies after it, and
after the write, in case that the ramp has begun between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stepfast.engine.gates import gate_id, state_in, to_resume
from stepfast.engine.limit_items import LimitId
from stepfast.engine.limit_wants import wants_of
from stepfast.engine.messages import BY_GATE, Message
from stepfast.engine.ports import Clock, Queue, Store
from stepfast.errors import LimitKeyFailed
from stepfast.model import Execution
from stepfast.replay.failures import causes_of, failure_of
from stepfast.replay.replay import Replay

LATE_END_SECONDS = 10.0
"""Seconds within which a failure is written that is about to be."""


class LateFailure:
    """The gates of the steps that an execution fails by; reads nothing where no such step has a gate."""

    def __init__(self, store: Store, queue: Queue, clock: Clock, execution: Execution, replay: Replay) -> None:
        self._store, self._queue, self._clock, self._execution = store, queue, clock, execution
        self._gates: Sequence[LimitId] = tuple(dict.fromkeys(_gates_of(execution, replay)))
        self._sent = False

    async def before_end(self) -> None:
        """Sends the redrive, to come after the failure is written: a redrive of what is RUNNING does nothing."""
        await self._look(self._clock.now() + LATE_END_SECONDS)

    async def after_end(self) -> None:
        """Sends the redrive where a ramp has begun since `before_end`. Safe to repeat."""
        if not self._sent:
            await self._look(None)

    async def _look(self, due: float | None) -> None:
        execution = self._execution
        mine = (execution.execution_id, execution.generation)
        for id in self._gates:
            state = state_in((await self._store.limits.read(id)).gate)
            if mine in [(entry.execution_id, entry.generation) for entry in to_resume(state)]:
                message = Message("park", execution.execution_id, BY_GATE, execution.generation, run=execution.run)
                await self._queue.send([(message, due)])
                self._sent = True
                return


def _gates_of(execution: Execution, replay: Replay) -> Iterator[LimitId]:
    failed_by = failure_of(replay).step
    for id in causes_of(replay):
        command, record = replay.issued.get(id), replay.records.get(id)
        if command is None or command.step is None or command.step.name != failed_by:
            continue
        if not any(limit.gate for limit in command.step.limits):
            continue
        try:
            wants = wants_of(command.step, execution, command, record)
        except LimitKeyFailed:
            continue  # The step has failed by it, and no gate knows of that.
        yield from (gate_id(want.limit.name, want.turn or want.id.key) for want in wants if want.limit.gate is not None)
