"""The context of a running step, and `current_step()`, which returns it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from stepfast.errors import NotStorable

log = logging.getLogger("stepfast.step")
MAX_PROGRESS_BYTES = 2048
"""Bytes of JSON of a step's progress. It is written with the lease, and stands in the record."""


def _report_nothing(text: str) -> None:
    """For a context without a heartbeat that anybody hears."""


@dataclass(frozen=True, init=False)
class StepContext:
    """The context of a running step, as `current_step()` returns it.

    execution_id: the id of the execution.
    step_id: the id of the command, such as "charge#2". It is the same in every attempt and in every replay.
    attempt: the number of this attempt, counted from 1.
    generation: how often the execution was resumed.
    deadline_at: when this attempt times out, in seconds since the epoch.
    run: which run of an execution that continues as new, counted from 1.
    began_at: when the first attempt began, in seconds since the epoch; 0.0 where that is not known.
    carrier: headers by which spans of OpenTelemetry that the step makes become children of the step's span.

    report, reported: what `heartbeat(progress=…)` and `last_progress` use.

    The other properties are computed on first access.
    """

    execution_id: str
    step_id: str
    attempt: int
    generation: int
    deadline_at: float
    beat: Callable[[], None] = field(repr=False)
    make_key: Callable[[], str] = field(repr=False)
    run: int = 1
    began_at: float = 0.0
    carrier: Mapping[str, str] = field(default_factory=dict, repr=False)
    report: Callable[[str], None] = field(default=_report_nothing, repr=False)
    reported: str | None = field(default=None, repr=False)

    def __init__(
        self,
        execution_id: str,
        step_id: str,
        attempt: int,
        generation: int,
        deadline_at: float,
        beat: Callable[[], None],
        make_key: Callable[[], str],
        run: int = 1,
        began_at: float = 0.0,
        carrier: Mapping[str, str] | None = None,
        report: Callable[[str], None] = _report_nothing,
        reported: str | None = None,
    ) -> None:
        # That of a frozen dataclass takes three times as long (unguarded.py), and each attempt has a context.
        self.__dict__.update(
            execution_id=execution_id, step_id=step_id, attempt=attempt, generation=generation, deadline_at=deadline_at,
            beat=beat, make_key=make_key, run=run, began_at=began_at, carrier={} if carrier is None else carrier,
            report=report, reported=reported,
        )  # fmt: skip

    @cached_property
    def idempotency_key(self) -> str:
        """A text that is the same in every attempt of this command, also after a resume.

        Pass it to a payment provider, and a repeated attempt charges once.
        """
        return self.make_key()

    @cached_property
    def deadline(self) -> datetime:
        """When this attempt times out, as a datetime in UTC."""
        return datetime.fromtimestamp(self.deadline_at, UTC)

    @cached_property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that adds execution_id, step_id and attempt to every record."""
        return _StepLogger(log, self.log_fields)

    @property
    def log_fields(self) -> dict[str, Any]:
        """The fields that every log record of this attempt has."""
        return {"execution_id": self.execution_id, "step_id": self.step_id, "attempt": self.attempt}

    @cached_property
    def last_progress(self) -> Any:
        """The last progress that the attempt before this one passed to `heartbeat(progress=…)`, as plain JSON, or None.

        An attempt may begin where the one before it was cut off. Progress is written every few seconds: what was done
        since then may be done again. After a resume, it is that of the attempt before, unless the input has changed.
        """
        return None if self.reported is None else json.loads(self.reported)

    def heartbeat(self, progress: Any = None) -> None:
        """Reports that the step is alive. It is cheap: call it as often as you like, from any thread.

        progress: how far the step has come, as plain JSON of at most 2,048 bytes; None leaves the last one. The page
        and `stepfast show` show it, and the next attempt has it as `last_progress`. It is written at most every 5
        seconds, and with the end of the attempt.

        Raises NotStorable for progress that is not plain JSON or above the size.
        Raises StepCancelled when the attempt must stop: the execution has failed or ended, workflow code has taken the
        step back, this process is about to stop, or another worker has claimed the step.
        """
        if progress is not None:
            self.report(_progress_text(progress))
        self.beat()


def _progress_text(progress: Any) -> str:
    try:
        text = json.dumps(progress, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorable(f"heartbeat(): the progress is not plain JSON: {error}") from error
    if size > MAX_PROGRESS_BYTES:
        raise NotStorable(
            f"heartbeat(): the progress has {size} bytes of JSON, and may have {MAX_PROGRESS_BYTES}: "
            "report a position, and return the rest as the result"
        )
    return text


class _StepLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the fields of the attempt to the `extra` of a call.

    logging.LoggerAdapter drops the `extra` of the call before Python 3.13, which added `merge_extra`.
    """

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


current: ContextVar[StepContext] = ContextVar("stepfast_step")


def current_step() -> StepContext:
    """The context of the step that runs in this thread or task. Raises LookupError outside a step."""
    try:
        return current.get()
    except LookupError:
        raise LookupError("current_step() works only while a worker runs a step") from None


def log_fields() -> dict[str, Any]:
    """The fields for a log record made here: those of the running step, or of the execution of the workflow code."""
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
