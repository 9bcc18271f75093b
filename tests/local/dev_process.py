"""`stepfast dev` as a real process, to be killed, starved and started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

STEPFAST = str(Path(sys.executable).with_name("stepfast"))


class Dev:
    """One server on one file; every start may take another port."""

    runtime: tuple[str, ...] = ("--db", "dev.db")

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.process: subprocess.Popen[str] | None = None
        self.ready = ""
        self.http = httpx.Client()

    def start(self, *options: str) -> Dev:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the process has ended
        self.process = subprocess.Popen(
            [STEPFAST, "dev", "--port", "0", *self.runtime, *options],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        if self.ready:
            address = re.search(r"http://\S+", self.ready)
            assert address is not None, self.ready
            self.http.close()
            self.http = httpx.Client(base_url=address.group(), timeout=30)
        return self

    def end(self, number: signal.Signals = signal.SIGKILL) -> tuple[int, str]:
        """Ends the process if it runs; returns its exit status and what it wrote to standard error."""
        process, self.process = self.process, None
        if process is None:
            return 0, ""
        if process.poll() is None:
            process.send_signal(number)
        status = process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
        self.errors.seek(0)
        errors = self.errors.read()
        self.errors.close()
        return status, errors

    def kill(self) -> None:
        assert self.end(signal.SIGKILL)[0] == -signal.SIGKILL

    def run(self, workflow: str, input: Any = None, id: str = "one") -> httpx.Response:
        body = {"input": input, "execution_id": id}
        return self.http.post(f"/v1/workflows/{workflow}/executions", json=body)

    def show(self, id: str = "one") -> Any:
        answer = self.http.get(f"/v1/executions/{id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status_of(self, command: str, id: str = "one") -> str | None:
        return next(
            (command_shown["status"] for command_shown in self.show(id)["commands"] if command_shown["id"] == command),
            None,
        )
