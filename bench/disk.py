"""What the disk itself takes to make 1 KB durable: the floor under every figure with durability FULL."""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path

KILOBYTE = b"x" * 1024


def appending(path: Path, times: int) -> float:
    """Median ms of appending 1 KB and fsync: the file grows, so its metadata is written as well."""
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)

    def append() -> None:
        os.write(handle, KILOBYTE)
        os.fsync(handle)

    try:
        return _median(times, append)
    finally:
        os.close(handle)


def overwriting(path: Path, times: int) -> float:
    """Median ms of overwriting 4 KB and fdatasync, in a file that is long enough already."""
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)

    def overwrite() -> None:
        os.pwrite(handle, KILOBYTE * 4, 0)
        _fdatasync(handle)

    try:
        overwrite()
        os.fsync(handle)
        return _median(times, overwrite)
    finally:
        os.close(handle)


def committing(path: Path, times: int) -> float:
    """Median ms of an SQLite commit of one row of 1 KB, WAL and synchronous=FULL as stepfast has them."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, value BLOB)")
        insert = "INSERT INTO rows (value) VALUES (?)"
        return _median(times, lambda: connection.execute(insert, (KILOBYTE,)))
    finally:
        connection.close()


_fdatasync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


def _median(times: int, act: Callable[[], object]) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)
