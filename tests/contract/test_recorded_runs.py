"""Recordings of earlier runs, in both homes: what a reader of pages gets, and what a copy in a file holds of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.importing import put_all
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine import recordings
from stepfast.engine.ports import Query
from stepfast.engine.recorded_runs import recorded_execution
from stepfast.errors import ExecutionNotFound, InvalidRequest
from stepfast.model import Signal
from stepfast.standing import Intervention
from stepfast.stored_text import text_of
from tests.contract.clock import FixedClock
from tests.contract.test_run_retention import three_runs
from tests.contract.test_runs_contract import DONE, LARGE, TAKEN


@pytest.fixture
def store(backend: Any) -> Any:
    three_runs(backend)
    return backend.store


def pages(backend: Any, store: Any, run: int) -> Iterator[recordings.RecordingPage]:
    cursor = None
    while True:
        page = backend.run(recordings.page(store, "one", cursor, run))
        yield page
        cursor = page.next
        if cursor is None:
            return


@pytest.mark.parametrize("room", [2_000_000, 0])
def test_the_pages_of_an_earlier_run_have_all_of_it(
    backend: Any, store: Any, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "PAGE_BYTES", room)
    monkeypatch.setattr(recordings, "RECORDS", 1000 if room else 1)
    read = list(pages(backend, store, 1))
    assert len(read) == 1 if room else len(read) > 4, "small ones need no more than one answer"
    assert {(page.run, page.generation) for page in read} == {(1, 0)}
    assert {record.id: record for page in read for record in page.records} == {"poll": DONE, "signal:go": TAKEN}
    assert [signal.signal_id for page in read for signal in page.signals] == ["first"]
    assert (read[-1].execution, read[-1].order) == (
        backend.run(store.load_run("one", 1)).execution,
        backend.run(store.load_run("one", 1)).cursor,
    )
    assert read[-1].execution is not None
    assert read[-1].execution.continued


def test_a_large_value_of_an_earlier_run_is_read_by_itself(backend: Any, store: Any) -> None:
    piece = backend.run(recordings.value(store, "one", "poll", "output", 0, 2))
    assert piece.text == LARGE
    assert backend.run(recordings.value(store, "one", None, "input", 1, 2)).text == LARGE[1:]
    with pytest.raises(InvalidRequest):
        backend.run(recordings.value(store, "one", None, "result", 0, 2))


def test_a_run_that_is_not_kept_is_said_so(backend: Any, store: Any) -> None:
    for run in (4, 99):
        with pytest.raises(ExecutionNotFound, match=f"run {run}"):
            backend.run(recordings.page(store, "one", None, run))
        with pytest.raises(ExecutionNotFound, match=f"run {run}"):
            backend.run(recordings.value(store, "one", "poll", "output", 0, run))
    assert backend.run(recordings.page(store, "one", None, 3)).run == 3


def test_a_copy_in_a_file_has_the_runs_and_the_signals_that_they_took(backend: Any, store: Any, tmp_path: Path) -> None:
    backend.run(store.add_signal("one", Signal("later", "go", "2", 9.0)))
    recorded = backend.run(recorded_execution(store, "one"))
    latest = backend.run(recorded_execution(store, "one", 1))
    assert [run.snapshot.execution.run for run in latest.earlier] == [2]
    copy = SqliteBackend(SqliteFile(tmp_path / "copy.db"), FixedClock())
    hand = Intervention("pause", 20.0, why="a copy")
    asyncio.run(put_all(copy._file, [recorded], hand))
    execution = asyncio.run(copy.read("one"))
    assert execution is not None
    assert execution == replace(backend.run(store.read("one")), status="PAUSED", intervention=hand, start=None)
    assert [run.run for run in asyncio.run(copy.runs("one", 10))] == [2, 1]
    for run in (1, 2):
        held, there = asyncio.run(copy.load_run("one", run)), backend.run(store.load_run("one", run))
        assert held is not None
        assert held.execution == replace(there.execution, intervention=hand, start=None)
        by_id = {id: replace(record, output=text_of(record.output)) for id, record in there.records.items()}
        assert held.records == {id: replace(record, revision=1) for id, record in by_id.items()}
        assert (held.cursor.applied, held.signals) == (there.cursor.applied, there.signals)
        assert asyncio.run(copy.run_history("one", run)) == backend.run(store.run_history("one", run))
    taken = asyncio.run(copy.signal("one", "first"))
    assert taken is not None
    assert (taken.run, taken.payload) == (1, "1")
    again = Signal("first", "go", "another", 30.0)
    assert asyncio.run(copy.add_signal("one", again)).payload == "1", "it was taken, and is not put again"
    assert [signal.signal_id for signal in asyncio.run(copy.signals(execution.run_id))] == ["later"]
    found = asyncio.run(copy.page(Query(labels=dict(execution.labels), limit=10)))
    assert [each.execution_id for each in found.executions] == ["one"]
    copy.close()
