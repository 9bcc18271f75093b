"""Starts in the file: who holds the key of a singleton, the line of each key, and starts that were turned away."""

from __future__ import annotations

import secrets

from stepfast.backends.sqlite import rows, writes
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.start_items import Hold, LinePlace, StartKey, TurnedAway, key_of, place_of, start_text
from stepfast.model import Execution
from stepfast.standing import StartInfo

_VERSION = "SELECT version FROM start_holds WHERE workflow = ? AND key = ?"
_AWAY = "SELECT 1 FROM start_answers WHERE execution_id = ?"
_BEGIN = "UPDATE executions SET start = ? WHERE execution_id = ? AND status = 'RUNNING' AND start = ?"
_STARTED = "SELECT start FROM executions WHERE execution_id = ? AND status = 'RUNNING'"
_LEAVE = "DELETE FROM start_lines WHERE workflow = ? AND key = ? AND low = ? AND since = ? AND execution_id = ?"


class SqliteStarts:
    """The StartStore on the file."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def hold(self, id: StartKey) -> Hold:
        sql = "SELECT version, holder FROM start_holds WHERE workflow = ? AND key = ?"
        row = self._file.row(sql, (id.workflow, id.key))
        return Hold(id) if row is None else Hold(id, *row)

    async def pass_on(self, hold: Hold, heir: str) -> bool:
        return await self._file.write(lambda tx: stands(tx, hold) and give(tx, hold.id, heir))

    async def first(self, id: StartKey) -> LinePlace | None:
        sql = (
            "SELECT low, since, execution_id FROM start_lines WHERE workflow = ? AND key = ? "
            "ORDER BY low, since, execution_id LIMIT 1"
        )
        row = self._file.row(sql, (id.workflow, id.key))
        return None if row is None else LinePlace(-row[0], *row[1:])

    async def leave(self, id: StartKey, place: LinePlace) -> None:
        values = (id.workflow, id.key, -place.priority, place.since, place.execution_id)
        await self._file.write(lambda tx: writes.run(tx, _LEAVE, values))

    async def turned_away(self, execution_id: str) -> TurnedAway | None:
        sql = "SELECT execution_id, workflow, turned, became, sent, at FROM start_answers WHERE execution_id = ?"
        row = self._file.row(sql, (execution_id,))
        return None if row is None else TurnedAway(*row)

    async def turn_away(self, turned: TurnedAway, hold: Hold) -> bool:
        return await self._file.write(lambda tx: stands(tx, hold) and put_away(tx, turned))


def stands(tx: Transaction, hold: Hold) -> bool:
    """Whether the stored item has the version of `hold`."""
    row = tx.execute(_VERSION, (hold.id.workflow, hold.id.key)).fetchone()
    return (row[0] if row is not None else "") == hold.version


def give(tx: Transaction, id: StartKey, holder: str) -> bool:
    """Has an execution hold a key; "" for nobody. True."""
    if holder:
        values = (id.workflow, id.key, secrets.token_hex(6), holder)
        tx.execute("INSERT OR REPLACE INTO start_holds VALUES (?, ?, ?, ?)", values)
    else:
        tx.execute("DELETE FROM start_holds WHERE workflow = ? AND key = ?", (id.workflow, id.key))
    return True


def may_create(tx: Transaction, execution: Execution, hold: Hold | None) -> bool:
    """Whether an execution may be created in its turn: its id was not turned away, and its key stands as it did."""
    away = tx.execute(_AWAY, (execution.execution_id,)).fetchone()
    return away is None and (hold is None or stands(tx, hold))


def place(tx: Transaction, execution: Execution, hold: Hold | None) -> None:
    """Has a new execution hold its key, or stand in the line."""
    id, at = key_of(execution), place_of(execution)
    if hold is not None:
        give(tx, hold.id, execution.execution_id)
    elif id is not None:
        values = (id.workflow, id.key, -at.priority, at.since, at.execution_id)
        tx.execute("INSERT OR IGNORE INTO start_lines VALUES (?, ?, ?, ?, ?)", values)


def put_away(tx: Transaction, turned: TurnedAway) -> bool:
    """Records a start that creates nothing, if its id is free."""
    if tx.execute("SELECT 1 FROM executions WHERE execution_id = ?", (turned.execution_id,)).fetchone():
        return False
    values = (turned.execution_id, turned.workflow, turned.into, turned.became, turned.sent, turned.at)
    sql = "INSERT INTO start_answers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    return tx.execute(sql, values).rowcount == 1


def fold(tx: Transaction, execution: Execution, start: StartInfo, input: str, turned: TurnedAway | None) -> bool:
    """Gives a waiting execution another input. Looks first at what could be refused, so that nothing is half done."""
    held = tx.execute(_STARTED, (execution.execution_id,)).fetchone()
    if held is None or held[0] != start_text(execution.start) or (turned is not None and not put_away(tx, turned)):
        return False
    return tx.put(rows.input_write(execution.execution_id, input)) and begin(tx, execution, start)


def begin(tx: Transaction, execution: Execution, start: StartInfo) -> bool:
    values = (start_text(start), execution.execution_id, start_text(execution.start))
    return tx.execute(_BEGIN, values).rowcount == 1


def expire(tx: Transaction, before: float) -> None:
    """Deletes what is kept of starts that were turned away before a time."""
    old = "SELECT execution_id FROM start_answers WHERE at < ? LIMIT 1000"
    tx.execute(f"DELETE FROM start_answers WHERE execution_id IN ({old})", (before,))
