"""What the sweep asks the file: messages and wakes that somebody should have taken, commands long past their time."""

from __future__ import annotations

import sqlite3

from stepfast.backends.sqlite import rows
from stepfast.engine.embedded import Overdue
from stepfast.engine.ports import Delivery


def messages(db: sqlite3.Connection, before: float, after: int, limit: int) -> list[tuple[int, float, Delivery]]:
    """Messages that were due before a moment, by number, from the one after `after` on; (number, due, delivery)."""
    sql = f"{rows.SELECT_MESSAGE} WHERE dead = 0 AND seq > ? AND due < ? ORDER BY seq LIMIT ?"
    return [rows.stored(row) for row in db.execute(sql, (after, before, limit))]


def commands(db: sqlite3.Connection, execution_id: str, before: float) -> list[Overdue]:
    """Commands of one execution whose next try was due, or whose lease ended, before a moment."""
    late = db.execute(
        "SELECT c.id, c.status, coalesce(c.due, c.lease) FROM commands AS c JOIN executions AS e USING (execution_id) "
        "WHERE c.execution_id = ? AND e.status = 'RUNNING' AND c.generation = e.generation "
        "AND c.status IN ('RETRYING', 'RUNNING') AND coalesce(c.due, c.lease) < ?",
        (execution_id, before),
    )
    return [Overdue(execution_id, id, status, due) for id, status, due in late]


def wakes(db: sqlite3.Connection) -> dict[str, int]:
    """Executions that are to be advanced, with the number of their last wake."""
    return dict(db.execute("SELECT execution_id, max(seq) FROM wakes GROUP BY execution_id"))
