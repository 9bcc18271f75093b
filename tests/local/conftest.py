"""A real runtime on a real file, and a way to wait for what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stepfast.engine.history import history_of
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.local.runtime import Runtime
from stepfast.model import Execution
from tests.waiting import until


class Embedded:
    """A runtime with the workflows of a test, and short words for what tests ask of it."""

    def __init__(self, path: Path, *workflows: Workflow[..., Any], **options: Any) -> None:
        self.path, self.workflows, self.options = path, workflows, options
        self.open()

    def open(self) -> None:
        self.runtime = Runtime(Registry(self.workflows), self.path, workers=2, **self.options)
        self.operations = self.runtime.operations

    def reopen(self, *workflows: Workflow[..., Any]) -> None:
        self.runtime.close()
        self.workflows = workflows or self.workflows
        self.open()

    def start(self, workflow: str, input: Any = None, id: str = "one") -> Execution:
        return self.runtime.call(self.operations.start(workflow, input, id)).execution

    def read(self, id: str = "one") -> Execution:
        return self.runtime.call(self.operations.read(id))

    def ends(self, *statuses: str, id: str = "one") -> Execution:
        """Waits for the end of an execution, which must be one of these."""
        ended: Execution = until(lambda: (execution := self.read(id)).status != "RUNNING" and execution)
        assert ended.status in (statuses or ("SUCCEEDED",)), ended.error
        return ended

    def run(self, workflow: str, input: Any = None, id: str = "one") -> Execution:
        self.start(workflow, input, id)
        return self.ends("SUCCEEDED", "FAILED", id=id)

    def records(self, id: str = "one") -> Any:
        return self.runtime.call(self.operations.load(id)).records

    def resume(self, id: str = "one") -> Execution:
        return self.runtime.call(self.operations.resume(id))

    def signal(self, name: str, payload: Any, signal_id: str | None = None, id: str = "one") -> Any:
        return self.runtime.call(self.operations.signal(id, name, payload, signal_id))

    def cancel(self, id: str = "one") -> Execution:
        return self.runtime.call(self.operations.cancel(id))

    def history(self, id: str = "one") -> list[str]:
        async def read() -> list[str]:
            snapshot = await self.operations.load(id)
            events = history_of(snapshot, await self.runtime._backend.history(id))
            return [f"{event.type} {event.command}" if event.command else event.type for event in events]

        return self.runtime.call(read())


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Callable[..., Embedded]]:
    made: list[Embedded] = []

    def make(*workflows: Workflow[..., Any], **options: Any) -> Embedded:
        made.append(Embedded(tmp_path / "test.db", *workflows, **options))
        return made[-1]

    yield make
    for embedded in made:
        embedded.runtime.close()
