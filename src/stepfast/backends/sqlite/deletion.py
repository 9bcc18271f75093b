"""Deleting executions from the file: by hand, and those whose time is over.

The pages that this frees are used again by what is written next; the file does not shrink. Deleted data is
overwritten with zeros (`secure_delete`), so that the file does not go on holding it.

A mark in `deleted` outlives an execution: a worker that still runs one of its steps, and a message of it that
is in memory, must not act on a later execution of the same id. None of them outlives the process.
"""

from __future__ import annotations

import time

from stepfast.backends.sqlite import runs
from stepfast.backends.sqlite.rows import LINK_RUN
from stepfast.backends.sqlite.transaction import Transaction

TABLES = (
    *("commands", "orders", "signals", "large_values", "history", "messages", "wakes", "executions"),
    *("runs", "taken_signals", "link_beats", "status_changes", "webhook_deliveries"),
)
BUSY = 0.05
"""Seconds that one transaction deletes for, before it lets others write; a very large execution may take longer."""
DELETION_MARK_SECONDS = 86400.0
"""Seconds that the mark of an execution is kept which no message in memory was of."""
_FOR_GOOD = 1e12
_FIND = (
    "SELECT execution_id, generation FROM executions AS e WHERE status IN ('SUCCEEDED', 'CANCELLED') AND ended_at < ? "
    "AND (parent IS NULL OR NOT EXISTS (SELECT 1 FROM executions AS p WHERE p.execution_id = e.parent)) "
    "ORDER BY ended_at LIMIT 100"
)
_CHILDREN = "SELECT execution_id, generation FROM executions WHERE parent = ?"
_CHILDREN_OF_RUN = f"{_CHILDREN} AND json_extract(link, '$[{LINK_RUN}]') = ?"
_MARK = (
    "INSERT INTO deleted VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET generation = excluded.generation, at = excluded.at"
)
_SEALED = "SELECT execution_id, sent FROM executions WHERE execution_id = ? AND substr(sent, 1, 1) = '#'"
_DROP_MARKS = "DELETE FROM deleted WHERE execution_id IN (SELECT execution_id FROM deleted WHERE at < ? LIMIT 1000)"


def delete(tx: Transaction, execution_id: str, generation: int, now: float) -> list[str]:
    """Deletes an execution with its children, whatever they are, and marks their ids, which it returns."""
    family = [(execution_id, generation)]
    for id, _ in family:  # it grows on the way: children come after their parent
        family += tx.execute(_CHILDREN, (id,)).fetchall()
    for id, last_generation in family:
        _delete(tx, id, last_generation, now)
    return [id for id, _ in family]


def _delete(tx: Transaction, execution_id: str, generation: int, now: float) -> None:
    """Deletes all rows of an execution, and marks its id."""
    tx.sealed += tx.execute(_SEALED, (execution_id,)).fetchall()
    tx.execute("PRAGMA secure_delete = ON")
    try:
        tx.execute(
            "DELETE FROM labels WHERE (key, value, created_at, execution_id) IN "
            "(SELECT l.key, l.value, created_at, execution_id FROM executions, json_each(labels) AS l "
            "WHERE execution_id = ?)",
            (execution_id,),
        )
        waiting = tx.execute("SELECT 1 FROM messages WHERE execution_id = ? AND dead = 0", (execution_id,)).fetchone()
        for table in TABLES:
            tx.execute(f"DELETE FROM {table} WHERE execution_id = ?", (execution_id,))
        for table in runs.ARCHIVED:  # "~:" comes right after every "~" with a number
            span = (f"{execution_id}~", f"{execution_id}~:")
            tx.execute(f"DELETE FROM {table} WHERE execution_id > ? AND execution_id < ?", span)
        # The message of a timer may wait in memory for years: the deletion stays marked for as long. The next owner of
        # the file loads the messages that are left in it, and no longer finds that one.
        tx.execute(_MARK, (execution_id, generation, _FOR_GOOD if waiting else now))
    finally:
        tx.execute("PRAGMA secure_delete = OFF")


def expire(tx: Transaction, before: float, now: float) -> list[str]:
    """Deletes some of the executions and of the earlier runs that ended for good before a time, the oldest first.

    Returns the ids of these executions. None are left once it returns none. FAILED executions wait to be resumed, and
    never expire.
    """
    until = time.monotonic() + BUSY
    gone: list[str] = []
    for execution_id, generation in tx.execute(_FIND, (before,)).fetchall():
        gone += delete(tx, execution_id, generation, now)
        if time.monotonic() > until:
            break
    for execution_id, run in runs.expired(tx, before) if time.monotonic() <= until else ():
        for id, generation in tx.execute(_CHILDREN_OF_RUN, (execution_id, run)).fetchall():
            gone += delete(tx, id, generation, now)
        runs.delete(tx, execution_id, run)
        gone.append(runs.archive_of(execution_id, run))
        if time.monotonic() > until:
            break
    tx.execute(_DROP_MARKS, (now - DELETION_MARK_SECONDS,))
    return gone


def generation_of(tx: Transaction, execution_id: str) -> int:
    """The generation of the execution of this id that was deleted last; there must be one."""
    return int(tx.execute("SELECT generation FROM deleted WHERE execution_id = ?", (execution_id,)).fetchone()[0])
