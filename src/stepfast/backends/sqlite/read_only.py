"""A stepfast file opened for reading only: takes no lock and changes nothing, also while its owner runs."""

from __future__ import annotations

import sqlite3
from urllib.parse import quote

from stepfast.backends.sqlite.file import BUSY_TIMEOUT, SqliteFile
from stepfast.backends.sqlite.schema import SCHEMA_VERSION
from stepfast.errors import StartupError


class ReadOnlyFile(SqliteFile):
    """What `SqliteFile` is to its owner, to everyone else; StartupError where there is no file of ours.

    Every write fails with Misconfigured.
    """

    def _open(self) -> None:
        if not self.path.is_file():
            raise StartupError(f"there is no file {self.path}: name the one that `stepfast dev` runs on with --db")
        try:
            self._writer = self._connect()
            version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            self.close()
            raise StartupError(f"cannot read {self.path} as a stepfast database: {error}") from error
        if version != SCHEMA_VERSION:
            self.close()
            raise StartupError(f"{self.path} {_other(version)}, or name another file with --db")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self.path.resolve()))}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT,
        )
        self._connections.append(connection)
        return connection


def _other(version: int) -> str:
    if version > SCHEMA_VERSION:
        return "was written by a newer stepfast: upgrade stepfast"
    if version:
        return "was written by an earlier stepfast: start `stepfast dev` on it, which brings it up to date"
    return "is not a stepfast database"
