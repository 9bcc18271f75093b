"""A real `stepfast dev` with its page, and short words for what the tests do with both."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from stepfast.http.batch_models import MAX_STARTS
from tests.waiting import until

STEPFAST = str(Path(sys.executable).with_name("stepfast"))
WORKFLOWS = Path(__file__).with_name("workflows")


class Site:
    """One server on a file of its own; services go out and come back as tests say.

    command: serves something else than the embedded runtime; its first line names the address. settings: the text of
    its pyproject.toml.
    """

    def __init__(
        self,
        folder: Path,
        workflows: Path = WORKFLOWS,
        command: Sequence[str | Path] | None = None,
        settings: str = "",
        **environment: str,
    ) -> None:
        if settings:
            (folder / "pyproject.toml").write_text(settings)
        self.outages = folder / "outages"
        self.outages.mkdir()
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the process has ended
        dev: list[str | Path] = [
            STEPFAST,
            "dev",
            "--port",
            "0",
            "--durability",
            "process",
            "--db",
            "site.db",
            "--workflows",
            workflows,
        ]
        self._process = subprocess.Popen(
            command or dev,
            cwd=folder,
            env={**os.environ, "OUTAGES": str(self.outages), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdout is not None
        self.ready = self._process.stdout.readline()
        """The line that says where it serves."""
        match = re.search(r"http://\S+", self.ready)
        assert match, self.ready + self.errors()
        self.url = match.group()
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def close(self) -> None:
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def start(self, workflow: str, input: Any, id: str, labels: dict[str, str] | None = None) -> None:
        body = {"input": input, "execution_id": id, "labels": labels or {}}
        answer = self.http.post(f"/v1/workflows/{workflow}/executions", json=body)
        assert answer.status_code in (200, 201), answer.text

    def start_many(self, workflow: str, inputs: Mapping[str, Any]) -> None:
        """Starts an execution for each input, by the ids, in few requests."""
        starts = [{"workflow": workflow, "input": input, "execution_id": id} for id, input in inputs.items()]
        for first in range(0, len(starts), MAX_STARTS):
            body = {"starts": starts[first : first + MAX_STARTS]}
            answer = self.http.post("/v1/executions/batch", json=body).raise_for_status().json()
            assert all(outcome["created"] for outcome in answer["outcomes"]), answer["outcomes"]

    def show(self, id: str) -> Any:
        answer = self.http.get(f"/v1/executions/{id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ends(self, id: str, status: str, seconds: float = 30) -> Any:
        """Waits until the execution has ended, which must be with this status."""
        path = f"/v1/executions/{id}?commands=false"
        state = until(
            lambda: (answer := self.http.get(path).json())["status"] != "RUNNING" and answer,
            seconds,
            pause=0.02,
            what=f"the end of {id}",
        )
        assert state["status"] == status, state
        return state

    def out(self, service: str) -> None:
        (self.outages / service).touch()

    def back(self, service: str) -> None:
        (self.outages / service).unlink()

    def failed(self, count: int, prefix: str, service: str = "pdf") -> list[str]:
        """So many statements that have failed while a service was out; it is still out."""
        self.out(service)
        ids = [f"{prefix}-{number:04d}" for number in range(count)]
        self.start_many("statement", {id: {"customer": id} for id in ids})
        for id in ids:
            self.ends(id, "FAILED", 60)
        return ids
