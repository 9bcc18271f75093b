"""What the owner of a file knows of records without reading the file."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stepfast.backends.sqlite import changes
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.ports import Commit, End
from stepfast.model import Execution, Record
from tests.contract.clock import FixedClock

ONE = Execution("one", "work", "1", 1000.0)
CLAIMED = Record("charge", "step", "charge", "STARTED", 0, revision=1, attempt=1)


class Owner:
    """A file with one execution, and the statements that its one reader has run."""

    def __init__(self, path: Path) -> None:
        self.backend = SqliteBackend(SqliteFile(path), FixedClock())
        self.read: list[str] = []
        self.backend._file._reader().set_trace_callback(self.read.append)

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(call)

    def begin(self, execution: Execution = ONE) -> None:
        """As an advance does that finds the execution without a replay of it."""
        self.run(self.backend.create(execution))
        self.run(self.backend.changes(execution.execution_id))

    def peeked(self, command: str = "charge", run_id: str = "one") -> tuple[Record | None, bool]:
        """The record as a worker sees it, and whether a row of the file was looked for."""
        self.read.clear()
        _, record = self.run(self.backend.peek(run_id, command))
        return record, any("FROM commands WHERE" in statement for statement in self.read)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path / "a.db")
    yield made
    made.backend.close()


def test_of_an_execution_that_began_without_records_a_missing_record_is_known_without_a_read(owner: Owner) -> None:
    owner.begin()
    assert owner.peeked() == (None, False)
    assert owner.run(owner.backend.commit("one", Commit(CLAIMED, wake=True)))
    assert owner.peeked() == (CLAIMED, True)
    assert owner.peeked("other") == (None, False)


def test_records_of_all_writes_are_known(owner: Owner) -> None:
    owner.begin()
    assert owner.run(owner.backend.report("one", replace(CLAIMED, id="reported"), 0))
    assert owner.peeked("reported")[0] is not None
    taken_back = replace(CLAIMED, id="taken-back", status="CANCELLED")
    cancelled = replace(ONE, status="CANCELLED", ended_at=2000.0)
    assert owner.run(owner.backend.cancel(End(cancelled), [taken_back]))
    assert owner.peeked("taken-back")[0] == taken_back


def test_a_record_from_before_the_first_read_is_read(owner: Owner) -> None:
    owner.run(owner.backend.create(ONE))
    assert owner.run(owner.backend.commit("one", Commit(CLAIMED, wake=True)))
    owner.run(owner.backend.changes("one"))
    assert owner.peeked() == (CLAIMED, True)
    assert owner.peeked("other") == (None, True)


def test_a_write_between_the_read_and_its_note_is_known() -> None:
    known = changes.Changes()
    mark, _ = known.since("one", None)
    known.note("one", CLAIMED)
    known.note_empty("one", mark)
    assert not known.lacks("one", "charge")
    assert known.lacks("one", "other")


def test_nothing_is_known_where_a_log_was_dropped_between_the_read_and_its_note() -> None:
    known = changes.Changes()
    mark, _ = known.since("one", None)
    known.note("one", CLAIMED)
    known.forget("one")
    known.note_empty("one", mark)
    assert not known.lacks("one", "charge")
    assert not known.lacks("one", "other")


def test_what_was_dropped_for_want_of_room_is_read(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_KEPT_RECORDS", 3)
    owner.begin()
    assert owner.run(owner.backend.commit("one", Commit(CLAIMED, wake=True)))
    for number in range(3):
        owner.begin(replace(ONE, execution_id=f"later-{number}"))
    assert owner.peeked() == (CLAIMED, True)
    assert owner.peeked("other") == (None, True)
    assert owner.peeked("other", "later-2") == (None, False)


def test_what_has_changed_is_read_where_empty_logs_have_taken_the_room(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MAX_KEPT_RECORDS", 3)
    owner.begin()
    mark = owner.run(owner.backend.changes("one")).mark
    assert owner.run(owner.backend.commit("one", Commit(CLAIMED, wake=True)))
    for number in range(3):
        owner.begin(replace(ONE, execution_id=f"later-{number}"))
    assert owner.run(owner.backend.changes("one", mark)).snapshot.records == {"charge": CLAIMED}


def test_another_owner_knows_of_nothing_before_it_has_read(tmp_path: Path) -> None:
    first = Owner(tmp_path / "a.db")
    first.begin()
    assert first.run(first.backend.commit("one", Commit(replace(CLAIMED, status="SUCCEEDED", output="1"), wake=True)))
    first.backend.close()
    second = Owner(tmp_path / "a.db")
    assert second.peeked("other") == (None, True)
    second.run(second.backend.changes("one"))
    assert second.peeked("other") == (None, True)
    assert second.peeked()[0] is not None
    second.backend.close()
