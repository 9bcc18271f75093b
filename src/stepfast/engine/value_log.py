"""Log lines that tell values, for who asks for them with `log_values`; without it no value is ever logged.

A line is one JSON object. Values are cut at LOGGED_VALUE_CHARACTERS, so that no execution can fill the logs.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from stepfast.engine.observed import StoreListener
from stepfast.link_tokens import masked
from stepfast.model import Execution, Failure, Record
from stepfast.stored_text import text_of

log = logging.getLogger("stepfast.values")

LOGGED_VALUE_CHARACTERS = 2_000
"""Characters of each value that a line holds."""


class ValueLog(StoreListener):
    """Logs the values of what is written to a store: inputs, outputs and errors."""

    def on_started(self, execution: Execution) -> None:
        tell_start(execution)

    def on_attempt(self, execution_id: str, record: Record) -> None:
        tell_attempt(execution_id, record)

    def on_ended(self, execution: Execution) -> None:
        tell_end(execution)


def tell_start(execution: Execution) -> None:
    """Writes an execution's input."""
    _tell(execution.execution_id, {"workflow": execution.workflow, "input": _value(execution.input)})


def tell_end(execution: Execution) -> None:
    """Writes how an execution ended: its result, or its error."""
    fields = {"workflow": execution.workflow, "status": execution.status}
    _tell(execution.execution_id, {**fields, **_outcome(execution.result, execution.error)})


def tell_attempt(execution_id: str, record: Record) -> None:
    """Writes input and outcome of a step's attempt, if this record ends one; claims and timers are none."""
    if record.kind != "step" or record.status not in ("SUCCEEDED", "FAILED", "RETRYING"):
        return
    fields = {
        "step": record.id,
        "attempt": record.attempt,
        "status": record.status,
        "input": _value(text_of(record.input)),
    }
    _tell(
        execution_id,
        {**fields, **_outcome(text_of(record.output), record.error if record.status != "SUCCEEDED" else None)},
    )


class _Line(dict[str, Any]):
    """Fields for Powertools, which takes a message that is a dict as it is; a JSON text for everybody else."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)


def _tell(execution_id: str, values: dict[str, Any]) -> None:
    log.info(_Line(execution_id=execution_id, **values))


def _outcome(output: str | None, error: Failure | None) -> dict[str, Any]:
    fields: dict[str, Any] = {} if output is None else {"output": _value(output)}
    if error is not None:
        parts = {"type": error.type, "message": error.message, "traceback": error.traceback}
        fields["error"] = {name: _cut(masked(text)) for name, text in parts.items() if text}
    return fields


def _value(text: str | None) -> Any:
    """A JSON text as what it stands for, a long one as the beginning of the text. Links lose their signature."""
    text = None if text is None else masked(text)
    return _cut(text) if text is None or len(text) > LOGGED_VALUE_CHARACTERS else json.loads(text)


def _cut(text: str | None) -> str | None:
    return (
        text
        if text is None or len(text) <= LOGGED_VALUE_CHARACTERS
        else f"{text[:LOGGED_VALUE_CHARACTERS]}… ({len(text)} characters)"
    )
