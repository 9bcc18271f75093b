"""Reads executions for a test's questions, and keeps the answers for the time after the test kit was closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from stepfast.engine.family import children_of
from stepfast.engine.history import history_of
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.recorded_runs import RecordedExecution, recorded_execution
from stepfast.errors import ExecutionNotFound
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.model import Event, Execution, Snapshot
from stepfast.replay.replay import Replay
from stepfast.testing.calls import Call, CallLog
from stepfast.testing.memory import finished


class Reading:
    """Where runs read their execution: the stage's store, and after `close` what was kept of it."""

    def __init__(self, calls: CallLog) -> None:
        self._calls = calls
        self._kept: dict[str, RecordedExecution] | None = None

    def connect(self, store: Store, clock: Clock, registry: Registry) -> None:
        """Reads this store from now on. Its coroutines must have nothing to wait for. A stage calls this first."""
        self.store, self._registry = store, registry
        self._operations = ReadOperations(store, clock, registry)

    @property
    def closed(self) -> bool:
        """True once only kept executions can be read."""
        return self._kept is not None

    def execution(self, execution_id: str) -> Execution:
        """The execution without its commands; ExecutionNotFound."""
        if self._kept is not None:
            return self._kept[execution_id].execution
        return finished(self._operations.read(execution_id))

    def snapshot(self, execution_id: str) -> Snapshot:
        """The execution with its commands and signals; ExecutionNotFound."""
        if self._kept is not None:
            return self._kept[execution_id].current.snapshot
        return finished(self._operations.load(execution_id))

    def children(self, execution_id: str) -> list[tuple[str, Workflow[..., Any]]]:
        """The ids and workflows of the children of an execution, in the order in which the code asked for them."""
        snapshot = self.snapshot(execution_id)
        children = []
        asked = list(self.replay(snapshot).issued)
        for id in children_of(snapshot, asked):
            try:
                children.append((id, self.workflow(self.execution(id))))
            except (ExecutionNotFound, KeyError):
                pass  # its id is noted before it is started
        return children

    def past_events(self, execution_id: str) -> Sequence[Event]:
        """The events that the store keeps as such: those of generations that a resume has ended."""
        if self._kept is not None:
            return self._kept[execution_id].current.history
        return finished(self.store.history(self.execution(execution_id).run_id))

    def earlier_runs(self, execution_id: str) -> list[int]:
        """The numbers of the earlier runs that are kept, the oldest first."""
        return [run.snapshot.execution.run for run in self._recorded(execution_id).earlier]

    def events_of_run(self, execution_id: str, run: int) -> list[Event]:
        """What happened in an earlier run; LookupError if it is not kept."""
        for each in self._recorded(execution_id).earlier:
            if each.snapshot.execution.run == run:
                return history_of(each.snapshot, each.history)
        raise LookupError(
            f"execution {execution_id!r} has no earlier run {run}: it has {self.earlier_runs(execution_id)}"
        )

    def _recorded(self, execution_id: str) -> RecordedExecution:
        if self._kept is not None:
            return self._kept[execution_id]
        recorded = finished(recorded_execution(self.store, execution_id))
        assert recorded is not None
        return recorded

    def calls(self, execution_id: str) -> list[Call]:
        """Every attempt of every step, in the order in which they began."""
        return self._calls.of(execution_id)

    def replay(self, snapshot: Snapshot) -> Replay:
        """A replay from scratch; LookupError as in `workflow`."""
        self.workflow(snapshot.execution)
        replay = self._operations.replay(snapshot)
        assert replay is not None
        return replay

    def workflow(self, execution: Execution) -> Workflow[..., Any]:
        """The workflow of an execution; LookupError if the test has not passed it to its kit."""
        workflow = self._registry.get(execution.workflow)
        if workflow is None:
            raise LookupError(f"workflow {execution.workflow!r} was not given to this environment")
        return workflow

    def close(self, execution_ids: Iterable[str]) -> None:
        """Keeps these executions with their children, and reads no more. Those that have expired are not kept."""
        kept: dict[str, RecordedExecution] = {}
        ids, seen = list(execution_ids), set[str]()
        while ids:
            id = ids.pop()
            if id in seen:
                continue
            seen.add(id)
            recorded = finished(recorded_execution(self.store, id))
            if recorded is not None:
                kept[id] = recorded
                ids += children_of(recorded.current.snapshot)
        self._kept = kept
