"""Where recorded executions are read from: a file, the API of a deployment, or its table. All of them only read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from stepfast.cli.run_pages import earlier_runs
from stepfast.client import Client
from stepfast.engine import recorded_json
from stepfast.engine.ports import Query
from stepfast.engine.recorded_runs import RecordedExecution, RecordedRun, recorded_execution
from stepfast.errors import ExecutionNotFound, StartupError, Unavailable
from stepfast.model import Snapshot

PAGE_IDS = 200
READ_TRIES = 5
"""How often an execution is read that goes on while its pages are read."""


class RecordedSource(Protocol):
    """Reads executions. Several threads may call it."""

    def ids(self, query: Query) -> Iterator[str]:
        """The ids of executions that the query takes, newest first, children among them."""

    def load(self, execution_id: str) -> Snapshot:
        """All that is recorded of the current run. Raises ExecutionNotFound, Unavailable and Misconfigured."""

    def recorded(self, execution_id: str, most: int) -> RecordedExecution:
        """The same with what resumes have taken back, and with its latest earlier runs, so many at most."""

    def close(self) -> None:
        """Ends what was opened."""


class ApiSource:
    """The API of a deployment, with a key that may read."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ids(self, query: Query) -> Iterator[str]:
        cursor = None
        while True:
            page = self._client.list(
                query.workflow, query.status, query.labels, query.since, limit=PAGE_IDS, cursor=cursor, largest=0
            )
            yield from (str(execution["execution_id"]) for execution in page["executions"])
            cursor = page["next"]
            if cursor is None:
                return

    def load(self, execution_id: str) -> Snapshot:
        return self._read(execution_id).snapshot

    def recorded(self, execution_id: str, most: int) -> RecordedExecution:
        current = self._read(execution_id)
        earlier: list[RecordedRun] = []
        for run in earlier_runs(self._client.execution(execution_id), current.snapshot.execution.run, most):
            with suppress(ExecutionNotFound):  # It has expired meanwhile.
                earlier.append(self._read(execution_id, run["run"]))
        return RecordedExecution(current, earlier[::-1])

    def close(self) -> None:
        self._client.close()

    def _read(self, execution_id: str, run: int | None = None) -> RecordedRun:
        for _ in range(READ_TRIES):
            if (read := self._try(execution_id, run)) is not None:
                return read
        raise Unavailable(f"execution {execution_id!r} has gone on each time that it was read")

    def _try(self, execution_id: str, run: int | None) -> RecordedRun | None:
        """Reads all pages once; None where they are not of one run and generation."""
        parts: dict[str, list[dict[str, Any]]] = {"records": [], "signals": [], "history": []}
        cursor, first = None, None
        while True:
            page = self._client.recording(execution_id, cursor, run)
            first = first or page
            if (page["run"], page["generation"]) != (first["run"], first["generation"]):
                return None
            self._fill(execution_id, page, run)
            for name, rows in parts.items():
                rows += page[name]
            cursor = page["next"]
            if cursor is None:
                break
        records = [recorded_json.record_from(values) for values in parts["records"]]
        snapshot = Snapshot(
            recorded_json.execution_from(page["execution"] or {}),
            recorded_json.order_from(page["order"] or {}),
            {record.id: record for record in records},
            tuple(recorded_json.signal_from(values) for values in parts["signals"]),
        )
        return RecordedRun(snapshot, [recorded_json.event_from(values) for values in parts["history"]])

    def _fill(self, execution_id: str, page: Mapping[str, Any], run: int | None) -> None:
        """Reads the values that were too large for the page, and puts them into it."""
        by_id = {values["id"]: values for values in page["records"]}
        for large in page["large"]:
            text = self._client.recorded_value(execution_id, large["name"], large["command"], run)
            (page["execution"] if large["command"] is None else by_id[large["command"]])[large["name"]] = text


class TableSource:
    """The table of a deployment and its bucket, with AWS credentials that may read them."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def ids(self, query: Query) -> Iterator[str]:
        while True:
            ids, following = self._store.ids(query)
            yield from ids
            if following is None:
                return
            query = replace(query, cursor=following)

    def load(self, execution_id: str) -> Snapshot:
        return _loaded(self._store, execution_id)

    def recorded(self, execution_id: str, most: int) -> RecordedExecution:
        return _all_of(self._store, execution_id, most)

    def close(self) -> None:
        """There is nothing to close: connections end with the process."""


def of_table(table: str, bucket: str | None, region: str | None) -> TableSource:
    """The table of a deployment. bucket: by default what STEPFAST_BUCKET says. StartupError without boto3 or region."""
    from stepfast.functions.clients import Clients

    clients = Clients(region)
    client = clients.dynamodb
    from stepfast.backends.aws.s3 import S3Blobs
    from stepfast.backends.dynamodb.read_only import NoBucket, ReadOnlyStore
    from stepfast.backends.dynamodb.sealed import SealedTable
    from stepfast.functions.encryption import reading_keyring
    from stepfast.local.runtime import SystemClock

    if not table.strip():
        raise StartupError("name the table: --table, or STEPFAST_TABLE; the stack's output TableName has it")
    name = (bucket or os.environ.get("STEPFAST_BUCKET") or "").strip()
    blobs = S3Blobs(lambda: clients.s3, name) if name else NoBucket()
    clock = SystemClock()
    store = ReadOnlyStore(client, table.strip(), blobs, clock, listing_shards=_shards())
    return TableSource(SealedTable(store, reading_keyring(clients, clock, os.environ.get("STEPFAST_KEY_TABLE", ""))))


def _shards() -> int:
    held = os.environ.get("STEPFAST_LISTING_SHARDS", "8")
    if not held.isdecimal() or not int(held):
        raise StartupError(f"STEPFAST_LISTING_SHARDS is a number of shards, not {held!r}")
    return int(held)


class FileSource:
    """A stepfast file, which may be in use."""

    def __init__(self, path: Path) -> None:
        from stepfast.local.encryption import FileReader

        self._store = FileReader(path)

    def ids(self, query: Query) -> Iterator[str]:
        while True:
            page = asyncio.run(self._store.page(replace(query, values=False)))
            yield from (execution.execution_id for execution in page.executions)
            if page.next is None:
                return
            query = replace(query, cursor=page.next)

    def load(self, execution_id: str) -> Snapshot:
        return _loaded(self._store, execution_id)

    def recorded(self, execution_id: str, most: int) -> RecordedExecution:
        return _all_of(self._store, execution_id, most)

    def close(self) -> None:
        self._store.close()


def _all_of(store: Any, execution_id: str, most: int) -> RecordedExecution:
    recorded = asyncio.run(recorded_execution(store, execution_id, most))
    if recorded is None:
        raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
    return recorded


def _loaded(store: Any, execution_id: str) -> Snapshot:
    snapshot: Snapshot | None = asyncio.run(store.load(execution_id))
    if snapshot is None:
        raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
    return snapshot
