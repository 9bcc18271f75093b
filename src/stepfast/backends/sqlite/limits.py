"""Limits on the SQLite file: in memory, since the file has one owner, and in the file what must outlive the process.

The slots and the lines end with the process, as the attempts and the deliveries do that they are of: a new owner of the
file has all messages delivered anew. The moments of rates and the gates are written with whatever commit comes next.
That is the claim of the step at the latest, so that the file has no claim without the moment that was reserved for it.
"""

from __future__ import annotations

import bisect
import itertools
import threading
from collections.abc import Sequence
from functools import partial

from stepfast.backends.sqlite import writes
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.limit_items import LimitId, LimitItem, Waiter, numbers_in, numbers_text
from stepfast.engine.ports import Clock
from stepfast.language.limits import Numbers
from stepfast.unguarded import replace

SWEEP_WRITES = 1000
"""Writes after which the items that are idle are dropped."""
_UPSERT = """INSERT OR REPLACE INTO limit_items (name, key, shard, moment, turn, gate, changed_at, idle_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_SELECT = "SELECT moment, turn, gate, changed_at FROM limit_items WHERE name = ? AND key = ? AND shard = ?"
_IDLE = "DELETE FROM limit_items WHERE idle_at < ?"
_HIGH = (float("inf"), float("inf"), "")


class SqliteLimits:
    """The LimitStore of the file's owner. Thread-safe."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._lock = threading.Lock()
        self._items: dict[LimitId, LimitItem] = {}
        self._lines: dict[LimitId, list[tuple[tuple[str, int, float, str], Waiter]]] = {}
        self._numbers: dict[str, tuple[Numbers, str]] | None = None
        self._posting = threading.Lock()  # Held for moments only, also by whoever commits.
        self._posted: dict[LimitId, list[LimitItem]] = {}
        self._versions = itertools.count(1)
        self._writes = 0

    async def read(self, id: LimitId) -> LimitItem:
        item = self._items.get(id)
        if item is None:
            with self._lock:
                item = self._items.get(id)
                if item is None:
                    item = self._items[id] = self._stored(id)
        return item

    def _stored(self, id: LimitId) -> LimitItem:
        row = self._file.row(_SELECT, (id.name, id.key, id.shard))
        if row is None:
            return LimitItem(id)
        moment, turn, gate, changed_at = row
        return LimitItem(id, str(next(self._versions)), moment, {}, turn, gate, changed_at)

    async def write(self, item: LimitItem, version: str) -> LimitItem | None:
        with self._lock:
            held = self._items.get(item.id)
            if held is None:
                held = self._stored(item.id)
            if held.version != version:
                return None
            item = self._items[item.id] = replace(item, version=str(next(self._versions)))
            if (item.moment, item.gate) != (held.moment, held.gate):
                self._post(item)
            self._writes += 1
            if self._writes % SWEEP_WRITES == 0:
                self._drop_idle()
            return item

    async def reserve(self, item: LimitItem, interval: float, least: float, now: float) -> LimitItem | None:
        held = await self.read(item.id)
        moment = held.moment if held.moment >= least else now
        changed = replace(held, moment=moment + interval, changed_at=now)
        return await self.write(changed, held.version)

    def _post(self, item: LimitItem) -> None:
        """Leaves an item to the next commit; one that is left to it already is written once, as it is then."""
        with self._posting:
            if (posted := self._posted.get(item.id)) is not None:
                posted[0] = item
                return
            posted = self._posted[item.id] = [item]
        self._file.post(partial(self._write_posted, posted))

    def _write_posted(self, posted: list[LimitItem], tx: Transaction) -> None:
        with self._posting:
            item = posted[0]
            if self._posted.get(item.id) is posted:
                del self._posted[item.id]
        id, idle_at = item.id, max(item.moment, item.changed_at) if item.moment or not item.gate else None
        values = (id.name, id.key, id.shard, item.moment, item.turn, item.gate, item.changed_at, idle_at)
        writes.run(tx, _UPSERT, values)

    def _drop_idle(self) -> None:
        """Memory and file go by the keys in use, not by all keys that there ever were."""
        now = self._clock.now()
        idle = [id for id, item in self._items.items() if id not in self._lines and item.idle_at(now) <= now]
        for id in idle:
            del self._items[id]
        self._file.post(lambda tx: writes.run(tx, _IDLE, (now,)))

    # -- lines ---------------------------------------------------------------------------------------------------

    async def join(self, id: LimitId, waiter: Waiter) -> None:
        with self._lock:
            line, place = self._lines.setdefault(id, []), waiter.place
            at = bisect.bisect_left(line, place, key=lambda entry: entry[0])
            if at < len(line) and line[at][0] == place:
                line[at] = place, waiter
            else:
                line.insert(at, (place, waiter))

    async def leave(self, id: LimitId, waiter: Waiter) -> None:
        with self._lock:
            line, place = self._lines.get(id, []), waiter.place
            at = bisect.bisect_left(line, place, key=lambda entry: entry[0])
            if at < len(line) and line[at][0] == place:
                del line[at]
            if not line:
                self._lines.pop(id, None)

    async def first(self, id: LimitId, after: str | None = None) -> Waiter | None:
        with self._lock:
            line = self._lines.get(id)
            if not line:
                return None
            at = 0 if after is None else bisect.bisect_right(line, (after, *_HIGH), key=lambda entry: entry[0])
            return line[at][1] if at < len(line) else None

    async def line(self, id: LimitId, limit: int) -> Sequence[Waiter]:
        with self._lock:
            return [waiter for _, waiter in self._lines.get(id, [])[:limit]]

    # -- looking, and numbers --------------------------------------------------------------------------------------

    async def items(self, name: str, limit: int, after: str = "") -> tuple[Sequence[LimitItem], str]:
        with self._lock:
            stored = self._file.all_rows("SELECT name, key, shard FROM limit_items WHERE name = ?", (name,))
            ids = {id for id in (*self._items, *self._lines) if id.name == name} | {LimitId(*row) for row in stored}
            placed = sorted((f"{id.key}#{id.shard:02}", id) for id in ids if f"{id.key}#{id.shard:02}" > after)
            page = placed[:limit]
            items = [self._items.get(id) or self._stored(id) for _, id in page]
            return items, page[-1][0] if len(placed) > limit else ""

    async def numbers(self, name: str) -> tuple[Numbers, str] | None:
        with self._lock:
            if self._numbers is None:
                rows = self._file.all_rows("SELECT name, numbers, set_by FROM limit_numbers", ())
                self._numbers = {held: (numbers_in(text), by) for held, text, by in rows}
            return self._numbers.get(name)

    async def set_numbers(self, name: str, numbers: Numbers | None, by: str = "") -> None:
        delete = "DELETE FROM limit_numbers WHERE name = ?"
        insert = "INSERT OR REPLACE INTO limit_numbers VALUES (?, ?, ?)"
        if numbers is None:
            await self._file.write(lambda tx: writes.run(tx, delete, (name,)))
        else:
            values = (name, numbers_text(numbers), by)
            await self._file.write(lambda tx: writes.run(tx, insert, values))
        with self._lock:
            self._numbers = None
