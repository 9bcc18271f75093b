"""The processes of the demo, each ended by its own handle, and the CLI as a user types it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STEPFAST = [str(Path(sys.executable).with_name("stepfast"))]


class Broken(Exception):
    """Something in the story was not so."""


def ensure(true: object, otherwise: str) -> None:
    if not true:
        raise Broken(otherwise)


def until(goal: str, ask: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Asks until the answer is true, and returns it; Broken after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise Broken(f"waited {seconds:g} s in vain: {goal}")


class Process:
    """A process of ours that prints one line when it is ready; its output goes to a log file."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.name, self._command, self._environment = name, command, environment
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Starts it and returns its ready line."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={**os.environ, **self._environment},
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        return self.line()

    def line(self, holding: str = "") -> str:
        """The next line of its standard output that holds a text; Broken when the process ends before it."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if holding in line:
                return line.strip()
        raise Broken(f"{self.name} did not start; see {self._log}")

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Ends it and returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            return process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            if process.stdout is not None:
                process.stdout.close()


class Cli:
    """`stepfast …` against one server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def show(self, *arguments: str, status: int = 0) -> str:
        """Runs a command, prints it with its output as a terminal would show it, and returns the output."""
        print(f"\n$ stepfast {' '.join(_quoted(argument) for argument in arguments)}", flush=True)
        done = self._run(arguments)
        sys.stdout.write(done.stdout + done.stderr)
        sys.stdout.flush()
        ensure(done.returncode == status, f"that command ended with {done.returncode}, not {status}")
        return done.stdout

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "STEPFAST_URL": self.url, "COLUMNS": "100"}
        return subprocess.run(
            [*STEPFAST, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )


def _quoted(argument: str) -> str:
    return f"'{argument}'" if any(character in argument for character in ' {"') else argument
