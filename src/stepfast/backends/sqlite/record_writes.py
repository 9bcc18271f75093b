"""The write of a record, which each step makes once or twice: by a short statement where that writes the same row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from operator import attrgetter
from typing import Any

from stepfast.backends.sqlite import rows
from stepfast.backends.sqlite.changes import Changes
from stepfast.backends.sqlite.schema import LARGE_VALUE_CHARACTERS
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.model import Record
from stepfast.stored_text import Text

_CLAIM = (
    "execution_id", "id", "kind", "name", "status", "generation", "revision", "attempt", "interrupted", "token",
    "lease", "input", "first_at", "started_at",
)  # fmt: skip
_RESULT = ("output", "ended_at", "then")
INSERT_CLAIM = rows.insert_record(_CLAIM)
INSERT_RESULT = rows.insert_record((*_CLAIM, "output", "ended_at", "chained"))
UPDATE_OUTCOME = (
    "UPDATE commands SET status = ?, generation = ?, revision = ?, lease = NULL, output = ?, ended_at = ?, chained = ?"
    f" WHERE {rows.IF_FOLLOWS}"
)
_SET = ("status", "generation", "revision", "lease", *_RESULT)

_kept = attrgetter(*(field.name for field in fields(Record) if field.name not in _SET))
"""Of a record what UPDATE_OUTCOME leaves as it stands in the row."""
_unset = attrgetter(*(field.name for field in fields(Record) if field.name not in (*_CLAIM, *_RESULT)))
"""Of a record what the INSERTs leave empty."""
_NOTHING = _unset(Record("", "step", "", "OPEN", 0))
_result = attrgetter(*_RESULT)
_NO_RESULT = (None, None, None)


def short_write(execution_id: str, record: Record, before: Record | None) -> tuple[str, tuple[Any, ...]] | None:
    """A statement that writes the same row as `rows.record_write`, with fewer columns; None for other records.

    SQLite takes time for each column that a statement names, and a step's claim and its result leave half of them
    empty, or as they are. before: the record as it was written last, as far as that is known.
    """
    output, then = record.output, record.then
    if not _fits(output):
        return None
    chained = None if then is None else rows.chained_text(then)
    if record.revision != 1:
        if before is None or before.revision != record.revision - 1 or record.lease is not None:
            return None
        if _kept(before) != _kept(record):
            return None
        return UPDATE_OUTCOME, (
            record.status, record.generation, record.revision, output, record.ended_at, chained,
            execution_id, record.id, record.revision - 1, record.generation,
        )  # fmt: skip
    if not _fits(record.input) or _unset(record) != _NOTHING:
        return None
    row = (
        execution_id, record.id, record.kind, record.name, record.status, record.generation, 1, record.attempt,
        record.interrupted, record.token, record.lease, record.input, record.first_at, record.started_at,
    )  # fmt: skip
    if _result(record) == _NO_RESULT:
        return INSERT_CLAIM, (*row, execution_id, record.generation)
    return INSERT_RESULT, (*row, output, record.ended_at, chained, execution_id, record.generation)


def _fits(value: Text | None) -> bool:
    """Whether a value stands in its row, and is not large."""
    return value is None or (type(value) is str and len(value) <= LARGE_VALUE_CHARACTERS)


def put_record(tx: Transaction, changes: Changes, execution_id: str, record: Record) -> bool:
    """Writes a record if the stored one has the revision before it, and has its change noted once it is committed."""
    short = short_write(execution_id, record, changes.last(execution_id, record.id))
    written = short is not None and tx.connection.execute(*short).rowcount == 1
    # A short statement is for the ordinary case. The full one decides about all that it refuses.
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
