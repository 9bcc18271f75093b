"""The embedded runtime on a test's own file, with a clock that can be set forward between two runs."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from stepfast.local.runtime import Runtime, SystemClock
from stepfast.model import Execution, Record
from stepfast.registry import Registry
from stepfast.workflow import Workflow

T = TypeVar("T")


class LaterClock(SystemClock):
    """The wall clock, some seconds on."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead

    def now(self) -> float:
        return super().now() + self._ahead


class Embedded:
    """One execution, "one", in words for tests."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._operations = runtime, runtime.operations

    def start(self, workflow: Workflow[..., Any], input: Any) -> None:
        self._runtime.call(self._operations.start(workflow.name, input, "one"))

    def end(self) -> Execution:
        """Waits until it no longer runs."""
        return until(lambda: found if (found := self._read()).status != "RUNNING" else None)

    def result(self) -> Any:
        ended = self.end()
        assert ended.status == "SUCCEEDED", ended.error
        assert ended.result is not None
        return json.loads(ended.result)

    def signal(self, name: str, payload: Any) -> None:
        self._runtime.call(self._operations.signal("one", name, payload))

    def resume(self) -> None:
        self._runtime.call(self._operations.resume("one"))

    def attempts(self) -> dict[str, int]:
        """How often each step was begun in the generation that it was last run in, by step name."""
        return {record.name: record.attempt for record in self._steps()}

    def generations(self) -> dict[str, int]:
        """The generation that each step was last run in, by step name."""
        return {record.name: record.generation for record in self._steps()}

    def outstanding(self, kind: str) -> list[str]:
        """Names of the commands of this kind that the workflow waits for."""
        replay = self._operations.replay(self._runtime.call(self._operations.load("one")))
        return [one.name for one in replay.outstanding.values() if one.kind == kind] if replay else []

    def _steps(self) -> list[Record]:
        records = self._runtime.call(self._operations.load("one")).records
        return [record for record in records.values() if record.kind == "step"]

    def _read(self) -> Execution:
        return self._runtime.call(self._operations.read("one"))


@contextmanager
def embedded(folder: Path, *workflows: Workflow[..., Any], ahead: float = 0.0) -> Iterator[Embedded]:
    """Opening the same folder again goes on with what is in it, `ahead` seconds later if wanted."""
    with Runtime(Registry(workflows), folder / "test.db", workers=2, clock=LaterClock(ahead)) as runtime:
        yield Embedded(runtime)


def until(ask: Callable[[], T | None], seconds: float = 30.0) -> T:
    """The first answer that is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.005)
    return answer
