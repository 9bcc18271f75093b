"""One SQLite file with one owner: its schema, its lock, and writes that share commits.

Each event loop gathers the writes of one turn and commits them together: whatever concurrent executions
write in a turn shares one wait for the disk, and no other thread has to be woken for it. Reads use a
connection of the calling thread.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from stepfast.backends.sqlite import private_files
from stepfast.backends.sqlite.errors import failure_of
from stepfast.backends.sqlite.owner import DatabaseLock
from stepfast.backends.sqlite.pending_writes import FunctionWrite, OwnTurn, PendingWrite, settle_all
from stepfast.backends.sqlite.presence import OpenedFile
from stepfast.backends.sqlite.schema import FORGET, SCHEMA_VERSION, bring_up_to_date
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.errors import Misconfigured, StartupError
from stepfast.repeated_failures import RepeatedFailures
from stepfast.replay.asyncio_internals import is_idle
from stepfast.replay.determinism import plain_monotonic

log = logging.getLogger(__name__)
T = TypeVar("T")
Durability = Literal["full", "process"]
SYNCHRONOUS: dict[Durability, str] = {"full": "FULL", "process": "NORMAL"}
"""SQLite's setting of this name. With NORMAL a loss of power takes back the last commits, and the file stays whole
(https://www.sqlite.org/pragma.html#pragma_synchronous)."""

BUSY_TIMEOUT = 5.0
LOG_BYTES = 4_200_000
"""How long SQLite's log gets before it is checkpointed: 1,000 pages of 4 KB with their headers."""
TURN = 0.005
"""Seconds for which a loop may commit write after write without a turn of its own."""


class SqliteFile:
    """Opens the file for this process alone; StartupError when another has it, or a newer version wrote it.

    durability: `full` survives power loss (fsync at every commit), `process` only the death of the process.
    """

    def __init__(self, path: Path, durability: Durability = "full") -> None:
        self.path = path
        self._synchronous = SYNCHRONOUS[durability]
        self.commits = 0
        """Grows with each commit. While it stands, reads find what they have found before."""
        self._failures = RepeatedFailures(log)
        self._lock = DatabaseLock(path)
        self._turn = OwnTurn()
        self._writing = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._pending: deque[tuple[asyncio.AbstractEventLoop | None, list[PendingWrite[Any]]]] = deque()
        self._posted: deque[PendingWrite[Any] | tuple[str, tuple[Any, ...]]] = deque()
        self._open()

    def _open(self) -> None:
        try:
            private_files.make_folder(self.path.parent)
            self._lock.acquire()
        except OSError as error:
            raise StartupError(f"cannot use {self.path}: {error.strerror or error}") from error
        try:
            self._make_private()
            self._opened = OpenedFile(self.path)
            self._writer = self._connect()
            self._migrate(self._writer)
            self._writer.executescript(f"BEGIN; {FORGET} COMMIT;")
            if self._synchronous == "FULL":
                self._lengthen(self._writer)
        except sqlite3.Error as error:
            self._give_back()
            raise StartupError(f"cannot use {self.path} as a stepfast database: {error}") from error
        except OSError as error:
            self._give_back()
            raise StartupError(f"cannot use {self.path}: {error.strerror or error}") from error
        except StartupError:
            self._give_back()
            raise

    def _make_private(self) -> None:
        """SQLite gives the files that it makes beside the database the mode of the database.

        Only the owner of the file does this: closing a descriptor takes all locks of the process on that file away
        (POSIX, fcntl(2)), those of its own SQLite connections included.
        """
        private_files.make_file(self.path)
        for suffix in ("-wal", "-shm"):
            private_files.tighten_file(Path(f"{self.path}{suffix}"))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT, cached_statements=256
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        except sqlite3.Error:
            connection.close()  # SQLite opens files as it needs them, and may have opened some of them
            raise
        self._connections.append(connection)
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StartupError(
                f"{self.path} was written by a newer stepfast (schema {version}, this one knows {SCHEMA_VERSION}): "
                "upgrade stepfast, or name another file with --db"
            )
        if version == 0:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables:
                raise StartupError(f"{self.path} is an SQLite file of something else; name another with --db")
        bring_up_to_date(connection, version, self._tell_step)

    def _tell_step(self, old: int) -> None:
        log.info(
            "%s was written by an earlier stepfast: it is brought from schema %d to %d, which takes a while for a "
            "large file",
            self.path,
            old,
            old + 1,
        )

    def _lengthen(self, connection: sqlite3.Connection) -> None:
        """Makes the log as long as it gets, once: a commit that overwrites waits half as long as one that appends.

        The part of the transaction that a small cache spills stays in the log's file after the rollback, unread.
        """
        try:
            connection.execute("PRAGMA cache_size = 10")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO history VALUES (NULL, '', 0, '', NULL, zeroblob(?))", (LOG_BYTES,))
        except sqlite3.Error as error:  # such as a full disk, which a short log is no harm to
            log.warning("the log of %s stays short: %s", self.path, error)
        finally:
            self._rollback()
            connection.execute("PRAGMA cache_size = -2000")

    # -- reading -----------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of this thread inside one consistent view; Unavailable or Misconfigured when SQLite fails."""
        try:
            connection = self._reader()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise failure_of(error, "the database cannot be read", self.path) from error

    def row(self, sql: str, parameters: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The first row that a query finds."""
        rows = self.all_rows(sql, parameters)
        return rows[0] if rows else None

    def all_rows(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows that a query finds: one statement is a consistent view by itself."""
        try:
            return self._reader().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise failure_of(error, "the database cannot be read", self.path) from error

    def open_reader(self) -> None:
        """Opens the connection for reading of the calling thread, if it has none. Raises Unavailable, Misconfigured."""
        try:
            self._reader()
        except sqlite3.Error as error:
            raise failure_of(error, "the database cannot be read", self.path) from error

    def _reader(self) -> sqlite3.Connection:
        turn = self._turn.own
        if turn.connection is None:
            turn.connection = self._connect()
        return turn.connection

    # -- writing -----------------------------------------------------------------------------------------

    async def write(self, run: Callable[[Transaction], T]) -> T:
        """Runs a write in this turn's transaction; returns once it is as durable as promised.

        `run` decides and writes within one transaction that no other write interrupts. Raises Unavailable
        when the commit failed: then nothing of it was written.
        """
        write = FunctionWrite(run)
        committed = self.put(write)
        return write.outcome() if committed is None else await committed

    def put(self, write: PendingWrite[T]) -> asyncio.Future[T] | None:
        """Has a write run in this turn's transaction. The future has its result, and is done once that is durable.

        None for a write that is committed already, with its outcome: nothing else on this loop could have joined in.
        """
        turn = self._turn.own
        loop = turn.loop
        if loop is None:
            loop = asyncio.get_running_loop()
            if is_idle(loop) and (plain_monotonic() < turn.until or not loop.is_running()):
                self._commit_turn(None, [write])
                return None
            turn.loop = loop
            loop.call_soon(self._flush)
        future = write.future = asyncio.Future(loop=loop)
        turn.writes.append(write)
        return future

    def post(self, run: Callable[[Transaction], None]) -> None:
        """Leaves a write to the next commit, ahead of whatever is written after it; nobody waits for it."""
        self._posted.append(FunctionWrite(run, posted=True))

    def post_row(self, sql: str, values: tuple[Any, ...]) -> None:
        """As `post`, for one statement. Those of one kind that follow each other are run together."""
        self._posted.append((sql, values))

    def _take_posted(self) -> list[PendingWrite[Any]]:
        taken: list[PendingWrite[Any]] = []
        kind = ""
        rows: list[tuple[Any, ...]] = []
        while self._posted:
            posted = self._posted.popleft()
            if not isinstance(posted, tuple):
                kind = ""
                taken.append(posted)
                continue
            if posted[0] != kind:
                kind, rows = posted[0], []
                taken.append(FunctionWrite(partial(_run_all, kind, rows), posted=True))
            rows.append(posted[1])
        return taken

    def run_script(self, script: str) -> None:
        """Runs statements about the connection that writes, such as for triggers of this process alone."""
        with self._writing:
            self._writer.executescript(script)

    def flush(self) -> None:
        """Commits what was posted and has not found a commit to go with."""
        with self._writing:
            self._commit_pending()

    def _flush(self) -> None:
        """Commits this turn's writes, with those of other loops that wait for the file by now.

        Waiting here, rather than going on with other work, is on purpose: while a thread computes, the
        committing one would have to win the interpreter lock back after every statement.
        """
        turn = self._turn.own
        loop, writes = turn.loop, turn.writes
        turn.loop, turn.writes = None, []
        self._commit_turn(loop, writes)
        turn.until = plain_monotonic() + TURN

    def _commit_turn(self, loop: asyncio.AbstractEventLoop | None, writes: list[PendingWrite[Any]]) -> None:
        """Commits the writes of a turn of this loop. None: of a writer that waits for no future."""
        self._pending.append((loop, writes))
        with self._writing:
            self._commit_pending(loop)

    def _commit_pending(self, here: asyncio.AbstractEventLoop | None = None) -> None:
        """Commits all that waits. here: the loop of this thread, if it may be told at once."""
        batch = self._take_posted()
        turns: list[tuple[asyncio.AbstractEventLoop | None, list[PendingWrite[Any]]]] = []
        while self._pending:
            turns.append(turn := self._pending.popleft())
            batch += turn[1]
        if batch:
            self._commit(batch)
        for loop, writes in turns:
            if loop is here:
                settle_all(writes)
            elif loop is not None:
                try:
                    loop.call_soon_threadsafe(settle_all, writes)
                except RuntimeError:
                    pass  # asyncio raises it for a loop that is closed, and then nobody waits any more

    def _commit(self, batch: list[PendingWrite[Any]]) -> None:
        transaction = Transaction(self._writer)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for write in batch:
                write.result = write.run(transaction)
            transaction.complete()
            self._opened.require()
            self._writer.execute("COMMIT")
            self.commits += 1
        except BaseException as error:
            self._rollback()
            if len(batch) > 1 and not _everyone(error):
                # One write of the batch is at fault: each is committed by itself, so that only that write fails.
                for write in batch:
                    self._commit([write])
                return
            self._failures.note(logging.WARNING, f"{type(error).__name__}: {error}", f"a write failed: {error}")
            failure = error
            if isinstance(error, sqlite3.Error):
                failure = failure_of(error, "the database failed", self.path)
                failure.__cause__ = error
            for write in batch:
                write.error = failure
            self._posted.extendleft(write for write in reversed(batch) if write.posted and _everyone(error))
        else:
            self._failures.report()
            transaction.committed()

    def _rollback(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.error("rollback failed: %s", error)

    def close(self) -> None:
        """Writes what was posted and gives the file back."""
        self.flush()
        self._give_back()

    def _give_back(self) -> None:
        for connection in self._connections:
            connection.close()
        self._lock.release()


def _run_all(sql: str, rows: list[tuple[Any, ...]], tx: Transaction) -> None:
    tx.connection.executemany(sql, rows)


def _everyone(error: BaseException) -> bool:
    """True for a failure of the file, which would hit each write alone just the same."""
    return isinstance(error, (sqlite3.OperationalError, Misconfigured))
