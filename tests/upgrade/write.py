"""Writes the SQL of a file with executions in every state, by the version of stepfast that is imported.

Run with the code of the version to keep, from the root of this repository:
`PYTHONPATH=<its src>:. python -m tests.upgrade.write tests/upgrade/schema-<number>.sql`
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stepfast
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from tests.upgrade import workflows

STARTED = 1_735_689_600.0
"""2025-01-01: by the clock of whoever reads the file, all of it is long due."""


class Clock:
    def __init__(self) -> None:
        self._offset = STARTED - time.time()

    def now(self) -> float:
        return time.time() + self._offset

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def until(ask: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not ask():
        assert time.monotonic() < end
        time.sleep(0.01)


def write(target: Path, file: Path) -> None:
    runtime = Runtime(Registry(workflows.ALL), file, workers=2, clock=Clock())
    operations, call = runtime.operations, runtime.call

    def status(id: str) -> str:
        return call(operations.read(id)).status

    def records(id: str) -> dict[str, str]:
        return {name: one.status for name, one in call(operations.load(id)).records.items()}

    def start(name: str, input: Any, id: str) -> None:
        call(operations.start(name, input, id, {"team": "finance"}))

    start("short", "a" * 9_000, "done")
    start("breaks", 2, "failed")
    start("breaks", 3, "failed-again")
    start("waits", "x", "waits")
    start("waits", "y", "cancelled")
    start("sleeps", 4, "sleeps")
    start("retries", 5, "retries")
    start("blocks", 6, "blocked")
    start("many", 7, "many")
    start("compensates", 8, "compensates")
    until(lambda: status("done") == "SUCCEEDED" and status("failed") == "FAILED" == status("failed-again"))
    time.sleep(1.5)
    call(operations.resume("failed-again"))
    until(lambda: status("failed-again") == "FAILED")
    call(operations.signal("waits", "later", {"early": True}, "early"))
    call(operations.cancel("cancelled"))
    time.sleep(0.5)
    for id in ("retries", "blocked", "many", "compensates", "sleeps", "waits", "cancelled", "failed-again"):
        print(id, status(id), records(id))
    runtime.close()
    with sqlite3.connect(file) as db:
        number = db.execute("PRAGMA user_version").fetchone()[0]
        text = "\n".join([*db.iterdump(), f"PRAGMA user_version = {number};", ""])
    for path in (Path(stepfast.__file__).parents[1], Path.cwd()):  # tracebacks name the files of this machine
        text = text.replace(str(path), "/app")
    target.write_text(text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(Path(sys.argv[1]), Path(folder) / "old.db")
    os._exit(0)  # a step blocks on purpose
