"""What a cloud's executions are asked: the table read as the product reads it, beside the functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from stepfast.backends.aws.s3 import S3Blobs
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.engine.advancer import Advancer
from stepfast.engine.messages import Message
from stepfast.engine.operations import Operations
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.model import Event, Execution, Snapshot
from stepfast.replay.replay import Replay
from stepfast.simulator import resources
from stepfast.simulator.provision import BUCKET, TABLE
from stepfast.simulator.world import World
from stepfast.testing.calls import Call, CallLog
from stepfast.testing.memory import finished


class _ViewClock:
    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> float:
        return self._world.clock.now

    async def sleep(self, seconds: float) -> None:
        """Whoever asks from outside waits for nobody."""


class _ViewQueue:
    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        raise AssertionError("whoever asks from outside sends nothing")


class CloudView:
    """The view that runs look at. Its reads are no calls of any function, and take no time."""

    def __init__(self, world: World, registry: Registry, calls: CallLog) -> None:
        clock, queue = _ViewClock(world), _ViewQueue()
        blobs = S3Blobs(resources.client("s3"), BUCKET)
        self.store = DynamoStore(resources.client("dynamodb"), TABLE, queue, blobs, clock)
        self.operations = Operations(self.store, clock, registry, Advancer(self.store, queue, clock, registry))
        self._calls, self._registry = calls, registry
        self._kept: dict[str, tuple[Snapshot, Sequence[Event]]] | None = None

    def execution(self, execution_id: str) -> Execution:
        if self._kept is not None:
            return self._kept[execution_id][0].execution
        return finished(self.operations.read(execution_id))

    def snapshot(self, execution_id: str) -> Snapshot:
        if self._kept is not None:
            return self._kept[execution_id][0]
        return finished(self.operations.load(execution_id))

    def kept(self, execution_id: str) -> Sequence[Event]:
        if self._kept is not None:
            return self._kept[execution_id][1]
        return finished(self.store.history(execution_id))

    def calls(self, execution_id: str) -> list[Call]:
        return self._calls.of(execution_id)

    def replay(self, snapshot: Snapshot) -> Replay:
        self.workflow(snapshot.execution)
        replay = self.operations.replay(snapshot)
        assert replay is not None
        return replay

    def workflow(self, execution: Execution) -> Workflow[..., Any]:
        """The workflow of an execution; LookupError for one that was not given to this cloud."""
        found = self._registry.get(execution.workflow)
        if found is None:
            raise LookupError(f"workflow {execution.workflow!r} was not given to this cloud")
        return found

    def keep(self, execution_ids: Iterable[str]) -> None:
        """Reads what may still be asked once the cloud is gone; what has expired by then cannot be."""
        found = {id: finished(self.store.load(id)) for id in execution_ids}
        self._kept = {id: (one, self.kept(id)) for id, one in found.items() if one is not None}
