"""Retention of the embedded file: what has ended for good goes when its time is over, and its space is used again."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.ports import Commit, End
from stepfast.errors import StartupError
from stepfast.local.retention import DAY_SECONDS, expire, retention_of
from stepfast.model import Execution, Failure, Record
from tests.contract.clock import FixedClock
from tests.local.conftest import Embedded
from tests.waiting import until

ENDED = 1_000.0


@step(retry=Retry(max_attempts=1))
def fragile(value: str) -> str:
    if value == "bad":
        raise OSError("down")
    return value


@workflow("keeping")
async def keeping(value: str) -> str:
    return await fragile(value)


@workflow("waiting")
async def waiting() -> str:
    word: str = await signal("go", str)
    return word


@pytest.fixture
def backend(tmp_path: Path) -> SqliteBackend:
    clock = FixedClock()
    clock.time = ENDED
    return SqliteBackend(SqliteFile(tmp_path / "kept.db", "process"), clock)


def put(backend: SqliteBackend, id: str, status: str, text: str = '"x"') -> None:
    async def write() -> None:
        execution = Execution(id, "w", text, ENDED, labels={"team": "finance"})
        await backend.create(execution)
        await backend.commit(id, Commit(Record("a", "step", "a", "SUCCEEDED", 0, output=text), wake=False))
        if status != "RUNNING":
            error = Failure("E", "down") if status == "FAILED" else None
            await backend.finish(End(replace(execution, status=status, ended_at=ENDED, error=error)))  # type: ignore[arg-type]

    asyncio.run(write())


def test_succeeded_and_cancelled_executions_expire_and_no_others(backend: SqliteBackend) -> None:
    for status in ("SUCCEEDED", "CANCELLED", "FAILED", "RUNNING"):
        put(backend, status.lower(), status)
    clock = FixedClock()
    for days, left in ((89.9, 4), (90.1, 2), (5_000, 2)):
        clock.time = ENDED + days * DAY_SECONDS
        asyncio.run(expire(backend, clock, 90 * DAY_SECONDS))
        ids = ["succeeded", "cancelled", "failed", "running"]
        held = {execution.execution_id for execution in asyncio.run(backend.read_many(ids))}
        assert len(held) == left
    assert held == {"failed", "running"}
    backend.close()


def test_many_expire_in_batches_that_let_others_write(backend: SqliteBackend) -> None:
    for number in range(250):
        put(backend, f"e{number}", "SUCCEEDED")
    sizes = []
    while gone := asyncio.run(backend.expire(ENDED + DAY_SECONDS)):
        sizes.append(gone)
    assert sum(sizes) == 250
    assert max(sizes) <= 100
    backend.close()


def test_nothing_of_what_was_deleted_is_left_in_the_file(backend: SqliteBackend, tmp_path: Path) -> None:
    secret = "the account of Ada Lovelace"
    for number, length in enumerate((0, 5_000, 100_000)):
        put(backend, f"e{number}", "SUCCEEDED", f'"{secret} {"x" * length}"')
    while asyncio.run(backend.expire(ENDED + DAY_SECONDS)):
        pass
    backend.close()
    assert secret.encode() not in (tmp_path / "kept.db").read_bytes()
    with closing(sqlite3.connect(tmp_path / "kept.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        held = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    assert {table for table, count in held.items() if count} <= {"deleted", "sqlite_sequence", "figures"}


def test_the_space_of_what_was_deleted_is_used_again(backend: SqliteBackend, tmp_path: Path) -> None:
    def round_of(name: str) -> int:
        for number in range(20):
            put(backend, f"{name}{number}", "SUCCEEDED", f'"{name} {number} {"x" * 200_000}"')
        while asyncio.run(backend.expire(ENDED + DAY_SECONDS)):
            pass
        with backend._file.reading() as db:
            db.execute("SELECT 1")
        backend._file._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (tmp_path / "kept.db").stat().st_size

    first = round_of("a")
    assert [round_of(name) for name in "bcd"] == pytest.approx([first] * 3, rel=0.1)
    backend.close()


def test_the_runtime_deletes_what_has_expired_by_itself(tmp_path: Path) -> None:
    made = Embedded(tmp_path / "a.db", keeping, waiting)
    made.run("keeping", "good", "good")
    made.run("keeping", "bad", "bad")
    made.start("waiting", None, "running")
    made.options["retention"] = 1e-6
    made.reopen()
    until(lambda: len(made.runtime.call(made.operations.read_many(["good", "bad", "running"]))) == 2)
    assert made.read("bad").status == "FAILED"
    assert made.read("running").status == "RUNNING"
    made.runtime.close()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("[tool.stepfast]\nretention_days = 7\n", 7 * DAY_SECONDS),
        ("[tool.stepfast]\nretention_days = 0\n", None),
        ("[tool.stepfast]\nworkflows = 'workflows'\n", None),
        ("[project]\nname = 'x'\n", None),
    ],
)
def test_only_a_retention_that_is_written_down_counts(tmp_path: Path, text: str, kept: float | None) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert retention_of(tmp_path / "pyproject.toml") == kept


def test_without_a_project_all_is_kept(tmp_path: Path) -> None:
    assert retention_of(tmp_path / "pyproject.toml") is None


def test_a_wrong_retention_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.stepfast]\nretention_days = -1\n")
    with pytest.raises(StartupError, match="retention_days"):
        retention_of(tmp_path / "pyproject.toml")
