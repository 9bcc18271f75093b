"""Makes a file with many ended executions: copies of an execution that has run, each with an id of its own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.bed import bed
from stepfast.engine.starting import new_id


def fill(path: Path, executions: int, steps: int = 10) -> None:
    """Makes the file. Every table with rows of the original execution gets these rows once for each copy."""
    with bed(path) as made:
        made.run("sequence", steps)
    multiply(path, executions, "SUCCEEDED")


def multiply(path: Path, copies: int, status: str) -> None:
    """Adds copies of each execution in the file that is `status`, while no process owns the file."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TEMP TABLE copies (id TEXT, number INTEGER)")
        originals = connection.execute(
            "SELECT execution_id, created_at FROM executions WHERE status = ?", (status,)
        ).fetchall()
        tables = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for original, created_at in originals:
            connection.execute("DELETE FROM temp.copies")
            connection.executemany(
                "INSERT INTO copies VALUES (?, ?)",
                ((new_id(created_at - number), number) for number in range(copies, 0, -1)),
            )
            for (table,) in tables:
                _copy(connection, table, original)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _copy(connection: sqlite3.Connection, table: str, original: str) -> None:
    described = connection.execute(f"PRAGMA main.table_info({table})").fetchall()
    columns = [name for _, name, kind, _, _, key in described if not (key and kind == "INTEGER")]
    if "execution_id" not in columns:
        return
    computed = {"execution_id": "copies.id", "created_at": "one.created_at - copies.number"}
    values = ", ".join(computed.get(name, f"one.{name}") for name in columns)
    connection.execute(
        f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {values} FROM temp.copies AS copies "
        f"CROSS JOIN main.{table} AS one WHERE one.execution_id = ?",
        (original,),
    )
