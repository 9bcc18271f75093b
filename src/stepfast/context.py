"""What a running step knows of itself, and how code in it asks for that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

log = logging.getLogger("stepfast.step")


@dataclass(frozen=True)
class StepContext:
    """What a running step knows of itself; get it with `current_step()`.

    `idempotency_key` is the same in every attempt of this command, also after a resume: hand it to a
    payment provider and a repeated attempt charges once. `generation` is how often the execution has been
    resumed. `deadline` is when this attempt times out, UTC. `logger` names execution, step and attempt in every
    record. What most steps never ask for is made when it is first asked for.
    """

    execution_id: str
    step_id: str
    attempt: int
    generation: int
    deadline_at: float
    beat: Callable[[], None] = field(repr=False)
    make_key: Callable[[], str] = field(repr=False)

    @cached_property
    def idempotency_key(self) -> str:
        return self.make_key()

    @cached_property
    def deadline(self) -> datetime:
        return datetime.fromtimestamp(self.deadline_at, UTC)

    @cached_property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        told = {"execution_id": self.execution_id, "step_id": self.step_id, "attempt": self.attempt}
        return logging.LoggerAdapter(log, told)

    def heartbeat(self) -> None:
        """Says that the step is alive; cheap, call it as often as you like, from any thread.

        Raises StepCancelled when the attempt is to stop: the execution has failed or ended, workflow code has taken
        the step back, this process is to stop, or another worker has taken the step over.
        """
        self.beat()


current: ContextVar[StepContext] = ContextVar("stepfast_step")


def current_step() -> StepContext:
    """The step being run in this thread or task; LookupError outside one."""
    try:
        return current.get()
    except LookupError:
        raise LookupError("current_step() works only while a worker runs a step") from None
