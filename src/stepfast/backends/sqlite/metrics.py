"""The table of figures: tallies by workflow and hour, added to in the transaction of the end that they are of."""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.metrics import Tallies, Tally, hour_of
from stepfast.engine.ports import End

_ADD = (
    "INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count, "
    "failures = failures + excluded.failures, given_up = given_up + excluded.given_up, "
    "succeeded = succeeded + excluded.succeeded, seconds = seconds + excluded.seconds"
)


def add(tx: Transaction, end: End) -> None:
    """Adds what an end counts to the hour in which the execution ended; executions that end together share a row."""
    workflow, hour, counts = end.execution.workflow, hour_of(end.execution.ended_at or 0.0), tx.figures
    if not counts:
        tx.before.append(_write)
    for name, tally in end.counts.items():
        key = (workflow, hour, name)
        counts[key] = counts[key] + tally if key in counts else tally


def _write(tx: Transaction) -> None:
    tx.connection.executemany(
        _ADD,
        [
            (*key, tally.count, tally.failures, tally.given_up, tally.succeeded, tally.seconds)
            for key, tally in tx.figures.items()
        ],
    )


def read(db: sqlite3.Connection, workflow: str, since: int, until: int) -> dict[int, Tallies]:
    """By hour, from `since` on and before `until`; hours in which nothing ended are left out."""
    by_hour: dict[int, dict[str, Tally]] = defaultdict(dict)
    sql = (
        "SELECT hour, name, count, failures, given_up, succeeded, seconds FROM figures "
        "WHERE workflow = ? AND hour >= ? AND hour < ?"
    )
    for hour, name, *counts in db.execute(sql, (workflow, since, until)):
        by_hour[hour][name] = Tally(*counts)
    return dict(by_hour)
