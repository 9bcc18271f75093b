"""What workflow code shows of itself in the file: its text, its labels and their index (rule *shown*)."""

from __future__ import annotations

import json

from stepfast.backends.sqlite import label_rows, rows
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.model import Execution
from stepfast.shown import ShownState


def show(tx: Transaction, execution: Execution, shown: ShownState) -> bool:
    """Writes what is shown while the execution is RUNNING in this generation, as the port says."""
    row = tx.execute("SELECT status FROM executions WHERE execution_id = ?", (execution.execution_id,)).fetchone()
    return row is not None and row[0] == "RUNNING" and put(tx, execution, shown)


def put(tx: Transaction, execution: Execution, shown: ShownState) -> bool:
    """Writes what is shown over what has a lower mark in this generation."""
    id = execution.execution_id
    row = tx.execute("SELECT labels FROM executions WHERE execution_id = ?", (id,)).fetchone()
    if row is None:
        return False
    before = json.loads(row[0]) if row[0] else {}
    labels = before if shown.labels is None else dict(shown.labels)
    values = {
        "execution_id": id,
        "generation": execution.generation,
        "floor": shown.floor,
        "shown": shown.text,
        "labels": json.dumps(labels) if labels else None,
    }
    if tx.execute(rows.UPDATE_SHOWN, values).rowcount != 1:
        return False
    label_rows.remove(tx, execution, before.items() - labels.items())
    label_rows.add(tx, execution, labels.items() - before.items())
    return True
