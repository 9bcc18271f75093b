"""Files that earlier versions wrote: they open, nothing in them is lost, and every execution goes on to its end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stepfast.backends.sqlite import schema
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.read_only import ReadOnlyFile
from stepfast.errors import StartupError
from tests.local.conftest import Embedded
from tests.upgrade import workflows
from tests.upgrade.workflows import LONG, mended

FOLDER = Path(__file__).parent
RESULTS = {
    "failed": "4",
    "failed-again": "6",
    "sleeps": "8",
    "retries": "10",
    "blocked": "12",
    "many": "[14,7,16]",
    "compensates": '"yes"',
    "waits": f'"yes {1 + len(LONG)}"',
}


@pytest.fixture(params=[3])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file as that version of the schema left it."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((FOLDER / f"schema-{request.param}.sql").read_text())
    return path


@pytest.fixture
def goes_on(old: Path) -> Iterator[Embedded]:
    mended.set()
    made = Embedded(old, *workflows.ALL)
    yield made
    made.runtime.close()
    mended.clear()


def everything(path: Path, texts: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    """The rows of an old file's tables, read with the columns and by the SQL named."""
    with closing(sqlite3.connect(path)) as db:
        return {table: sorted(db.execute(text).fetchall(), key=repr) for table, text in texts.items()}


def test_nothing_of_an_old_file_is_lost_or_changed(old: Path) -> None:
    with closing(sqlite3.connect(old)) as db:
        columns = {
            table: [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
            for (table,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
        }
    before = everything(old, {table: f"SELECT {', '.join(names)} FROM {table}" for table, names in columns.items()})
    SqliteFile(old).close()

    def now(table: str, name: str) -> str:
        if name not in ("input", "result", "output", "payload"):
            return name
        held = f"(SELECT value FROM large_values AS v WHERE v.execution_id = {table}.execution_id AND digest = {name})"
        return f"CASE typeof({name}) WHEN 'blob' THEN {held} ELSE {name} END"

    texts = {
        table: f"SELECT {', '.join(now(table, one) for one in names)} FROM {table}" for table, names in columns.items()
    }
    # The order that stood in a cursor is the first entry of the order's log, which cuts off all before it.
    cursors = texts.pop("cursors").replace("revision", "'...'").replace("FROM cursors", "FROM orders WHERE cut = 0")
    orders = everything(old, {"cursors": cursors})["cursors"]
    place = columns["cursors"].index("revision")
    assert orders == sorted(
        (tuple("..." if n == place else v for n, v in enumerate(row)) for row in before.pop("cursors")), key=repr
    )
    assert everything(old, texts) == before
    assert before["executions"]
    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) > 0 FROM large_values").fetchone() == (1,)


def test_every_execution_of_an_old_file_goes_on_to_its_end(goes_on: Embedded) -> None:
    assert goes_on.read("done").result == '"' + "a" * 9_000 + LONG + '"'
    assert goes_on.read("cancelled").status == "CANCELLED"
    for id in ("failed", "failed-again"):
        assert goes_on.read(id).status == "FAILED"
        goes_on.runtime.call(goes_on.operations.resume(id))
    for id in ("waits", "compensates"):
        goes_on.runtime.call(goes_on.operations.signal(id, "go", "yes"))
    results = {id: goes_on.ends("SUCCEEDED", id=id).result for id in RESULTS}
    assert results == RESULTS


def test_an_upgraded_file_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    for path in (old, tmp_path / "new.db"):
        SqliteFile(path).close()
    text = "SELECT type, name, replace(replace(sql, '\"', ''), '  ', ' ') FROM sqlite_master ORDER BY 1, 2"
    held = [everything(path, {"all": text})["all"] for path in (old, tmp_path / "new.db")]
    assert held[0] == held[1]


def test_an_upgrade_that_is_cut_off_leaves_the_file_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(old, {"all": "SELECT name, sql FROM sqlite_master"})
    broken = schema.STEPS | {3: schema.STEPS[3] + "INSERT INTO missing VALUES (1);"}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", broken)
        with pytest.raises(StartupError, match="cannot use .* as a stepfast database"):
            SqliteFile(old)
    assert everything(old, {"all": "SELECT name, sql FROM sqlite_master"}) == before
    SqliteFile(old).close()


def test_the_space_that_an_upgrade_frees_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((FOLDER / "schema-3.sql").read_text())
        row = db.execute("SELECT * FROM executions WHERE execution_id = 'done'").fetchone()
        places = ", ".join("?" * len(row))
        for number in range(200):
            long = f'"{number} {"x" * 50_000}"'
            db.execute(f"INSERT INTO executions VALUES ({places})", (f"done-{number}", *row[1:4], long, *row[5:]))
        db.commit()
    SqliteFile(path).close()
    upgraded = path.stat().st_size
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO large_values VALUES ('new', x'00', 0, ?)", ("y" * 5_000_000,))
        db.commit()
    assert path.stat().st_size == upgraded


def test_who_only_reads_an_old_file_is_told_how_it_is_brought_up_to_date(old: Path) -> None:
    with pytest.raises(StartupError, match="written by an earlier stepfast: start `stepfast dev` on it"):
        ReadOnlyFile(old)
