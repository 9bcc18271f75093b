"""Rows of the SQLite file to values of the model and back."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import Any

from pydantic_core import to_json

from stepfast.model import Attempt, Chained, Cursor, Execution, Failure, Message, Record
from stepfast.ports import Delivery, Fault

_EXECUTION = (
    "execution_id", "workflow", "status", "generation", "input", "result", "error", "causes", "labels",
    "created_at", "ended_at", "resumed_at",
)  # fmt: skip
_RECORD = tuple("chained" if one.name == "then" else one.name for one in fields(Record))
_CURSOR = ("applied", "dispatched", "generation", "revision")
_MESSAGE = ("kind", "execution_id", "command_id", "generation", "pool", "due", "sent_at")


def _insert(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + one for one in columns)}) ON CONFLICT DO NOTHING"


def _update(table: str, columns: tuple[str, ...], where: str) -> str:
    return f"UPDATE {table} SET {', '.join(f'{one} = :{one}' for one in columns)} WHERE {where}"


SELECT_EXECUTION = f"SELECT {', '.join(_EXECUTION)} FROM executions"
SELECT_BRIEF = SELECT_EXECUTION.replace(" input, result,", " '', NULL,")
"""The same without the values."""
SELECT_FAULT = "SELECT execution_id, workflow, created_at, generation, error FROM executions"
INSERT_EXECUTION = _insert("executions", _EXECUTION)
UPDATE_EXECUTION = _update(
    "executions",
    ("status", "generation", "result", "error", "causes", "ended_at", "resumed_at"),
    "execution_id = :execution_id AND status = :if_status AND generation = :if_generation",
)
SELECT_RECORD = f"SELECT {', '.join(_RECORD)} FROM commands"
SELECT_BOTH = (
    f"SELECT {', '.join('e.' + one for one in _EXECUTION)}, {', '.join('c.' + one for one in _RECORD)} "
    "FROM executions AS e LEFT JOIN commands AS c ON c.execution_id = e.execution_id AND c.id = ? "
    "WHERE e.execution_id = ?"
)
"""An execution and one of its records, of the id given first."""
_RECORD_ROW = ("execution_id", *_RECORD)
INSERT_RECORD = (
    f"INSERT INTO commands ({', '.join(_RECORD_ROW)}) VALUES ({', '.join('?' * len(_RECORD_ROW))})"
    " ON CONFLICT DO NOTHING"
)
UPDATE_RECORD = (
    f"UPDATE commands SET ({', '.join(_RECORD_ROW)}) = ({', '.join('?' * len(_RECORD_ROW))})"
    " WHERE execution_id = ? AND id = ? AND revision = ?"
)
SELECT_CURSOR = f"SELECT {', '.join(_CURSOR)} FROM cursors"
INSERT_CURSOR = _insert("cursors", ("execution_id", *_CURSOR))
UPDATE_CURSOR = _update("cursors", _CURSOR, "execution_id = :execution_id AND revision = :revision - 1")
SELECT_MESSAGE = f"SELECT seq, {', '.join(_MESSAGE)} FROM messages"
INSERT_MESSAGE = f"INSERT INTO messages (seq, {', '.join(_MESSAGE)}) VALUES (?{', ?' * len(_MESSAGE)})"


def _failure(text: str | None) -> Failure | None:
    return None if text is None else Failure(**json.loads(text))


def _failure_text(failure: Failure | None) -> str | None:
    return None if failure is None else json.dumps(asdict(failure))


def execution(row: tuple[Any, ...]) -> Execution:
    held = dict(zip(_EXECUTION, row, strict=True))
    held["error"] = _failure(held["error"])
    held["causes"] = tuple(json.loads(held["causes"])) if held["causes"] else ()
    held["labels"] = json.loads(held["labels"]) if held["labels"] else {}
    return Execution(**held)


def fault(row: tuple[Any, ...]) -> Fault:
    execution_id, workflow, created_at, generation, error = row
    failure = _failure(error)
    step, type = (failure.step, failure.type) if failure else (None, None)
    return Fault(execution_id, workflow, created_at, step, type, generation)


def execution_values(execution: Execution) -> dict[str, Any]:
    values = {name: getattr(execution, name) for name in _EXECUTION}
    values["error"] = _failure_text(execution.error)
    values["causes"] = json.dumps(execution.causes) if execution.causes else None
    values["labels"] = json.dumps(dict(execution.labels)) if execution.labels else None
    return values


def record(row: tuple[Any, ...], opened_at: float) -> Record:
    """The record of a row; claims older than `opened_at` were a dead process's, so their lease is over."""
    (
        id, kind, name, status, generation, revision, attempt, interrupted, token, lease, due, input, output, error,
        first_at, started_at, ended_at, chained, signal, attempts,
    ) = row  # fmt: skip
    then = Chained(*json.loads(chained)) if chained else None
    if then is not None and then.started_at < opened_at:
        then = replace(then, lease=0.0)
    if status == "RUNNING" and (started_at or 0.0) < opened_at:
        lease = 0.0
    past = tuple(map(_attempt, json.loads(attempts))) if attempts else ()
    return Record(
        id, kind, name, status, generation, revision, attempt, interrupted, token, lease, due, input, output,
        _failure(error), first_at, started_at, ended_at, then, signal, past,
    )  # fmt: skip


