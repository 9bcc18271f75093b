"""Puts forks into the file: rows of their own, with copies of all values, in the transaction that decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stepfast.backends.sqlite import label_rows, rows, writes
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.fork_store import ForkCopy
from stepfast.errors import ExecutionConflict, ExecutionDeleted, Refused
from stepfast.model import Execution, OrderEntry

Create = Callable[[Transaction, Execution], Execution | int]


def put(tx: Transaction, create: Create, fork: ForkCopy, children: Sequence[ForkCopy]) -> Execution | Refused:
    """Puts a fork; returns the execution that holds the id, or the error to raise, with nothing written then.

    create: puts an execution with its wake.
    """
    for child in children:  # looked at first, so that nothing is half done
        if (refused := _refused(tx, child.execution)) is not None:
            return refused
    held = create(tx, fork.execution)
    if isinstance(held, int):
        return ExecutionDeleted(fork.execution.execution_id, held)
    if held is fork.execution:
        _fill(tx, fork)
        for child in children:
            tx.put(rows.execution_write(child.execution))
            label_rows.add(tx, child.execution, child.execution.labels.items())
            _fill(tx, child)
    return held


def _refused(tx: Transaction, child: Execution) -> Refused | None:
    """Why a copy of a child cannot be put. Of a fork that is there already, it is a copy that is there, too."""
    id = child.execution_id
    sql = "SELECT generation FROM deleted WHERE execution_id = ? AND generation >= ?"
    if (deleted := tx.execute(sql, (id, child.generation)).fetchone()) is not None:
        return ExecutionDeleted(id, deleted[0])
    held = tx.execute(f"{rows.SELECT_BRIEF} WHERE execution_id = ?", (id,)).fetchone()
    link = None if held is None else rows.execution(held).link
    if held is None or (link is not None and child.link is not None and link.parent == child.link.parent):
        return None
    return ExecutionConflict(f"execution {id!r} exists, so the copy of a child cannot have this id: use another id")


def _fill(tx: Transaction, copy: ForkCopy) -> None:
    """Writes what a new execution takes over."""
    execution = copy.execution
    id, total = execution.execution_id, 0
    for record in copy.records:
        tx.put(rows.record_write(id, record))
    if copy.applied:
        writes.append(tx, id, OrderEntry(0, execution.generation, applied=copy.applied))
    for number, signal in enumerate(copy.signals, start=1):
        total += len(signal.payload.encode())
        tx.put(rows.signal_write(id, signal, number, total))
