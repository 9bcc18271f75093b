"""Signals in the SQLite file: numbered in the order of their arrival, so that new ones are read without the others."""

from __future__ import annotations

import sqlite3

from stepfast.errors import TooManySignals
from stepfast.model import Signal, SignalLimits

SIGNALS = """
CREATE TABLE signals (
    seq INTEGER PRIMARY KEY, execution_id TEXT NOT NULL, number INTEGER NOT NULL, total INTEGER NOT NULL,
    signal_id TEXT NOT NULL, name TEXT NOT NULL, received_at REAL NOT NULL, payload TEXT NOT NULL
);
CREATE UNIQUE INDEX signals_by_number ON signals (execution_id, number, total);
CREATE UNIQUE INDEX signals_by_id ON signals (execution_id, signal_id);
"""
"""`total` is bytes of the payloads up to and with this one: the last signal tells how many there are, and how much."""
NUMBERED = f"""
ALTER TABLE signals RENAME TO signals_before;
{SIGNALS}
INSERT INTO signals (execution_id, number, total, signal_id, name, received_at, payload)
SELECT execution_id, row_number() OVER arrived, sum(length(CAST(payload AS BLOB))) OVER arrived,
    signal_id, name, received_at, payload
FROM signals_before WINDOW arrived AS (
    PARTITION BY execution_id ORDER BY received_at, signal_id ROWS UNBOUNDED PRECEDING
)
ORDER BY received_at, signal_id;
DROP TABLE signals_before;
"""
"""The migration from tables without a number."""

_SELECT = "SELECT signal_id, name, payload, received_at, number FROM signals WHERE execution_id = ?"
_HEADS = "SELECT signal_id, name, '', received_at, number FROM signals WHERE execution_id = ?"


def read(db: sqlite3.Connection, execution_id: str, after: int = 0, *, payloads: bool = True) -> list[Signal]:
    select = _SELECT if payloads else _HEADS
    return [Signal(*row) for row in db.execute(f"{select} AND number > ? ORDER BY number", (execution_id, after))]


def one(db: sqlite3.Connection, execution_id: str, signal_id: str) -> Signal | None:
    row = db.execute(f"{_SELECT} AND signal_id = ?", (execution_id, signal_id)).fetchone()
    return None if row is None else Signal(*row)


def add(db: sqlite3.Connection, execution_id: str, signal: Signal, limits: SignalLimits) -> Signal:
    """The signal itself where it was put, else the one that holds its id; TooManySignals."""
    held = one(db, execution_id, signal.signal_id)
    if held is not None:
        return held
    last = db.execute(
        "SELECT number, total FROM signals WHERE execution_id = ? ORDER BY number DESC LIMIT 1", (execution_id,)
    ).fetchone()
    number, total = last or (0, 0)
    total += len(signal.payload.encode())
    if number >= limits.count or total > limits.bytes:
        raise TooManySignals.for_execution(execution_id, limits.count, limits.bytes)
    db.execute(
        "INSERT INTO signals (execution_id, number, total, signal_id, name, received_at, payload)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (execution_id, number + 1, total, signal.signal_id, signal.name, signal.received_at, signal.payload),
    )
    return signal
