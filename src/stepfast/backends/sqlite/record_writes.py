"""The write of a record, which each step makes once or twice: in a short statement where that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from stepfast.backends.sqlite import rows
from stepfast.backends.sqlite.changes import Changes
from stepfast.backends.sqlite.schema import LARGE_VALUE_CHARACTERS
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.model import Record

_CLAIM = (
    "execution_id", "id", "kind", "name", "status", "generation", "revision", "attempt", "interrupted", "token",
    "lease", "input", "first_at", "started_at",
)  # fmt: skip
_CHAINED = (*_CLAIM, "output", "ended_at", "chained")
INSERT_CLAIM, INSERT_CHAINED = rows.insert_record(_CLAIM), rows.insert_record(_CHAINED)
UPDATE_OUTCOME = (
    "UPDATE commands SET status = ?, generation = ?, revision = ?, lease = NULL, output = ?, ended_at = ?, chained = ?"
    f" WHERE {rows.IF_FOLLOWS} AND status = 'RUNNING' AND token = ?"
)
"""Puts a result over the claim of the same token. The holder of a claim makes the result from the claim, so no other
column of the row differs."""


def short_write(execution_id: str, record: Record) -> tuple[str, tuple[Any, ...]] | None:
    """A statement for a record in which most columns are empty, or stand in the row already; None for other records.

    SQLite takes time for each column that a statement names. What the statement writes is what `rows.record_write`
    would write. It may refuse what that would write, and never the other way round.
    """
    input, output, then = record.input, record.output, record.then
    if (
        record.kind != "step"
        or record.error is not None
        or record.progress is not None
        or record.due is not None
        or (output is not None and (type(output) is not str or len(output) > LARGE_VALUE_CHARACTERS))
    ):
        return None
    if record.revision != 1:
        if record.status != "SUCCEEDED" or record.lease is not None or record.token is None:
            return None
        return UPDATE_OUTCOME, (
            "SUCCEEDED", record.generation, record.revision, output, record.ended_at,
            None if then is None else rows.chained_text(then),
            execution_id, record.id, record.revision - 1, record.generation, record.token,
        )  # fmt: skip
    if (
        record.attempts
        or record.waited is not None
        or record.repair is not None
        or record.signal is not None
        or record.children
        or type(input) is not str
        or len(input) > LARGE_VALUE_CHARACTERS
    ):
        return None
    row = (
        execution_id, record.id, "step", record.name, record.status, record.generation, 1, record.attempt,
        record.interrupted, record.token, record.lease, input, record.first_at, record.started_at,
    )  # fmt: skip
    if record.status == "RUNNING" and output is None and then is None and record.ended_at is None:
        return INSERT_CLAIM, (*row, execution_id, record.generation)
    chained = None if then is None else rows.chained_text(then)
    return INSERT_CHAINED, (*row, output, record.ended_at, chained, execution_id, record.generation)


def put_record(tx: Transaction, changes: Changes, execution_id: str, record: Record) -> bool:
    """Writes a record if the stored one has the revision before it, and has its change noted once it is committed."""
    short = short_write(execution_id, record)
    written = short is not None and tx.connection.execute(*short).rowcount == 1
    # A short statement is for the ordinary case. What it refuses is decided by the full one.
    if not written and not tx.put(rows.record_write(execution_id, record)):
        return False
    if not tx.records:
        tx.after.append(partial(changes.note_all, tx.records))
    tx.records.append((execution_id, record))
    return True


def put_records(tx: Transaction, changes: Changes, execution_id: str, records: Sequence[Record]) -> None:
    """Writes records that are known to be writable (writes.fresh)."""
    for record in records:
        put_record(tx, changes, execution_id, record)
