"""What SQLite raises, as stepfast's errors: those that pass by themselves, and those that an operator must fix."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from stepfast.descriptors import NO_DESCRIPTOR, may_open
from stepfast.errors import Misconfigured, StepfastError, Unavailable

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_ERROR,  # says nothing of the cause
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
    }
)
"""Primary result codes (https://www.sqlite.org/rescode.html) of what may be gone at the next try."""
_OPENING = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR})
"""Codes that SQLite also has for a process without a file descriptor."""
_ADVICE = {
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for this process",
    sqlite3.SQLITE_PERM: "make the file and its folder accessible for this process",
    sqlite3.SQLITE_AUTH: "make the file and its folder accessible for this process",
    sqlite3.SQLITE_CANTOPEN: "see that its folder is there, accessible, and has room for more open files",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore it from a backup",
    sqlite3.SQLITE_NOTADB: "the file is no database any more: restore it from a backup",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite's limit of 1 GB",
}


def failure_of(error: sqlite3.Error, problem: str, path: Path) -> StepfastError:
    """Unavailable for what passes, Misconfigured for what does not; only the latter names the file, for the log.

    problem: a sentence's beginning, as in "the database cannot be read".
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:  # the sqlite3 module's own errors, such as of a closed connection, have none
        primary = code & 0xFF
        if primary in _OPENING and not may_open(1):
            return Unavailable(f"{problem}: {NO_DESCRIPTOR}")
        if primary not in _PASSING:
            advice = _ADVICE.get(primary, f"SQLite calls it {getattr(error, 'sqlite_errorname', code)}")
            return Misconfigured(f"{problem}: {error} ({path}); {advice}")
    return Unavailable(f"{problem}: {error}")
