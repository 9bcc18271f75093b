"""A `stepfast dev` of its own for a measurement."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DevServer:
    """A server on the loopback, and the process that serves."""

    port: int
    process: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """Seconds of CPU that the process has used. Linux only."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def dev_server(folder: Path, workflow: str) -> Iterator[DevServer]:
    """Serves a module of workflows, from a folder in which there is nothing yet."""
    (folder / "workflows").mkdir()
    (folder / "workflows" / "measured.py").write_text(workflow)
    stepfast = str(Path(sys.executable).with_name("stepfast"))
    command = [stepfast, "dev", "--port", "0", "--db", "dev.db", "--no-reload"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            match = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert match is not None, "stepfast dev did not start"
            yield DevServer(int(match[1]), process.pid)
        finally:
            process.terminate()
