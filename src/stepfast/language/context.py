"""What a running step knows of itself, and how code in it asks for that."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

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
        return _StepLogger(log, self.log_fields)

    @property
    def log_fields(self) -> dict[str, Any]:
        """What every log record of this attempt names."""
        return {"execution_id": self.execution_id, "step_id": self.step_id, "attempt": self.attempt}

    def heartbeat(self) -> None:
        """Says that the step is alive; cheap, call it as often as you like, from any thread.

        Raises StepCancelled when the attempt is to stop: the execution has failed or ended, workflow code has taken
        the step back, this process is to stop, or another worker has taken the step over.
        """
        self.beat()


class _StepLogger(logging.LoggerAdapter[logging.Logger]):
    """Keeps the `extra` of a call, and adds the attempt's fields; merge_extra does so from Python 3.13 on only."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


current: ContextVar[StepContext] = ContextVar("stepfast_step")


def current_step() -> StepContext:
    """The step being run in this thread or task; LookupError outside one."""
    try:
        return current.get()
    except LookupError:
        raise LookupError("current_step() works only while a worker runs a step") from None


def log_fields() -> dict[str, Any]:
    """What a log record that is made here is about: the step that runs, or the execution of the workflow code."""
    running = current.get(None)
    if running is not None:
        return running.log_fields
    if "asyncio" not in sys.modules:  # the authorizer, which has no use for it
        return {}
    import asyncio

    # Workflow code has a context of its own; its loop (stepfast.replay.loop, which this module may not import) knows.
    commands = getattr(asyncio._get_running_loop(), "commands", None)
    execution = getattr(commands, "execution", None)
    return {} if execution is None else {"execution_id": execution.execution_id, "workflow": execution.workflow}
