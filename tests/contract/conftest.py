"""The backends that the contract tests run on: each makes a Store and a Queue and tells what arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from stepfast.backends.sqlite import SqliteBackend, Stored
from stepfast.backends.sqlite_file import SqliteFile

T = TypeVar("T")


class FixedClock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class Backend:
    """One backend under test: `run` awaits a port call, `woken` and `messages` are what the engine would get."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FixedClock()
        self.woken: list[str] = []
        self.messages: list[Stored] = []
        self.open()

    def open(self) -> None:
        self.ports = SqliteBackend(SqliteFile(self.path), self.clock)
        self.ports.on_wake = lambda execution_id, seq: self.woken.append(execution_id)
        self.ports.on_message = self.messages.append

    def reopen(self) -> None:
        """As after the death of the process: what is not in the file is gone."""
        self.ports.close()
        self.woken, self.messages = [], []
        self.open()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(call)

    def run_all(self, *calls: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
        """Runs calls at the same time."""

        async def together() -> list[T]:
            return list(await asyncio.gather(*(call() for call in calls)))

        return asyncio.run(together())


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    made = Backend(tmp_path / "contract.db")
    yield made
    made.ports.close()
