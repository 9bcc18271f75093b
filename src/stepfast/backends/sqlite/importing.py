"""Puts executions that were recorded elsewhere into a file, where they begin nothing by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from stepfast.backends.sqlite import rows, writes
from stepfast.backends.sqlite.file import Transaction
from stepfast.backends.sqlite.read_only import ReadOnlyFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.data_keys import Keyring
from stepfast.engine.ports import Clock, Query
from stepfast.engine.sealed_reads import SealedReads
from stepfast.errors import ExecutionConflict
from stepfast.model import Event, Execution, OrderEntry, Snapshot
from stepfast.standing import Intervention

Recorded = tuple[Snapshot, Sequence[Event]]
"""An execution with all that is recorded of its current run, and what resumes have taken back."""


class WritesTo(Protocol):
    """A file, or the memory that stands for one in tests."""

    async def write(self, run: Callable[[Transaction], None]) -> None: ...


async def put_all(file: WritesTo, recorded: Sequence[Recorded], hand: Intervention) -> None:
    """Writes executions, all of them or none. ExecutionConflict where the file has one of them.

    One that is RUNNING is PAUSED in the file, by this intervention, and its children with it: what a worker elsewhere
    is doing must not be done here as well, until somebody unpauses it. Nobody waits for a key of its singleton.
    """

    def put(tx: Transaction) -> None:
        for snapshot, history in recorded:
            _put(tx, snapshot, history, hand)

    await file.write(put)


def _put(tx: Transaction, snapshot: Snapshot, history: Sequence[Event], hand: Intervention) -> None:
    execution, id = _at_rest(snapshot.execution, hand), snapshot.execution.execution_id
    if not tx.put(rows.execution_write(execution)):
        raise ExecutionConflict(f"the file has an execution {id!r} already: name another file")
    for record in snapshot.records.values():
        tx.put(rows.record_write(id, replace(record, revision=1)))  # the first write of it in this file
    cursor = snapshot.cursor
    if cursor.applied:
        # A message that was sent elsewhere is not under way here, so nothing is marked as sent.
        writes.append(tx, id, OrderEntry(0, cursor.generation, applied=cursor.applied))
    total = 0
    for number, signal in enumerate(snapshot.signals, start=1):
        total += len(signal.payload.encode())
        tx.put(rows.signal_write(id, signal, signal.number or number, total))
    writes.add_history(tx, id, history)


def _at_rest(execution: Execution, hand: Intervention) -> Execution:
    execution = replace(execution, start=None)
    if execution.status != "RUNNING":
        return execution
    parent = execution.link.parent if execution.link is not None and execution.is_child else None
    cleanup = execution.intervention.cleanup if execution.intervention is not None else None
    return replace(execution, status="PAUSED", intervention=replace(hand, parent=parent, cleanup=cleanup))


def recorded_in(path: Path, clock: Clock) -> Iterator[Recorded]:
    """The executions of a file, newest first, which may be in use. StartupError where there is no file of ours."""
    backend = SqliteBackend(ReadOnlyFile(path), clock)
    store = SealedReads(backend, Keyring(clock, hint="copy it with `stepfast pull`, which opens what is encrypted"))
    try:
        query = Query(limit=200, values=False)
        while True:
            page = asyncio.run(store.page(query))
            for listed in page.executions:
                snapshot = asyncio.run(store.load(listed.execution_id))
                if snapshot is not None:
                    yield snapshot, asyncio.run(store.history(snapshot.execution.run_id))
            if page.next is None:
                return
            query = replace(query, cursor=page.next)
    finally:
        backend.close()
