"""Executions with all that is recorded of them, earlier runs among it: what is copied from one store into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from stepfast.model import Event, Execution, Snapshot
from stepfast.records import dataclass

RUNS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """All that is recorded of a run. history: what its resumes have taken back."""

    snapshot: Snapshot
    history: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class RecordedExecution:
    """The current run of an execution, and those of its earlier ones that are kept, the oldest first."""

    current: RecordedRun
    earlier: Sequence[RecordedRun] = ()

    @property
    def execution(self) -> Execution:
        return self.current.snapshot.execution

    @property
    def runs(self) -> Iterator[RecordedRun]:
        yield from self.earlier
        yield self.current


class ReadsRuns(Protocol):
    """What is read of a store."""

    async def load(self, execution_id: str) -> Snapshot | None: ...

    async def history(self, run_id: str) -> list[Event]: ...

    async def runs(self, execution_id: str, limit: int, before: int | None = None) -> Sequence[Execution]: ...

    async def load_run(self, execution_id: str, run: int) -> Snapshot | None: ...

    async def run_history(self, execution_id: str, run: int) -> list[Event]: ...


async def recorded_execution(store: ReadsRuns, execution_id: str, most: int | None = None) -> RecordedExecution | None:
    """An execution with the latest of its earlier runs, all or at most so many; None where there is no such one."""
    snapshot = await store.load(execution_id)
    if snapshot is None:
        return None
    current = RecordedRun(snapshot, await store.history(snapshot.execution.run_id))
    earlier: list[RecordedRun] = []
    before = snapshot.execution.run
    while before > 1 and (most is None or len(earlier) < most):
        limit = RUNS_AT_ONCE if most is None else min(RUNS_AT_ONCE, most - len(earlier))
        page = await store.runs(execution_id, limit, before)
        if not page:
            break
        for run in page:
            kept = await store.load_run(execution_id, run.run)
            if kept is not None:  # else it has expired meanwhile
                earlier.append(RecordedRun(kept, await store.run_history(execution_id, run.run)))
        before = page[-1].run
    return RecordedExecution(current, earlier[::-1])
