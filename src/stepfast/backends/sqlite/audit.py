"""The audit list in the SQLite file: a row a line, in the transaction of what it is about, or in an earlier one."""

from __future__ import annotations

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.audit_store import AuditLine, AuditPage, AuditQuery, place_at

_COLUMNS = "id, at, caller, action, execution_id, target, why, count, outcome, status"
_INSERT = f"INSERT OR IGNORE INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SETTLE = "UPDATE audit SET outcome = ?, status = ?, execution_id = ? WHERE id = ?"
_EXPIRE = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ? ORDER BY id LIMIT 500)"


class SqliteAudit:
    """The AuditStore of the file's owner. Thread-safe."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def note(self, line: AuditLine, expires: float) -> None:
        """Posts the row: it is committed with the next write, ahead of it, and never after it. It costs no commit."""
        values = (line.id, line.at, line.by, line.action, line.execution_id, line.target, line.why, line.count)
        self._file.post_row(_INSERT, (*values, line.outcome, line.status))

    async def settle(self, line: AuditLine) -> None:
        self._file.post_row(_SETTLE, (line.outcome, line.status, line.execution_id, line.id))

    async def audit_page(self, query: AuditQuery, oldest: float) -> AuditPage:
        await self._file.write(lambda tx: None)  # what was posted, and has not found a commit to go with
        wanted = {"execution_id": query.execution_id, "caller": query.by, "action": query.action}
        conditions, values = ["id >= ?"], [place_at(oldest)]
        ends = ([query.cursor] if query.cursor else []) + ([place_at(query.until)] if query.until is not None else [])
        if ends:
            conditions.append("id < ?")
            values.append(min(ends))
        for column, value in wanted.items():
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        sql = f"SELECT {_COLUMNS} FROM audit WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"
        rows = self._file.all_rows(sql, (*values, query.limit + 1))
        lines = [AuditLine(*row) for row in rows[: query.limit]]
        return AuditPage(lines, lines[-1].id if len(rows) > query.limit else None)

    async def expire_audit(self, before: float) -> int:
        def run(tx: Transaction) -> int:
            return tx.execute(_EXPIRE, (place_at(before),)).rowcount

        return await self._file.write(run)
