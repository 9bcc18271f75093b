"""Changes of status and what is still to be delivered of them, on the SQLite file (rule *event*).

A trigger records each change in the transaction that makes it. It is a trigger of this connection alone, not of the
file: a file whose owner has no webhooks records nothing, and neither does a program that only repairs or imports.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.status_changes import OWN_PREFIX, StatusChange, shortened
from stepfast.engine.webhook_deliverer import body_of
from stepfast.engine.webhooks import Backlog, Route, WebhookDelivery

SPREAD_AT_ONCE = 200
EXPIRED_AT_ONCE = 1000
_COLUMNS = "execution_id, workflow, run, generation, previous, status, at, labels, parent, error_type, step"
_RECORD = (
    f"INSERT INTO status_changes ({_COLUMNS}) VALUES (NEW.execution_id, NEW.workflow, NEW.run, NEW.generation, "
    "{previous}, NEW.status, coalesce({at}, NEW.created_at), NEW.labels, NEW.parent, "
    "iif(NEW.status = 'FAILED', json_extract(NEW.error, '$.type'), NULL), "
    "iif(NEW.status = 'FAILED', json_extract(NEW.error, '$.step'), NULL));"
)
# When the execution came to stand as it does, as the row has it: the same change has the same time, and so the same id.
_MOMENT = (
    "CASE WHEN OLD.status = NEW.status THEN NEW.began_at "
    "WHEN NEW.status IN ('SUCCEEDED', 'CANCELLED') OR (OLD.status = 'RUNNING' AND NEW.status = 'FAILED') "
    "THEN NEW.ended_at "
    "WHEN OLD.status = 'FAILED' AND NEW.status = 'RUNNING' THEN NEW.resumed_at "
    "ELSE json_extract(NEW.intervention, '$.at') END"
)
TRIGGERS = f"""
CREATE TEMP TRIGGER IF NOT EXISTS execution_started AFTER INSERT ON main.executions
WHEN NEW.status = 'RUNNING' AND NEW.workflow NOT GLOB '{OWN_PREFIX}*'
BEGIN {_RECORD.format(previous="NULL", at="NEW.created_at")} END;
CREATE TEMP TRIGGER IF NOT EXISTS execution_changed AFTER UPDATE OF status, run ON main.executions
WHEN (OLD.status <> NEW.status OR OLD.run <> NEW.run) AND NEW.workflow NOT GLOB '{OWN_PREFIX}*'
BEGIN {_RECORD.format(previous="OLD.status", at=_MOMENT)} END;
"""
_DELIVERY = "number, webhook, event_id, execution_id, type, body, made_at, attempts, due, reason"
_INSERT = (
    "INSERT INTO webhook_deliveries (webhook, event_id, execution_id, type, body, made_at, attempts, due, reason) "
    "VALUES (?, ?, ?, ?, ?, ?, 0, ?, '') ON CONFLICT DO NOTHING"
)
_DUE = (
    f"SELECT {_DELIVERY} FROM webhook_deliveries AS d WHERE webhook = ? AND due <= ? AND NOT EXISTS ("
    "SELECT 1 FROM webhook_deliveries AS e WHERE e.webhook = d.webhook AND e.execution_id = d.execution_id "
    "AND e.due IS NOT NULL AND e.number < d.number) ORDER BY due, number LIMIT ?"
)
_BACKLOG = (
    "SELECT count(due), count(*) - count(due), min(iif(due IS NULL, NULL, made_at)) FROM webhook_deliveries "
    "WHERE webhook = ?"
)
_REASON = "SELECT reason FROM webhook_deliveries WHERE webhook = ? AND attempts > 0 ORDER BY number DESC LIMIT 1"


class SqliteWebhooks:
    """The WebhookStore of the file's owner. Thread-safe."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def watch(self) -> None:
        self._file.run_script(TRIGGERS)

    async def spread(self, route: Route, now: float) -> int:
        # Without this look, each call would make a transaction of its own.
        if self._file.row("SELECT 1 FROM status_changes LIMIT 1", ()) is None:
            return 0

        def run(tx: Transaction) -> int:
            select = f"SELECT seq, {_COLUMNS} FROM status_changes ORDER BY seq LIMIT ?"
            recorded = tx.execute(select, (SPREAD_AT_ONCE,)).fetchall()
            for _, *columns in recorded:
                change = _change(columns)
                for name in route(change):
                    values = (name, change.id, change.execution_id, change.type, body_of(change), now, now)
                    tx.execute(_INSERT, values)
            tx.execute("DELETE FROM status_changes WHERE seq <= ?", (recorded[-1][0] if recorded else 0,))
            return len(recorded)

        return await self._file.write(run)

    async def due(self, webhook: str, now: float, limit: int) -> Sequence[WebhookDelivery]:
        return [WebhookDelivery(*row) for row in self._file.all_rows(_DUE, (webhook, now, limit))]

    async def delivered(self, delivery: WebhookDelivery) -> None:
        sql = "DELETE FROM webhook_deliveries WHERE number = ?"
        await self._file.write(lambda tx: tx.execute(sql, (delivery.number,)).rowcount)

    async def failed(self, delivery: WebhookDelivery, due: float | None, reason: str) -> None:
        sql = "UPDATE webhook_deliveries SET attempts = ?, due = ?, reason = ? WHERE number = ?"
        values = (delivery.attempts + 1, due, reason, delivery.number)
        await self._file.write(lambda tx: tx.execute(sql, values).rowcount)

    async def backlog(self, webhook: str) -> Backlog:
        with self._file.reading() as db:
            pending, dead, oldest_at = db.execute(_BACKLOG, (webhook,)).fetchone()
            reason = db.execute(_REASON, (webhook,)).fetchone()
        return Backlog(pending, dead, oldest_at, reason[0] if reason is not None else "")

    async def page(self, webhook: str, dead: bool, limit: int, after: int) -> Sequence[WebhookDelivery]:
        sql = (
            f"SELECT {_DELIVERY} FROM webhook_deliveries WHERE webhook = ? AND number > ? "
            f"AND due IS {'' if dead else 'NOT '}NULL ORDER BY number LIMIT ?"
        )
        return [WebhookDelivery(*row) for row in self._file.all_rows(sql, (webhook, after, limit))]

    async def redeliver(self, webhook: str, event_id: str | None, now: float) -> int:
        sql = (
            "UPDATE webhook_deliveries SET attempts = 0, due = ? WHERE webhook = ? AND due IS NULL "
            "AND event_id = coalesce(?, event_id)"
        )
        return await self._file.write(lambda tx: tx.execute(sql, (now, webhook, event_id)).rowcount)

    async def expire(self, before: float) -> int:
        sql = (
            "DELETE FROM webhook_deliveries WHERE number IN "
            "(SELECT number FROM webhook_deliveries WHERE made_at < ? LIMIT ?)"
        )
        return await self._file.write(lambda tx: tx.execute(sql, (before, EXPIRED_AT_ONCE)).rowcount)


def _change(columns: Sequence[Any]) -> StatusChange:
    id, workflow, run, generation, previous, status, at, labels, parent, error_type, step = columns
    standing = (id, workflow, run, generation, previous, status, at)
    return StatusChange(*standing, json.loads(labels or "{}"), parent, shortened(error_type), shortened(step))
