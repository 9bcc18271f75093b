"""What no waiting can mend is told apart from what passes, and is not tried again as if it would pass."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.backends.sqlite.errors import failure_of
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.read_only import ReadOnlyFile
from stepfast.engine.messages import Message
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Commit, Committed, Delivery
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import Runner
from stepfast.errors import Misconfigured, StartupError, StepfastError, Unavailable
from stepfast.language.registry import Registry


def test_the_two_kinds_have_nothing_in_common() -> None:
    assert not issubclass(StartupError, Unavailable)
    assert issubclass(Misconfigured, StartupError)
    assert not issubclass(Unavailable, StartupError)


def _error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "NAME"
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, Unavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Unavailable),
        (sqlite3.SQLITE_LOCKED, Unavailable),
        (sqlite3.SQLITE_FULL, Unavailable),
        (sqlite3.SQLITE_IOERR_WRITE, Unavailable),
        (sqlite3.SQLITE_NOMEM, Unavailable),
        (sqlite3.SQLITE_READONLY, Misconfigured),
        (sqlite3.SQLITE_READONLY_DBMOVED, Misconfigured),
        (sqlite3.SQLITE_CORRUPT, Misconfigured),
        (sqlite3.SQLITE_NOTADB, Misconfigured),
        (sqlite3.SQLITE_CANTOPEN, Misconfigured),
        (sqlite3.SQLITE_PERM, Misconfigured),
        (sqlite3.SQLITE_TOOBIG, Misconfigured),
    ],
)
def test_what_sqlite_reports(code: int, kind: type[StepfastError]) -> None:
    told = failure_of(_error(code), "the database failed", Path("a.db"))
    assert type(told) is kind
    assert ("a.db" in str(told)) == (kind is Misconfigured)  # callers of the API see what is Unavailable


def test_a_write_to_a_file_that_is_read_only(tmp_path: Path) -> None:
    SqliteFile(tmp_path / "a.db").close()
    file = ReadOnlyFile(tmp_path / "a.db")

    async def write() -> None:
        await file.write(lambda tx: tx.execute("INSERT INTO wakes (execution_id) VALUES ('one')"))

    with pytest.raises(Misconfigured, match="readonly.*writable"):
        asyncio.run(write())
    file.close()


ran: list[int] = []


@step(timeout=600)
async def work() -> int:
    ran.append(1)
    return 1


@workflow("works")
async def works() -> int:
    return await work()


class Denying:
    """A store of which the writes of outcomes fail."""

    def __init__(self, store: Any, error: Exception) -> None:
        self._store, self._error, self.asked = store, error, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, execution_id: str, commit: Commit) -> Committed:
        if commit.record.status != "SUCCEEDED":
            committed: Committed = await self._store.commit(execution_id, commit)
            return committed
        self.asked += 1
        raise self._error


@pytest.mark.parametrize(
    ("error", "tries"), [(Misconfigured("the table refuses PutItem: grant it"), False), (Unavailable("away"), True)]
)
def test_an_outcome_that_is_refused_is_written_again_only_where_that_can_help(
    backend: Any, error: Exception, tries: bool
) -> None:
    store, registry = Denying(backend.store, error), Registry([works])
    operations = Operations(store, backend.clock, registry, None)  # type: ignore[arg-type]
    backend.run(operations.start("works", None, "one"))
    worker = StepHandler(store, backend.queue, backend.clock, registry, Runner())
    with pytest.raises(type(error)):
        backend.run(worker.handle(Delivery(Message("step", "one", "work", 0), backend.clock.now())))
    assert (store.asked > 1) == tries
