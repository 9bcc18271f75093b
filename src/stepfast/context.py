"""What a running step knows of itself, and how code in it asks for that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class StepContext:
    """What a running step knows of itself; get it with `current_step()`.

    `idempotency_key` is the same in every attempt of this command, also after a resume: hand it to a
    payment provider and a repeated attempt charges once. `generation` is how often the execution has been
    resumed. `deadline` is when this attempt times out, UTC.
    """

    execution_id: str
    step_id: str
    attempt: int
    generation: int
    idempotency_key: str
    deadline: datetime
    logger: logging.LoggerAdapter[logging.Logger] = field(repr=False)
    beat: Callable[[], None] = field(repr=False)

    def heartbeat(self) -> None:
        """Says that the step is alive; cheap, call it as often as you like, from any thread.

        Raises StepCancelled when the execution has ended or another worker has taken the step over.
        """
        self.beat()


current: ContextVar[StepContext] = ContextVar("stepfast_step")


def current_step() -> StepContext:
    """The step being run in this thread or task; LookupError outside one."""
    try:
        return current.get()
    except LookupError:
        raise LookupError("current_step() works only while a worker runs a step") from None
