"""Executions in flight whose order is recorded as version 1 did, in one cursor: in the file and in the table."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

import stepfast
from stepfast import GiveUp, Retry, step, workflow
from stepfast.backends.aws import messages
from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.typed_json import number
from stepfast.engine.order import cursor_of
from stepfast.model import Cursor, OrderEntry, Snapshot
from stepfast.simulator import resources
from stepfast.testing import MotoCloud
from stepfast.testing.memory import finished
from tests.local.conftest import Embedded
from tests.waiting import until

IDS = ("waiting", "running", "failed", "cancelled")
mended = threading.Event()
ran: Counter[tuple[str, str]] = Counter()


@step
def double(number: int) -> int:
    context = stepfast.current_step()
    ran[context.execution_id, context.step_id] += 1
    return 2 * number


@step(retry=Retry(max_attempts=50, initial=0.2, backoff=1.0, jitter="none"))
def settle(how: str) -> str:
    if not mended.is_set():
        raise ConnectionError("away") if how == "retries" else GiveUp("not mended yet")
    return how


async def branch(number: int) -> int:
    return await double(await double(number))


async def check() -> str:
    return await settle(await stepfast.signal("check", str))


@workflow("parallel")
async def parallel() -> list[Any]:
    return list(await asyncio.gather(branch(1), branch(2), check(), stepfast.signal("go", str)))


class Home(Protocol):
    def start(self, workflow: str, input: Any, id: str) -> object: ...
    def signal(self, name: str, payload: Any, *, id: str) -> object: ...
    def cancel(self, id: str) -> object: ...
    def resume(self, id: str) -> object: ...
    def until(self, id: str, status: str, *recorded: str) -> None: ...
    def snapshot(self, id: str) -> Snapshot: ...
    def back_to_version_1(self) -> None: ...


def version_1(entries: Sequence[OrderEntry]) -> Cursor:
    """The cursor that version 1 would have: it knew no end of an order."""
    return cursor_of(entry for entry in entries if not entry.ended)


def stands(snapshot: Snapshot, status: str, recorded: Sequence[str]) -> bool:
    records = snapshot.records
    return snapshot.execution.status == status and all(id in records and records[id].recorded for id in recorded)


class FileHome(Embedded):
    def until(self, id: str, status: str, *recorded: str) -> None:
        until(lambda: stands(self.snapshot(id), status, recorded))

    def snapshot(self, id: str) -> Snapshot:
        return self.runtime.call(self.operations.load(id))

    def signal(self, name: str, payload: Any, signal_id: str | None = None, id: str = "one") -> Any:
        return super().signal(name, payload, signal_id, id)

    def back_to_version_1(self) -> None:
        """Version 5 of the file was the last with cursors."""
        backend = self.runtime._backend
        cursors = {id: version_1(self.runtime.call(backend.entries(id))) for id in IDS}
        self.runtime.close()
        with closing(sqlite3.connect(self.path)) as db:
            db.executescript(
                "DROP INDEX by_parent; ALTER TABLE executions DROP COLUMN parent; "
                "ALTER TABLE executions DROP COLUMN link; ALTER TABLE executions DROP COLUMN progress; "
                "ALTER TABLE commands DROP COLUMN children; "
                "DROP TABLE orders; CREATE TABLE cursors (execution_id TEXT PRIMARY KEY, applied TEXT NOT NULL, "
                "dispatched TEXT NOT NULL, generation INTEGER NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;"
                "DROP TABLE runs; DROP TABLE taken_signals; DROP TABLE limit_items; DROP TABLE limit_numbers; "
                "DROP TABLE schedules; DROP TABLE link_keys; DROP TABLE link_beats; "
                "DROP TABLE workflow_pauses; DROP TABLE held_starts; "
                "DROP TABLE status_changes; DROP TABLE webhook_deliveries; DROP TABLE audit; "
                "ALTER TABLE executions DROP COLUMN run; "
                "ALTER TABLE executions DROP COLUMN began_at; "
                "ALTER TABLE executions DROP COLUMN traceparent; ALTER TABLE executions DROP COLUMN intervention; "
                "ALTER TABLE executions DROP COLUMN forked; "
                "ALTER TABLE commands DROP COLUMN repair; ALTER TABLE commands DROP COLUMN waited; "
                "ALTER TABLE executions DROP COLUMN shown; ALTER TABLE commands DROP COLUMN progress; "
                "ALTER TABLE executions DROP COLUMN start; DROP TABLE start_holds; DROP TABLE start_lines; "
                "DROP TABLE start_answers; "
                "PRAGMA user_version = 5;"
            )
            for id, cursor in cursors.items():
                lists = json.dumps(cursor.applied), json.dumps(sorted(cursor.dispatched))
                row = (id, *lists, cursor.generation, cursor.revision)
                db.execute("INSERT INTO cursors VALUES (?, ?, ?, ?, ?)", row)
            db.commit()
        self.open()


class TableHome:
    """before: undone with the version; until then no message carries more than version 1 had sent."""

    def __init__(self, cloud: MotoCloud, before: pytest.MonkeyPatch) -> None:
        self._cloud, self._before = cloud, before
        before.setattr(messages, "MAX_INPUT", -1)
        self._store = cloud._stage.state.reading.store

    def start(self, workflow: str, input: Any, id: str) -> object:
        return self._cloud.start(parallel, execution_id=id)

    def signal(self, name: str, payload: Any, *, id: str) -> object:
        return self._cloud.signal(id, name, payload)

    def cancel(self, id: str) -> object:
        return self._cloud.cancel(id)

    def resume(self, id: str) -> object:
        return self._cloud.resume(id)

    def until(self, id: str, status: str, *recorded: str) -> None:
        for _ in range(10):
            if stands(self.snapshot(id), status, recorded):
                return
            self._cloud.advance(timedelta(seconds=2))
        raise AssertionError(self.snapshot(id))

    def snapshot(self, id: str) -> Snapshot:
        snapshot = finished(self._store.load(id))
        assert snapshot is not None
        return snapshot

    def back_to_version_1(self) -> None:
        self._before.undo()
        client = resources.client("dynamodb")
        for id in IDS:
            entries = finished(self._store.entries(id))
            cursor, first = version_1(entries), {"v": number(item_keys.FIRST_VERSION)}
            for entry in entries:
                client.delete_item(TableName="stepfast", Key=item_keys.key(id, item_keys.entry_sort(entry.number)))
            order = zlib.compress(json.dumps([cursor.applied, sorted(cursor.dispatched)]).encode())
            item = {"rev": number(cursor.revision), "gen": number(cursor.generation), "order": {"B": order}}
            meta = client.get_item(TableName="stepfast", Key=item_keys.key(id, item_keys.META))["Item"]
            head = item_keys.key(id, item_keys.CURSOR) | first | {"wrote": meta["wrote"]}
            client.put_item(TableName="stepfast", Item=head | item)
            client.put_item(TableName="stepfast", Item=meta | first)


@pytest.fixture(params=["file", "table"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    mended.clear()
    ran.clear()
    if request.param == "table":
        with MotoCloud(parallel) as cloud:
            yield TableHome(cloud, monkeypatch)
    else:
        made = FileHome(tmp_path / "old.db", parallel)
        yield made
        mended.set()
        made.runtime.close()


DOUBLES = ("branch/double", "branch/double#2", "branch#2/double", "branch#2/double#2")


def test_executions_go_on_with_the_half_of_an_order_that_version_1_has_recorded(home: Home) -> None:
    for id in IDS:
        home.start("parallel", None, id)
    for id in IDS:
        home.until(id, "RUNNING", *DOUBLES)
    home.signal("check", "fails", id="failed")
    home.signal("check", "retries", id="running")
    home.until("failed", "FAILED", "check/settle")
    home.until("running", "RUNNING", "check/signal:check")
    home.cancel("cancelled")
    home.back_to_version_1()
    before = {id: home.snapshot(id).cursor.applied for id in IDS}
    assert all({"branch/double", "branch#2/double"} <= set(applied) for applied in before.values()), before

    mended.set()
    home.resume("failed")
    home.signal("check", "waits", id="waiting")
    for id in ("waiting", "running", "failed"):
        home.signal("go", "gone", id=id)
    for id in ("waiting", "running", "failed"):
        home.until(id, "SUCCEEDED")
    snapshots = {id: home.snapshot(id) for id in IDS}
    results = {id: json.loads(snapshot.execution.result or "null") for id, snapshot in snapshots.items()}
    assert results == {
        "waiting": [4, 8, "waits", "gone"],
        "running": [4, 8, "retries", "gone"],
        "failed": [4, 8, "fails", "gone"],
        "cancelled": None,
    }
    assert snapshots["cancelled"].execution.status == "CANCELLED"
    for id in ("waiting", "running", "cancelled"):
        assert snapshots[id].cursor.applied[: len(before[id])] == before[id]
    assert set(ran.values()) == {1}, ran
