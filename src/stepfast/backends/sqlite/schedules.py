"""Schedules on the SQLite file: a row each, kept in memory as well, since the file has one owner."""

from __future__ import annotations

import threading
from dataclasses import replace

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.schedule_items import ScheduleItem, item_of, state_text

_SELECT = "SELECT version, state FROM schedules WHERE name = ?"
_INSERT = "INSERT INTO schedules (version, state, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_UPDATE = "UPDATE schedules SET version = ?, state = ? WHERE name = ? AND version = ?"


class SqliteSchedules:
    """The ScheduleStore of the file's owner. Thread-safe."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._items: dict[str, ScheduleItem] = {}

    async def read(self, name: str) -> ScheduleItem:
        with self._lock:
            item = self._items.get(name)
        if item is not None:
            return item
        row = self._file.row(_SELECT, (name,))
        item = ScheduleItem(name) if row is None else item_of(name, str(row[0]), row[1])
        with self._lock:
            # A write may have come in between, and what it wrote is newer.
            return self._items.setdefault(name, item)

    async def write(self, item: ScheduleItem, version: str) -> ScheduleItem | None:
        number = int(version or 0)
        text = state_text(item)

        def run(tx: Transaction) -> bool:
            values = (number + 1, text, item.name)
            cursor = tx.execute(_UPDATE, (*values, number)) if version else tx.execute(_INSERT, values)
            return cursor.rowcount == 1

        if not await self._file.write(run):
            return None
        written = replace(item, version=str(number + 1))
        with self._lock:
            newest = self._items.get(item.name)
            if newest is None or int(newest.version or 0) < number + 1:
                self._items[item.name] = written
        return written
