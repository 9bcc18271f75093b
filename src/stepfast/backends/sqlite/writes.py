"""Single writes to the file within a transaction, and what they are conditional on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stepfast.backends.sqlite import rows
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.embedded import Stored
from stepfast.model import Event, Execution, OrderEntry, Record


def put_messages(tx: Transaction, messages: Sequence[Stored]) -> None:
    values = [rows.message_values(stored.seq, stored.delivery, stored.due) for stored in messages]
    tx.connection.executemany(rows.INSERT_MESSAGE, values)


def run(tx: Transaction, sql: str, values: tuple[Any, ...]) -> None:
    tx.execute(sql, values)


def append(tx: Transaction, execution_id: str, entry: OrderEntry) -> bool:
    return tx.execute(rows.INSERT_ENTRY, rows.entry_values(execution_id, entry)).rowcount == 1


def put_status(tx: Transaction, execution: Execution, status: str, generation: int) -> bool:
    return tx.put(rows.status_write(execution, status, generation))


def has_hand(tx: Transaction, execution: Execution) -> bool:
    """True while the last intervention of the execution is the one that was read."""
    row = tx.execute("SELECT intervention FROM executions WHERE execution_id = ?", (execution.execution_id,)).fetchone()
    return row is not None and bool(row[0] == rows.intervention_text(execution))


def fresh(tx: Transaction, execution_id: str, records: Sequence[Record]) -> bool:
    """True when every one of the records would be written; looked at first, so that nothing is half done."""
    sql = "SELECT revision, generation FROM commands WHERE execution_id = ? AND id = ?"

    def follows(record: Record) -> bool:
        revision, generation = tx.execute(sql, (execution_id, record.id)).fetchone() or (0, 0)
        return bool(revision == record.revision - 1 and generation <= record.generation)

    return all(map(follows, records))


def is_free(tx: Transaction, execution_id: str, number: int) -> bool:
    """True when an entry of this number would be the log's next, looked at first like `fresh`."""
    last = tx.execute(rows.LAST_ENTRY, (execution_id,)).fetchone()
    return number == (last[0] + 1 if last else 0)


def add_history(tx: Transaction, execution_id: str, events: Sequence[Event]) -> None:
    for event in events:
        tx.execute(
            "INSERT INTO history (execution_id, at, type, command, details) VALUES (?, ?, ?, ?, ?)",
            (execution_id, event.at, event.type, event.command, json.dumps(event.details)),
        )


def drop_dead_letters(tx: Transaction, execution_id: str) -> None:
    tx.execute("DELETE FROM messages WHERE execution_id = ? AND dead = 1", (execution_id,))
