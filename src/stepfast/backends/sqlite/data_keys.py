"""The key store of the embedded home: a file of its own beside the database, which backups leave out.

It is `<database>.keys`. SQLite overwrites deleted keys with zeros before the delete counts (`secure_delete`), and
deletes its rollback journal after each commit. Writes of one moment share a commit.

A commit also waits for the folder (`synchronous=EXTRA`): without that a loss of power can bring the deleted journal
back, and SQLite would undo the commit with it, so that values are there and their key is not.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

from stepfast.backends.sqlite import private_files
from stepfast.backends.sqlite.errors import failure_of
from stepfast.engine.data_keys import KeyEntry
from stepfast.errors import StartupError
from stepfast.values.encryption import KeyId

_VERSION = 1
_APPLICATION = 0x73666B79
"""Says that a file is a key store: `sfky`."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS data_keys (execution_id TEXT NOT NULL, name TEXT NOT NULL, wrapped TEXT NOT NULL, "
    "made_at REAL NOT NULL, PRIMARY KEY (execution_id, name)) WITHOUT ROWID"
)
Work = Callable[[sqlite3.Connection], None]


def keys_path(database: Path) -> Path:
    """The key store of a database."""
    return database.with_name(f"{database.name}.keys")


class SqliteDataKeys:
    """The DataKeyStore in a file. Thread-safe. read_only: for whoever does not own the database.

    Raises StartupError where the file cannot be opened, or is none.
    """

    synchronous = "EXTRA"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self._read_only = path, read_only
        self._lock, self._queue = threading.Lock(), list[tuple[Work, Future[None]]]()
        self._writing = threading.Lock()
        if not read_only:
            try:
                private_files.make_file(path)
            except OSError as error:
                raise StartupError(f"cannot use {path} as a key store: {error.strerror or error}") from error
        elif not path.is_file():
            raise StartupError(
                f"there is no key store {path}: what is encrypted cannot be read without it. Bring it here from the "
                "machine where the database was written; backups of the database do not have it"
            )
        mode = "ro" if read_only else "rw"
        try:
            self._db = sqlite3.connect(
                f"file:{quote(str(path.resolve()))}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            self._prepare()
        except sqlite3.Error as error:
            raise StartupError(f"cannot use {path} as a key store: {error}") from error

    def _prepare(self) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != _APPLICATION and (tables or self._read_only):
            raise StartupError(f"{self.path} is no key store of stepfast")
        if self._read_only:
            return
        for pragma in ("secure_delete = ON", f"synchronous = {self.synchronous}", "journal_mode = DELETE"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._db.execute(f"PRAGMA user_version = {_VERSION}")
        self._db.execute(_TABLE)

    async def put(self, entry: KeyEntry) -> None:
        values = (entry.id.execution_id, entry.id.name, entry.wrapped, entry.made_at)
        await self._write(lambda db: _run(db, "INSERT INTO data_keys VALUES (?, ?, ?, ?)", values))

    def get(self, id: KeyId) -> str | None:
        sql = "SELECT wrapped FROM data_keys WHERE execution_id = ? AND name = ?"
        with self._reading():
            row = self._db.execute(sql, (id.execution_id, id.name)).fetchone()
        return None if row is None else str(row[0])

    async def destroy(self, ids: Sequence[KeyId]) -> None:
        await self._write(partial(_destroy, ids))

    def destroy_now(self, ids: Sequence[KeyId]) -> None:
        """As `destroy`, for a thread without an event loop."""
        future = Future[None]()
        with self._lock:
            self._queue.append((partial(_destroy, ids), future))
        self._commit()
        future.result()

    async def page(self, after: str, limit: int) -> tuple[Sequence[KeyEntry], str]:
        sql = (
            "SELECT execution_id, name, made_at FROM data_keys WHERE (execution_id, name) > (?, ?) "
            "ORDER BY execution_id, name LIMIT ?"
        )
        with self._reading():
            rows = self._db.execute(sql, (*(json.loads(after) if after else ("", "")), limit)).fetchall()
        entries = [KeyEntry(KeyId(execution_id, name), "", made_at) for execution_id, name, made_at in rows]
        return entries, json.dumps(rows[-1][:2]) if len(rows) == limit else ""

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with self._writing:
                yield
        except sqlite3.Error as error:
            raise failure_of(error, "the key store cannot be read", self.path) from error

    async def _write(self, work: Work) -> None:
        """Writes with all that others ask for meanwhile, in one commit."""
        future = Future[None]()
        with self._lock:
            self._queue.append((work, future))
        await asyncio.sleep(0)  # Those who write in the same turn of this loop go along.
        if not future.done():
            self._commit()
        await asyncio.wrap_future(future)

    def _commit(self) -> None:
        with self._writing:
            with self._lock:
                batch, self._queue = self._queue, []
            if not batch:
                return  # Another thread has just committed all of it.
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    for work, _ in batch:
                        work(self._db)
                    self._db.execute("COMMIT")
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                failure = failure_of(error, "the key store cannot be written", self.path)
                failure.__cause__ = error
                for _, future in batch:
                    future.set_exception(failure)
                return
            for _, future in batch:
                future.set_result(None)

    def close(self) -> None:
        with self._writing:
            self._db.close()


def _run(db: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> None:
    db.execute(sql, values)


def _destroy(ids: Sequence[KeyId], db: sqlite3.Connection) -> None:
    sql = "DELETE FROM data_keys WHERE execution_id = ? AND name = ?"
    db.executemany(sql, [(id.execution_id, id.name) for id in ids])
