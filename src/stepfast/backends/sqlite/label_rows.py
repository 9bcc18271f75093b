"""The index of labels in the file: the executions with a label, in the order of lists."""

from __future__ import annotations

from collections.abc import Iterable

from stepfast.backends.sqlite.transaction import Transaction
from stepfast.model import Execution


def add(tx: Transaction, execution: Execution, labels: Iterable[tuple[str, str]]) -> None:
    for label in labels:
        tx.execute("INSERT INTO labels VALUES (?, ?, ?, ?)", _row(execution, label))


def remove(tx: Transaction, execution: Execution, labels: Iterable[tuple[str, str]]) -> None:
    sql = "DELETE FROM labels WHERE key = ? AND value = ? AND created_at = ? AND execution_id = ?"
    for label in labels:
        tx.execute(sql, _row(execution, label))


def _row(execution: Execution, label: tuple[str, str]) -> tuple[str, str, float, str]:
    return *label, execution.created_at, execution.execution_id
