"""The two homes with OpenTelemetry switched on, behind the few words that these tests need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from stepfast.deployment.project import Project
from stepfast.engine.caller import called_from
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.telemetry import Telemetry
from stepfast.testing import MotoCloud
from tests.telemetry import flows
from tests.waiting import until

WORKFLOWS = (flows.priced, flows.failing, flows.family, flows.turning, flows.awaiting)


class Home(Protocol):
    def start(self, workflow: str, execution_id: str, traceparent: str | None = None) -> None: ...

    def end(self, execution_id: str) -> str:
        """Waits for the end, and returns the status."""

    def resume(self, execution_id: str) -> None: ...

    def signal(self, execution_id: str, name: str, payload: int, signal_id: str, traceparent: str) -> None: ...

    def update(self, execution_id: str, name: str, payload: int, update_id: str, traceparent: str) -> None: ...


class EmbeddedHome:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def start(self, workflow: str, execution_id: str, traceparent: str | None = None) -> None:
        with called_from(traceparent):
            self._runtime.call(self._runtime.operations.start(workflow, 1, execution_id))

    def end(self, execution_id: str) -> str:
        def status() -> str | None:
            read = self._runtime.call(self._runtime.operations.read(execution_id)).status
            return None if read == "RUNNING" else read

        return str(until(status))

    def resume(self, execution_id: str) -> None:
        self._runtime.call(self._runtime.operations.resume(execution_id))

    def signal(self, execution_id: str, name: str, payload: int, signal_id: str, traceparent: str) -> None:
        with called_from(traceparent):
            self._runtime.call(self._runtime.operations.signal(execution_id, name, payload, signal_id))

    def update(self, execution_id: str, name: str, payload: int, update_id: str, traceparent: str) -> None:
        with called_from(traceparent):
            self._runtime.call(self._runtime.operations.update(execution_id, name, payload, update_id))


class CloudHome:
    def __init__(self, cloud: MotoCloud) -> None:
        self._cloud = cloud

    def start(self, workflow: str, execution_id: str, traceparent: str | None = None) -> None:
        headers = {} if traceparent is None else {"traceparent": traceparent}
        body = {"input": 1, "execution_id": execution_id}
        answer = self._cloud.request("POST", f"/v1/workflows/{workflow}/executions", body, headers=headers)
        assert answer.status == 201, answer.body

    def end(self, execution_id: str) -> str:
        run = self._cloud.execution(execution_id)
        self._cloud.run_until(run)
        self._cloud.advance(timedelta(seconds=1))  # the invocation that wrote the end goes on to its own
        return str(run.status)

    def resume(self, execution_id: str) -> None:
        self._cloud.resume(self._cloud.execution(execution_id))

    def signal(self, execution_id: str, name: str, payload: int, signal_id: str, traceparent: str) -> None:
        body = {"payload": payload, "signal_id": signal_id}
        path = f"/v1/executions/{execution_id}/signals/{name}"
        answer = self._cloud.request("POST", path, body, headers={"traceparent": traceparent})
        assert answer.status in (200, 201, 202), answer.body

    def update(self, execution_id: str, name: str, payload: int, update_id: str, traceparent: str) -> None:
        body = {"payload": payload, "update_id": update_id}
        path = f"/v1/executions/{execution_id}/updates/{name}"
        answer = self._cloud.request("POST", path, body, headers={"traceparent": traceparent})
        assert answer.status in (200, 201, 202), answer.body


@contextmanager
def embedded(folder: Path) -> Iterator[Home]:
    with Runtime(Registry(WORKFLOWS), folder / "test.db", telemetry=Telemetry()) as runtime:
        yield EmbeddedHome(runtime)


@contextmanager
def cloud(folder: Path) -> Iterator[Home]:
    with MotoCloud(*WORKFLOWS, project=Project(opentelemetry=True)) as made:
        yield CloudHome(made)


HOMES: list[Any] = [embedded, cloud]
