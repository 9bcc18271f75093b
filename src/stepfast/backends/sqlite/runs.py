"""Earlier runs in the SQLite file: their rows stand under the name of the run, apart from those of the execution.

One transaction moves them there as it turns the execution. Signals that no wait has returned stay with the execution,
with new numbers. A signal that was taken is found by its id in `taken_signals`, so that it is never put again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepfast.backends.sqlite import rows
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.ports import NextRun
from stepfast.model import Event, Execution, Signal

MOVED = ("commands", "orders", "history")
ARCHIVED = (*MOVED, "signals", "large_values")
"""The tables that have rows of earlier runs."""


def archive_of(execution_id: str, run: int) -> str:
    """What the rows of an earlier run stand under; also those of the first run."""
    return f"{execution_id}~{run}"


def name_of(execution: Execution) -> str:
    """What the rows of a run stand under: an earlier run, or the current one."""
    return archive_of(execution.execution_id, execution.run) if execution.continued else execution.execution_id


def turn(tx: Transaction, turn: NextRun) -> list[int] | None:
    """Archives the run and begins the next one; None if the execution does not stand as it did.

    Returns the numbers of the messages that are deleted, those of the earlier run.
    """
    old, new = turn.ended, turn.execution
    id, archive = old.execution_id, archive_of(old.execution_id, old.run)
    held = tx.execute("SELECT status, generation, input FROM executions WHERE execution_id = ?", (id,)).fetchone()
    if held is None or held[:2] != ("RUNNING", old.generation):
        return None
    tx.execute(
        "INSERT INTO runs (execution_id, run, generation, first_generation, began_at, resumed_at, ended_at, input) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (id, old.run, old.generation, old.first_generation, old.began_at, old.resumed_at, old.ended_at, held[2]),
    )
    for table in MOVED:
        tx.execute(f"UPDATE {table} SET execution_id = ? WHERE execution_id = ?", (archive, id))
    for signal_id in turn.taken:
        tx.execute("INSERT OR IGNORE INTO taken_signals VALUES (?, ?, ?)", (id, signal_id, old.run))
        tx.execute(
            "UPDATE signals SET execution_id = ? WHERE execution_id = ? AND signal_id = ?", (archive, id, signal_id)
        )
    tx.execute("UPDATE large_values SET execution_id = ? WHERE execution_id = ?", (archive, id))
    _renumber(tx, id, archive)
    messages = "DELETE FROM messages WHERE execution_id = ? AND generation <= ? RETURNING seq"
    deleted = [seq for (seq,) in tx.execute(messages, (id, old.generation))]
    tx.put(rows.run_write(new, old.generation))
    return deleted


def _renumber(tx: Transaction, execution_id: str, archive: str) -> None:
    """Numbers the signals that go along from 1, so that the limits count them alone, and gives them their payloads."""
    total = 0
    left = tx.execute(
        "SELECT seq, payload FROM signals WHERE execution_id = ? ORDER BY number", (execution_id,)
    ).fetchall()
    for number, (seq, payload) in enumerate(left, start=1):
        if isinstance(payload, bytes):
            tx.execute(
                "INSERT OR IGNORE INTO large_values SELECT ?, digest, bytes, value FROM large_values "
                "WHERE execution_id = ? AND digest = ?",
                (execution_id, archive, payload),
            )
            where = (execution_id, payload)
            size = tx.execute("SELECT bytes FROM large_values WHERE execution_id = ? AND digest = ?", where).fetchone()
            total += size[0]
        else:
            total += len(payload.encode())
        tx.execute("UPDATE signals SET number = ?, total = ? WHERE seq = ?", (number, total, seq))


def earlier(db: sqlite3.Connection, current: Execution, limit: int, before: int | None) -> list[Execution]:
    """Earlier runs of an execution, the latest first."""
    earlier_runs = db.execute(
        f"{_SELECT} WHERE runs.execution_id = ? AND run < ? ORDER BY run DESC LIMIT ?",
        (current.execution_id, current.run if before is None else before, limit),
    )
    return [_execution(row, current) for row in earlier_runs]


def one(db: sqlite3.Connection, current: Execution, run: int) -> Execution | None:
    """The execution as this earlier run has left it."""
    row = db.execute(f"{_SELECT} WHERE runs.execution_id = ? AND run = ?", (current.execution_id, run)).fetchone()
    return None if row is None else _execution(row, current)


def history(db: sqlite3.Connection, execution_id: str, run: int) -> list[Event]:
    """The events of an earlier run that resumes have kept."""
    sql = "SELECT at, type, command, details FROM history WHERE execution_id = ? ORDER BY seq"
    events = db.execute(sql, (archive_of(execution_id, run),)).fetchall()
    return [Event(at, type, command, json.loads(details)) for at, type, command, details in events]


def taken(db: sqlite3.Connection, execution_id: str, signal_id: str) -> Signal | None:
    """A signal that an earlier run has taken."""
    sql = "SELECT run FROM taken_signals WHERE execution_id = ? AND signal_id = ?"
    row = db.execute(sql, (execution_id, signal_id)).fetchone()
    if row is None:
        return None
    where = (archive_of(execution_id, row[0]), signal_id)
    held = db.execute(f"{rows.SELECT_SIGNAL} WHERE execution_id = ? AND signal_id = ?", where).fetchone()
    return None if held is None else replace(Signal(*held), run=row[0])


def delete(tx: Transaction, execution_id: str, run: int) -> None:
    """Deletes an earlier run."""
    archive = archive_of(execution_id, run)
    tx.execute(
        "DELETE FROM taken_signals WHERE execution_id = ? AND signal_id IN "
        "(SELECT signal_id FROM signals WHERE execution_id = ?)",
        (execution_id, archive),
    )
    for table in ARCHIVED:
        tx.execute(f"DELETE FROM {table} WHERE execution_id = ?", (archive,))
    tx.execute("DELETE FROM runs WHERE execution_id = ? AND run = ?", (execution_id, run))


def expired(tx: Transaction, before: float) -> Sequence[tuple[str, int]]:
    """Some of the earlier runs that ended before a time, the oldest first."""
    sql = "SELECT execution_id, run FROM runs WHERE ended_at < ? ORDER BY ended_at LIMIT 100"
    return tx.execute(sql, (before,)).fetchall()


_RUN = ("run", "generation", "first_generation", "began_at", "resumed_at", "ended_at")
_INPUT = (
    "CASE typeof(input) WHEN 'blob' THEN (SELECT v.value FROM large_values AS v WHERE v.execution_id = "
    "runs.execution_id || '~' || run AND v.digest = runs.input) ELSE input END"
)
_SELECT = f"SELECT {', '.join(_RUN)}, {_INPUT} FROM runs"


def _execution(row: tuple[Any, ...], current: Execution) -> Execution:
    values = dict(zip((*_RUN, "input"), row, strict=True))
    ended = replace(current, status="SUCCEEDED", result=None, error=None, causes=(), continued=True)
    return replace(ended, **values)