def both(row: tuple[Any, ...], opened_at: float) -> tuple[Execution, Record | None]:
    """What SELECT_BOTH has found; no record where the execution has none of that id."""
    held, command = row[: len(_EXECUTION)], row[len(_EXECUTION) :]
    return execution(held), None if command[0] is None else record(command, opened_at)


def _attempt(held: dict[str, Any]) -> Attempt:
    return Attempt(**{**held, "error": held["error"] and Failure(**held["error"])})


def record_write(execution_id: str, record: Record) -> tuple[str, tuple[Any, ...]]:
    """The statement that writes a record if the stored one has the revision before it, and its values."""
    then = record.then
    row = (
        execution_id, record.id, record.kind, record.name, record.status, record.generation, record.revision,
        record.attempt, record.interrupted, record.token, record.lease, record.due, record.input, record.output,
        _failure_text(record.error), record.first_at, record.started_at, record.ended_at,
        _chained_text(then) if then else None,
        record.signal,
        json.dumps([asdict(one) for one in record.attempts]) if record.attempts else None,
    )  # fmt: skip
    if record.revision == 1:
        return INSERT_RECORD, row
    return UPDATE_RECORD, (*row, execution_id, record.id, record.revision - 1)


def _chained_text(then: Chained) -> str:
    # In every write of a chain: pydantic's serializer is an order of magnitude faster than json.dumps.
    return to_json((then.id, then.lease, then.generation, then.digest, then.started_at)).decode()


def cursor(row: tuple[Any, ...]) -> Cursor:
    applied, dispatched, generation, revision = row
    return Cursor(tuple(json.loads(applied)), frozenset(json.loads(dispatched)), generation, revision)


def cursor_values(execution_id: str, cursor: Cursor) -> dict[str, Any]:
    return {
        "execution_id": execution_id,
        "applied": json.dumps(cursor.applied),
        "dispatched": json.dumps(sorted(cursor.dispatched)),
        "generation": cursor.generation,
        "revision": cursor.revision,
    }


def message_values(seq: int, delivery: Delivery, due: float) -> tuple[Any, ...]:
    one = delivery.message
    return (
        seq, one.kind, one.execution_id, one.command_id, one.generation, one.pool, due, delivery.sent_at,
    )  # fmt: skip


def stored(row: tuple[Any, ...]) -> tuple[int, float, Delivery]:
    seq, kind, execution_id, command_id, generation, pool, due, sent_at = row
    return seq, due, Delivery(Message(kind, execution_id, command_id, generation, pool), sent_at)
