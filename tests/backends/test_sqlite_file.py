"""The SQLite file itself: one owner, shared commits, and what happens when the disk or the file is bad."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.schema import SCHEMA_VERSION
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.metrics import Tally
from stepfast.engine.ports import Commit, End
from stepfast.errors import Misconfigured, StartupError, TooManySignals, Unavailable
from stepfast.model import Execution, OrderEntry, Record, Signal, SignalLimits
from tests.contract.clock import FixedClock


def put(tx: Transaction, id: str) -> None:
    tx.execute("INSERT INTO wakes (execution_id) VALUES (?)", (id,))


def held(file: SqliteFile) -> list[str]:
    with file.reading() as db:
        return [one for (one,) in db.execute("SELECT execution_id FROM wakes ORDER BY 1")]


def test_a_second_owner_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    first = SqliteFile(tmp_path / "a.db")
    with pytest.raises(StartupError, match="in use by another stepfast.*--db"):
        SqliteFile(tmp_path / "a.db")
    first.close()
    SqliteFile(tmp_path / "a.db").close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    SqliteFile(tmp_path / "a.db").close()
    with closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(StartupError, match="newer stepfast.*upgrade"):
        SqliteFile(tmp_path / "a.db")
    db = sqlite3.connect(tmp_path / "a.db")
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    db.close()


def test_a_file_that_is_no_stepfast_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but long enough to be looked at " * 100)
    with pytest.raises(StartupError, match="cannot use"):
        SqliteFile(tmp_path / "text.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as db, db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    with pytest.raises(StartupError, match="something else"):
        SqliteFile(tmp_path / "other.db")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot use"):
        SqliteFile(tmp_path / "file" / "a.db")


def test_writes_that_wait_together_share_a_commit(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "a.db")
    commits: set[int] = set()

    def write(tx: Transaction) -> None:
        put(tx, "x")
        commits.add(id(tx))

    async def many() -> None:
        await asyncio.gather(*(file.write(write) for _ in range(200)))

    asyncio.run(many())
    assert len(held(file)) == 200
    assert len(commits) < 100
    file.close()


def test_a_write_that_fails_takes_no_other_down_with_it(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "a.db")

    def bad(tx: Transaction) -> None:
        put(tx, "half")
        raise ValueError("a bug in one write")

    async def together() -> list[object]:
        writes = [file.write(partial(put, id=str(number))) for number in range(5)]
        return await asyncio.gather(*writes[:3], file.write(bad), *writes[3:], return_exceptions=True)

    results = asyncio.run(together())
    assert [type(one) for one in results] == [type(None)] * 3 + [ValueError] + [type(None)] * 2
    assert held(file) == ["0", "1", "2", "3", "4"]
    file.close()


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.errors import Unavailable

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = SqliteFile(Path(sys.argv[1]))
written = []

async def fill():
    limit = 400_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        for number in range(10_000):
            row = (str(number) * 50,)
            await file.write(lambda tx: tx.execute("INSERT INTO wakes (execution_id) VALUES (?)", row))
            written.append(number)
    except Unavailable as error:
        print("refused:", error, file=sys.stderr)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    await file.write(lambda tx: tx.execute("INSERT INTO wakes (execution_id) VALUES ('after')"))

asyncio.run(fill())
with file.reading() as db:
    print(len(written), db.execute("SELECT count(*) FROM wakes").fetchone()[0])
file.close()
"""


def test_a_full_disk_refuses_writes_and_loses_none_that_were_promised(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.db")], capture_output=True, text=True, check=True
    )
    promised, stored = map(int, done.stdout.split())
    assert "refused: the database failed" in done.stderr
    assert 0 < promised < 10_000
    assert stored == promised + 1


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_file_deleted_beneath_its_owner_takes_no_more_writes_until_it_is_back(tmp_path: Path) -> None:
    path, aside = tmp_path / "a.db", tmp_path / "aside.db"
    file = SqliteFile(path)
    asyncio.run(file.write(partial(put, id="before")))
    path.rename(aside)
    with pytest.raises(Misconfigured, match="deleted or replaced.*start it again"):
        asyncio.run(file.write(partial(put, id="deleted")))
    path.touch()  # as another process makes it anew
    with pytest.raises(Misconfigured, match="deleted or replaced"):
        asyncio.run(file.write(partial(put, id="replaced")))
    aside.rename(path)
    asyncio.run(file.write(partial(put, id="back")))
    assert held(file) == ["back", "before"]
    file.close()


