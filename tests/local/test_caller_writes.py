"""Writes of threads that call the engine: a write that is alone waits for no turn of a loop, others share a commit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.local.threads import CallerLoops


def note(tx: Transaction) -> bool:
    return tx.execute("INSERT INTO wakes (execution_id) VALUES ('one')").rowcount == 1


@pytest.fixture
def file(tmp_path: Path) -> Any:
    file = SqliteFile(tmp_path / "one.db", "process")
    yield file
    file.close()


@pytest.fixture
def callers(file: SqliteFile) -> Any:
    shared: Any = None  # descriptors are not few
    callers = CallerLoops(file.open_reader, shared)
    yield callers
    callers.close()


def no_turn(*_: object) -> None:
    raise AssertionError("the loop was turned")


def test_a_write_that_is_alone_waits_for_no_turn(
    file: SqliteFile, callers: CallerLoops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio.BaseEventLoop, "run_until_complete", no_turn)
    assert callers.run(file.write(note))
    assert file.commits == 1
    assert len(file.all_rows("SELECT 1 FROM wakes", ())) == 1


def test_writes_of_one_call_share_a_commit(file: SqliteFile, callers: CallerLoops) -> None:
    async def several() -> list[bool]:
        return await asyncio.gather(*(file.write(note) for _ in range(5)))

    assert callers.run(several()) == [True] * 5
    assert file.commits == 1


def test_a_write_that_is_alone_fails_where_it_was_made(file: SqliteFile, callers: CallerLoops) -> None:
    def wrong(tx: Transaction) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        callers.run(file.write(wrong))
    assert callers.run(file.write(note))
