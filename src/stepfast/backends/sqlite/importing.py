"""Puts executions that were recorded elsewhere into a file, where they begin nothing by themselves."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from stepfast.backends.sqlite import label_rows, rows, runs, writes
from stepfast.backends.sqlite.read_only import ReadOnlyFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.data_keys import Keyring
from stepfast.engine.ports import Clock, NextRun, Query
from stepfast.engine.recorded_runs import RecordedExecution, RecordedRun, recorded_execution
from stepfast.engine.sealed_reads import SealedReads
from stepfast.errors import ExecutionConflict
from stepfast.model import Execution, OrderEntry
from stepfast.standing import Intervention


class WritesTo(Protocol):
    """A file, or the memory that stands for one in tests."""

    async def write(self, run: Callable[[Transaction], None]) -> None: ...


async def put_all(file: WritesTo, recorded: Sequence[RecordedExecution], hand: Intervention) -> None:
    """Writes executions with their earlier runs, all or none. ExecutionConflict where the file has one of them.

    One that is RUNNING is PAUSED in the file, by this intervention, and its children with it: what a worker elsewhere
    is doing must not be done here as well, until somebody unpauses it. Nobody waits for a key of its singleton.
    """

    def put(tx: Transaction) -> None:
        for execution in recorded:
            _put(tx, execution, hand)

    await file.write(put)


def _put(tx: Transaction, recorded: RecordedExecution, hand: Intervention) -> None:
    execution, steps = _at_rest(recorded.execution, hand), list(recorded.runs)
    first = execution if len(steps) == 1 else _under_way(execution, steps[0].snapshot.execution)
    if not tx.put(rows.execution_write(first)):
        raise ExecutionConflict(f"the file has an execution {execution.execution_id!r} already: name another file")
    label_rows.add(tx, execution, execution.labels.items())
    for run, following in itertools.pairwise(steps):
        _put_run(tx, run)
        taken = [signal.signal_id for signal in run.snapshot.signals]
        begun = _under_way(execution, following.snapshot.execution)
        runs.turn(tx, NextRun(begun, run.snapshot.execution, taken))
    _put_run(tx, steps[-1])
    if first is not execution:
        tx.put(rows.status_write(execution, "RUNNING", execution.generation))


def _under_way(execution: Execution, run: Execution) -> Execution:
    """The execution as it was in one of its runs, which a turn ends or the status of now."""
    return replace(
        execution,
        status="RUNNING",
        result=None,
        error=None,
        causes=(),
        ended_at=None,
        intervention=None,
        **{name: getattr(run, name) for name in _OF_A_RUN},
    )


_OF_A_RUN = ("input", "generation", "first_generation", "resumed_at", "progress", "run", "began_at")


def _put_run(tx: Transaction, run: RecordedRun) -> None:
    """Writes what is recorded of a run, which is the current one of the file at this moment."""
    snapshot, id = run.snapshot, run.snapshot.execution.execution_id
    for record in snapshot.records.values():
        tx.put(rows.record_write(id, replace(record, revision=1)))  # the first write of it in this file
    cursor = snapshot.cursor
    if cursor.applied:
        # A message that was sent elsewhere is not under way here, so nothing is marked as sent.
        writes.append(tx, id, OrderEntry(0, cursor.generation, applied=cursor.applied))
    total = 0
    for number, signal in enumerate(snapshot.signals, start=1):
        # Numbers of a table go on from run to run. In a file they start at 1, so that its limits count one run alone.
        total += len(signal.payload.encode())
        tx.put(rows.signal_write(id, signal, number, total))
    writes.add_history(tx, id, run.history)


def _at_rest(execution: Execution, hand: Intervention) -> Execution:
    execution = replace(execution, start=None)
    if execution.status != "RUNNING":
        return execution
    parent = execution.link.parent if execution.link is not None and execution.is_child else None
    cleanup = execution.intervention.cleanup if execution.intervention is not None else None
    return replace(execution, status="PAUSED", intervention=replace(hand, parent=parent, cleanup=cleanup))


def recorded_in(path: Path, clock: Clock) -> Iterator[RecordedExecution]:
    """The executions of a file, newest first, which may be in use. StartupError where there is no file of ours."""
    backend = SqliteBackend(ReadOnlyFile(path), clock)
    store = SealedReads(backend, Keyring(clock, hint="copy it with `stepfast pull`, which opens what is encrypted"))
    try:
        query = Query(limit=200, values=False)
        while True:
            page = asyncio.run(store.page(query))
            for listed in page.executions:
                execution = asyncio.run(recorded_execution(store, listed.execution_id))
                if execution is not None:
                    yield execution
            if page.next is None:
                return
            query = replace(query, cursor=page.next)
    finally:
        backend.close()