def test_reading_a_file_that_breaks_is_unavailable(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "a.db")
    with pytest.raises(Unavailable, match="cannot be read"), file.reading() as db:
        db.execute("SELECT * FROM missing")
    assert held(file) == []
    file.close()


def test_signals_of_an_earlier_schema_are_numbered_as_they_were_received(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    script = (Path(__file__).parents[1] / "upgrade/schema-3.sql").read_text()
    old.executescript("".join(re.findall(r"CREATE .*?;\n", script, re.DOTALL)) + "PRAGMA user_version = 3;")
    old.execute(
        "INSERT INTO executions (execution_id, workflow, status, generation, input, created_at) "
        "VALUES ('one', 'w', 'RUNNING', 0, 'null', 1000.0)"
    )
    for id, at in (("b", 3.0), ("c", 1.0), ("a", 3.0)):
        old.execute("INSERT INTO signals VALUES ('one', ?, 'go', '\"é\"', ?)", (id, at))
    old.close()
    backend = SqliteBackend(SqliteFile(tmp_path / "old.db"), FixedClock())
    found = asyncio.run(backend.signals("one"))
    assert [(one.signal_id, one.number, one.payload) for one in found] == [
        ("c", 1, '"é"'),
        ("a", 2, '"é"'),
        ("b", 3, '"é"'),
    ]
    with pytest.raises(TooManySignals):
        asyncio.run(backend.add_signal("one", Signal("d", "go", "1", 4.0), SignalLimits(10, 12)))
    assert asyncio.run(backend.add_signal("one", Signal("d", "go", "1", 0.5), SignalLimits(10, 13))).signal_id == "d"
    assert [one.signal_id for one in asyncio.run(backend.signals("one", after=2))] == ["b", "d"]
    backend.close()


def test_a_file_of_the_first_schema_is_read_and_goes_on(tmp_path: Path) -> None:
    """Executions of the first files had no time of resume, their records a column of changes; none were counted."""
    script = (Path(__file__).parents[1] / "upgrade/schema-3.sql").read_text()
    third = "".join(re.findall(r"CREATE .*?;\n", script, re.DOTALL))
    first = (
        re.sub(r"CREATE TABLE figures .*?;", "", third, flags=re.DOTALL)
        .replace(",\n    resumed_at REAL", "")
        .replace("attempts TEXT, PRIMARY", "attempts TEXT, changed, PRIMARY")
    )
    old = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    old.executescript(
        f"{first} CREATE INDEX changed_since ON commands (execution_id, changed); PRAGMA user_version = 1;"
    )
    old.execute(
        "INSERT INTO executions (execution_id, workflow, status, generation, input, created_at) "
        "VALUES ('one', 'w', 'RUNNING', 0, 'null', 1000.0)"
    )
    old.execute(
        "INSERT INTO commands "
        "(execution_id, id, kind, name, status, generation, revision, attempt, interrupted, changed) "
        "VALUES ('one', 'pay', 'step', 'pay', 'SUCCEEDED', 0, 2, 1, 0, 7)"
    )
    old.close()
    backend = SqliteBackend(SqliteFile(tmp_path / "old.db"), FixedClock())
    loaded = asyncio.run(backend.load("one"))
    assert loaded is not None
    assert (loaded.execution.resumed_at, loaded.execution.sent) == (None, None)
    assert loaded.records["pay"].revision == 2
    assert asyncio.run(backend.commit("one", Commit(replace(loaded.records["pay"], revision=3), wake=False)))
    ended = replace(loaded.execution, status="CANCELLED", ended_at=3600.0)
    assert asyncio.run(backend.cancel(End(ended, {"CANCELLED": Tally(1)}), []))
    assert asyncio.run(backend.figures("w", 0, 2)) == {1: {"CANCELLED": Tally(1)}}
    backend.close()
    with closing(sqlite3.connect(tmp_path / "old.db")) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_the_last_wake_of_a_commit_comes_when_all_that_was_written_with_it_is_known(tmp_path: Path) -> None:
    """An advance that follows it reads what has changed, and nothing else would tell it of the rest."""
    backend = SqliteBackend(SqliteFile(tmp_path / "a.db"), FixedClock())
    known: list[set[str]] = []

    async def write() -> None:
        await backend.create(Execution("one", "w", "null", 1000.0))
        held = await backend.changes("one")
        assert held is not None
        mark = held.mark
        backend.on_wake = lambda id, seq: known.append({one.id for one in backend._changes.since(id, mark)[1] or ()})
        records = [Record(id, "step", id, "SUCCEEDED", 0, output="1") for id in ("a", "b", "c")]
        assert all(await asyncio.gather(*(backend.commit("one", Commit(one, wake=True)) for one in records)))

    asyncio.run(write())
    backend.close()
    assert known == [{"a", "b", "c"}]  # one wake for all of them


def test_an_execution_that_is_deleted_and_started_again_in_one_commit_has_a_wake(tmp_path: Path) -> None:
    """The wake that the deleted execution had in this commit is deleted with it."""
    backend = SqliteBackend(SqliteFile(tmp_path / "a.db"), FixedClock())
    execution = Execution("one", "w", "null", 1000.0)
    ended = replace(execution, status="CANCELLED", ended_at=1001.0)

    async def write() -> None:
        await backend.create(execution)
        await asyncio.gather(
            backend.cancel(End(ended, wake=True), []),
            backend.erase(ended),
            backend.create(replace(execution, generation=1, first_generation=1)),
        )

    asyncio.run(write())
    assert "one" in backend.wakes()
    backend.close()


def test_a_peek_sees_what_was_committed_after_the_one_before(tmp_path: Path) -> None:
    backend = SqliteBackend(SqliteFile(tmp_path / "a.db"), FixedClock())

    async def look() -> tuple[str, int]:
        peeked = await backend.peek("one", "a")
        assert peeked is not None
        return peeked[0].status, len(await backend.entries("one"))

    async def write() -> None:
        execution = Execution("one", "w", "null", 1000.0)
        await backend.create(execution)
        assert await look() == ("RUNNING", 0)
        assert await look() == ("RUNNING", 0)
        await backend.append("one", OrderEntry(0, 0))
        assert await look() == ("RUNNING", 1)
        await backend.cancel(End(replace(execution, status="CANCELLED", ended_at=1001.0)), [], 1)
        assert await look() == ("CANCELLED", 2)

    asyncio.run(write())
    backend.close()


def test_posted_rows_are_written_in_their_order(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "a.db")
    put = "INSERT INTO labels VALUES ('key', ?, 1.0, 'one')"
    for value in ("a", "b", "c"):
        file.post_row(put, (value,))
    file.post_row("DELETE FROM labels WHERE value = ?", ("b",))
    file.post(lambda tx: tx.connection.execute("UPDATE labels SET execution_id = 'two'"))
    file.post_row(put, ("d",))
    file.flush()
    with file.reading() as db:
        rows = db.execute("SELECT value, execution_id FROM labels ORDER BY value").fetchall()
    file.close()
    assert rows == [("a", "two"), ("c", "two"), ("d", "one")]


def test_a_full_disk_is_one_line_of_the_log_and_passes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = SqliteFile(tmp_path / "dev.db")
    try:
        (pages,) = file._writer.execute("PRAGMA page_count").fetchone()
        file._writer.execute(f"PRAGMA max_page_count = {pages}")  # SQLite fails then as on a full disk
        for _ in range(200):
            with pytest.raises(Unavailable, match="database or disk is full"):
                asyncio.run(file.write(_one_megabyte))
        file._writer.execute("PRAGMA max_page_count = 1000000")
        asyncio.run(file.write(_one_megabyte))
    finally:
        file.close()
    assert caplog.messages == ["a write failed: database or disk is full"]


def _one_megabyte(tx: Transaction) -> None:
    tx.execute("INSERT INTO history VALUES (NULL, '', 0, '', NULL, zeroblob(1000000))")
