"""One SQLite file with one owner: its schema, its lock, and a writer thread that shares commits.

Writes from all threads queue up; the writer takes what is there, runs it in one transaction, and tells
everyone when that one commit is on disk. Reads use a connection of the calling thread.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import filelock

from stepfast.errors import StartupError, Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
Durability = Literal["full", "process"]

VERSION = 1
BATCH = 1000
BUSY_TIMEOUT = 5.0

SCHEMA = """
CREATE TABLE executions (
    execution_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, status TEXT NOT NULL, generation INTEGER NOT NULL,
    input TEXT NOT NULL, result TEXT, error TEXT, causes TEXT, labels TEXT, created_at REAL NOT NULL, ended_at REAL
) WITHOUT ROWID;
CREATE INDEX by_time ON executions (created_at, execution_id);
CREATE INDEX by_status ON executions (status, created_at, execution_id);
CREATE INDEX by_workflow ON executions (workflow, created_at, execution_id);
CREATE TABLE labels (
    key TEXT NOT NULL, value TEXT NOT NULL, execution_id TEXT NOT NULL, PRIMARY KEY (key, value, execution_id)
) WITHOUT ROWID;
CREATE TABLE commands (
    execution_id TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    generation INTEGER NOT NULL, revision INTEGER NOT NULL, attempt INTEGER NOT NULL, interrupted INTEGER NOT NULL,
    token TEXT, lease REAL, due REAL, input TEXT, output TEXT, error TEXT, first_at REAL, started_at REAL,
    ended_at REAL, chained TEXT, signal TEXT, attempts TEXT, PRIMARY KEY (execution_id, id)
) WITHOUT ROWID;
CREATE TABLE cursors (
    execution_id TEXT PRIMARY KEY, applied TEXT NOT NULL, dispatched TEXT NOT NULL, generation INTEGER NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE signals (
    execution_id TEXT NOT NULL, signal_id TEXT NOT NULL, name TEXT NOT NULL, payload TEXT NOT NULL,
    received_at REAL NOT NULL, PRIMARY KEY (execution_id, signal_id)
) WITHOUT ROWID;
CREATE TABLE history (
    seq INTEGER PRIMARY KEY, execution_id TEXT NOT NULL, at REAL NOT NULL, type TEXT NOT NULL, command TEXT,
    details TEXT NOT NULL
);
CREATE INDEX history_of ON history (execution_id, seq);
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, execution_id TEXT NOT NULL, command_id TEXT NOT NULL,
    generation INTEGER NOT NULL, pool TEXT NOT NULL, due REAL NOT NULL, sent_at REAL NOT NULL,
    dead INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX messages_of ON messages (execution_id, dead);
CREATE TABLE wakes (seq INTEGER PRIMARY KEY AUTOINCREMENT, execution_id TEXT NOT NULL);
CREATE INDEX wakes_of ON wakes (execution_id);
"""


@dataclass(slots=True)
class Transaction:
    """What a write gets: the connection, and a list of things to do once its commit is on disk."""

    connection: sqlite3.Connection
    after: list[Callable[[], None]] = field(default_factory=list)

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, parameters)


@dataclass(slots=True, eq=False)
class _Write(Generic[T]):
    run: Callable[[Transaction], T]
    future: asyncio.Future[T] | None
    loop: asyncio.AbstractEventLoop | None
    result: T | None = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


class SqliteFile:
    """Opens the file for this process alone; StartupError when another has it, or a newer version wrote it.

    durability: `full` survives power loss (fsync at every commit), `process` only the death of the process.
    """

    def __init__(self, path: Path, durability: Durability = "full") -> None:
        self.path = path
        self._synchronous = {"full": "FULL", "process": "OFF"}[durability]
        self._lock = filelock.FileLock(f"{path}.lock", blocking=False)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writes: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._open()
        self._thread = threading.Thread(target=self._serve, name="stepfast-writer", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout:
            raise StartupError(
                f"{self.path} is in use by another stepfast; stop that one first, or name another file with --db"
            ) from None
        except OSError as error:
            raise StartupError(f"cannot use {self.path}: {error.strerror or error}") from error
        try:
            self._writer = self._connect()
            self._migrate(self._writer)
        except sqlite3.Error as error:
            self._lock.release()
            raise StartupError(f"cannot use {self.path} as a stepfast database: {error}") from error
        except StartupError:
            self._lock.release()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT,
            cached_statements=256,
        )
        self._connections.append(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StartupError(
                f"{self.path} was written by a newer stepfast (schema {version}, this one knows {VERSION}): "
                "upgrade stepfast, or name another file with --db"
            )
        if version == 0:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables:
                raise StartupError(f"{self.path} is an SQLite file of something else; name another with --db")
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    # -- reading -----------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of this thread inside one consistent view; Unavailable when SQLite fails."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = self._connect()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise Unavailable(f"the database cannot be read: {error}") from error

    # -- writing -----------------------------------------------------------------------------------------

    async def write(self, run: Callable[[Transaction], T]) -> T:
        """Runs a write in the next shared transaction; returns once it is as durable as promised.

        `run` decides and writes within one transaction that no other write interrupts. Raises Unavailable
        when the commit failed: then nothing of it was written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writes.put(_Write(run, future, loop))
        return await future

    def post(self, run: Callable[[Transaction], None]) -> None:
        """Queues a write that nobody waits for and whose loss is harmless."""
        self._writes.put(_Write(run, None, None))

    def _serve(self) -> None:
        stopping = False
        while not stopping:
            batch: list[_Write[Any]] = []
            one = self._writes.get()
            while True:
                if one is None:
                    stopping = True
                else:
                    batch.append(one)
                if len(batch) >= BATCH or self._writes.empty():
                    break
                one = self._writes.get()
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Write[Any]]) -> None:
        transaction = Transaction(self._writer)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for write in batch:
                write.result = write.run(transaction)
            self._writer.execute("COMMIT")
        except BaseException as error:
            self._rollback()
            if len(batch) > 1 and not _everyone(error):
                for write in batch:  # one of them is bad: let it fail alone
                    self._commit([write])
                return
            log.warning("a write failed: %s", error)
            failure = error if not isinstance(error, sqlite3.Error) else Unavailable(f"the database failed: {error}")
            failure.__cause__ = error if failure is not error else None
            for write in batch:
                write.error = failure
        else:
            for act in transaction.after:
                act()
        self._settle(batch)

    def _rollback(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.error("rollback failed: %s", error)

    def _settle(self, batch: list[_Write[Any]]) -> None:
        waiting: dict[asyncio.AbstractEventLoop, list[_Write[Any]]] = defaultdict(list)
        for write in batch:
            if write.loop is not None:
                waiting[write.loop].append(write)
        for loop, writes in waiting.items():
            try:
                loop.call_soon_threadsafe(_settle_all, writes)
            except RuntimeError:
                pass  # the loop has been closed: its waiters are gone

    def close(self) -> None:
        """Finishes queued writes and gives the file back."""
        self._writes.put(None)
        self._thread.join()
        for connection in self._connections:
            connection.close()
        self._lock.release()


def _everyone(error: BaseException) -> bool:
    """True for a failure of the file, which would hit each write alone just the same."""
    return isinstance(error, sqlite3.OperationalError)


def _settle_all(writes: list[_Write[Any]]) -> None:
    for write in writes:
        write.settle()
