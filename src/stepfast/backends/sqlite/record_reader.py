"""The port RecordReader on the SQLite file: records by ranges of their key, with large values left where they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from stepfast.backends.sqlite import rows, runs
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.engine.record_reader import LAST_IDS, PAGE_BYTES, RecordPage, RecordQuery
from stepfast.errors import ExecutionNotFound
from stepfast.model import Execution, OrderEntry, Record, run_of
from stepfast.stored_text import StoredText

LONGEST_ENTRY_CHARACTERS = 1_000_000
"""Characters of the ids of an entry up to which it is read."""


class SqliteRecordReader:
    """opened_at: as of rows.record."""

    def __init__(self, file: SqliteFile, opened_at: float) -> None:
        self._file, self._opened_at = file, opened_at

    async def page(self, execution: Execution, query: RecordQuery) -> RecordPage:
        records: list[Record] = []
        looked_at, room, last = 0, PAGE_BYTES, query.after
        where = "WHERE c.execution_id = ? AND c.id > ? ORDER BY c.id"
        with self._file.reading() as db:
            for row in db.execute(f"{rows.SELECT_PLACED} {where}", (runs.name_of(execution), query.after)):
                if looked_at == query.reads or len(records) == query.limit:
                    return RecordPage(tuple(records), last)
                looked_at += 1
                record = self._record(runs.name_of(execution), row)
                if query.takes(record):
                    room -= values_of(record, query.largest)
                    if records and room < 0:
                        return RecordPage(tuple(records), last)
                    records.append(record)
                last = record.id
        return RecordPage(tuple(records), None)

    async def named(self, execution: Execution, ids: Sequence[str]) -> Mapping[str, Record]:
        where = "WHERE c.execution_id = ? AND c.id IN (SELECT value FROM json_each(?))"
        with self._file.reading() as db:
            held = db.execute(f"{rows.SELECT_PLACED} {where}", (runs.name_of(execution), json.dumps(ids))).fetchall()
        records = (self._record(runs.name_of(execution), row) for row in held)
        return {record.id: record for record in records}

    async def is_longer(self, run_id: str, records: int) -> bool:
        counted = "SELECT count(*) FROM (SELECT 1 FROM commands WHERE execution_id = ? LIMIT ?)"
        row = self._file.row(counted, (run_of(run_id)[0], records + 1))
        return row is not None and row[0] > records

    async def last_entries(self, run_id: str, limit: int) -> Sequence[OrderEntry]:
        where = "WHERE execution_id = ? ORDER BY number DESC LIMIT ?"
        long = "length(applied) + length(dispatched) + length(withdrawn)"
        with self._file.reading() as db:
            sizes = db.execute(f"SELECT number, {long} FROM orders {where}", (run_of(run_id)[0], limit)).fetchall()
            short = next(
                (place for place, (_, size) in enumerate(sizes) if size > LONGEST_ENTRY_CHARACTERS), len(sizes)
            )
            entries = [
                rows.entry(row) for row in db.execute(f"{rows.SELECT_ENTRY} {where}", (run_of(run_id)[0], short))
            ]
        return [
            replace(
                entry,
                applied=entry.applied[-LAST_IDS:],
                dispatched=entry.dispatched[-LAST_IDS:],
                withdrawn=entry.withdrawn[-LAST_IDS:],
            )
            for entry in entries
        ]

    def _record(self, execution_id: str, row: tuple[Any, ...]) -> Record:
        *columns, input_bytes, output_bytes = row
        held = dict(zip(rows.RECORD, columns, strict=True))
        for name, size in (("input", input_bytes), ("output", output_bytes)):
            if isinstance(held[name], bytes):
                digest = held[name]
                held[name] = StoredText(partial(self._value, execution_id, digest), size, digest.hex(), digest)
        return rows.record(tuple(held.values()), self._opened_at)

    def _value(self, execution_id: str, digest: bytes) -> str:
        try:
            row = self._file.row(
                "SELECT value FROM large_values WHERE execution_id = ? AND digest = ?", (execution_id, digest)
            )
        except sqlite3.ProgrammingError as error:
            raise ExecutionNotFound(f"the file of execution {execution_id!r} is closed") from error
        if row is None:
            raise ExecutionNotFound(f"execution {execution_id!r} was just deleted")
        return str(row[0])


def values_of(record: Record, largest: int | None) -> int:
    """Characters of the values that a page shows of a record."""
    sizes = (
        value.size or 0 if isinstance(value, StoredText) else len(value)
        for value in (record.input, record.output)
        if value
    )
    return sum(size for size in sizes if largest is None or size <= largest)
