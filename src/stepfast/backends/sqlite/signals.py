"""Signals in the SQLite file: numbered in the order of their arrival, so that new ones are read without the others.

`total` is bytes of the payloads up to and with a signal: the last one tells how many there are, and how much.
"""

from __future__ import annotations

import sqlite3

from stepfast.backends.sqlite import rows, runs
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.errors import ExecutionNotFound, TooManySignals
from stepfast.model import Signal, SignalLimits


def read(db: sqlite3.Connection, execution_id: str, after: int = 0, *, payloads: bool = True) -> list[Signal]:
    select = rows.SELECT_SIGNAL if payloads else rows.SELECT_SIGNAL_HEAD
    where = "WHERE execution_id = ? AND number > ? ORDER BY number"
    return [Signal(*row) for row in db.execute(f"{select} {where}", (execution_id, after))]


def one(db: sqlite3.Connection, execution_id: str, signal_id: str) -> Signal | None:
    where = "WHERE execution_id = ? AND signal_id = ?"
    row = db.execute(f"{rows.SELECT_SIGNAL} {where}", (execution_id, signal_id)).fetchone()
    return runs.taken(db, execution_id, signal_id) if row is None else Signal(*row)


def add(tx: Transaction, execution_id: str, signal: Signal, limits: SignalLimits) -> Signal:
    """The signal itself where it was put, else the one that holds its id; ExecutionNotFound, TooManySignals."""
    held = one(tx.connection, execution_id, signal.signal_id)
    if held is not None:
        return held
    if tx.execute("SELECT 1 FROM executions WHERE execution_id = ?", (execution_id,)).fetchone() is None:
        raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
    last = "SELECT number, total FROM signals WHERE execution_id = ? ORDER BY number DESC LIMIT 1"
    number, total = tx.execute(last, (execution_id,)).fetchone() or (0, 0)
    total += len(signal.payload.encode())
    if number >= limits.count or total > limits.bytes:
        raise TooManySignals.for_execution(execution_id, limits.count, limits.bytes)
    tx.put(rows.signal_write(execution_id, signal, number + 1, total))
    return signal
