"""A SQLite database in memory with the interface of SqliteFile. Its coroutines have nothing to wait for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from stepfast.backends.sqlite import writes
from stepfast.backends.sqlite.pending_writes import FunctionWrite, PendingWrite
from stepfast.backends.sqlite.schema import SCHEMA
from stepfast.backends.sqlite.transaction import Transaction

T = TypeVar("T")


class MemoryFile:
    """Stands for the file of a process. After `lose_posted`, its crash, only committed writes are left."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
        self._db.executescript(SCHEMA)
        self._posted: list[Callable[[Transaction], None]] = []
        self.commits = 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        yield self._db

    def row(self, sql: str, parameters: tuple[Any, ...]) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(sql, parameters).fetchone()
        return row

    def all_rows(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, parameters).fetchall()

    async def write(self, run: Callable[[Transaction], T]) -> T:
        """One transaction, with what was posted before it; it never waits."""
        write = FunctionWrite(run)
        self.put(write)
        return write.result

    def put(self, write: PendingWrite[Any]) -> None:
        """The same for a write with a place for its result."""
        posted, self._posted = self._posted, []
        transaction = Transaction(self._db)
        self._db.execute("BEGIN")
        try:
            for run in posted:
                run(transaction)
            write.result = write.run(transaction)
            transaction.complete()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        self.commits += 1
        transaction.committed()

    def post(self, run: Callable[[Transaction], None]) -> None:
        """Has the next commit include a write, as the real file does. A crash before that commit loses the write."""
        self._posted.append(run)

    def post_row(self, sql: str, values: tuple[Any, ...]) -> None:
        self._posted.append(lambda tx: writes.run(tx, sql, values))

    def run_script(self, script: str) -> None:
        self._db.executescript(script)

    def lose_posted(self) -> None:
        self._posted.clear()

    def close(self) -> None:
        self._db.close()


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that has nothing to wait for, and returns its result. It needs no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("the store in memory was waited for")  # a bug of the kit
