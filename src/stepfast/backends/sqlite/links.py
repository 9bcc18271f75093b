"""Answer links on the SQLite file: the keys that sign them in one row, and the last heartbeat of each link."""

from __future__ import annotations

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.link_store import Beat

_SELECT = "SELECT keys, version FROM link_keys WHERE id = 1"
_INSERT = "INSERT INTO link_keys (id, version, keys) VALUES (1, 1, ?) ON CONFLICT DO NOTHING"
_UPDATE = "UPDATE link_keys SET keys = ?, version = version + 1 WHERE id = 1 AND version = ?"
_BEAT = (
    "INSERT INTO link_beats (execution_id, link, at, progress) SELECT execution_id, ?, ?, ? FROM executions "
    "WHERE execution_id = ? ON CONFLICT DO UPDATE SET at = excluded.at, progress = excluded.progress"
)
_LAST = "SELECT at, progress FROM link_beats WHERE execution_id = ? AND link = ?"


class SqliteLinks:
    """The LinkStore of the file's owner. Thread-safe."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def keys(self) -> tuple[str, str]:
        row = self._file.row(_SELECT, ())
        return ("", "") if row is None else (row[0], str(row[1]))

    async def write_keys(self, text: str, version: str) -> bool:
        def run(tx: Transaction) -> bool:
            cursor = tx.execute(_UPDATE, (text, int(version))) if version else tx.execute(_INSERT, (text,))
            return cursor.rowcount == 1

        return await self._file.write(run)

    async def beat(self, execution_id: str, link: str, beat: Beat, keep_until: float) -> None:
        values = (link, beat.at, beat.progress, execution_id)
        await self._file.write(lambda tx: tx.execute(_BEAT, values).rowcount)

    async def last_beat(self, execution_id: str, link: str) -> Beat | None:
        row = self._file.row(_LAST, (execution_id, link))
        return None if row is None else Beat(*row)
