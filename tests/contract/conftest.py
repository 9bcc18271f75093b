"""The backends that the contract tests run on: each has a Store and a Queue and tells what arrived.

`backend` is every one of them in turn, `embedded` the SQLite file alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend, Stored
from tests.contract.clock import FixedClock

T = TypeVar("T")


class Embedded:
    """The SQLite file: `run` awaits a port call, `woken` and `messages` are what the engine would get."""

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
        self.store = self.queue = self.ports

    def reopen(self) -> None:
        """As after the death of the process: what is not in the file is gone."""
        self.ports.close()
        self.woken, self.messages = [], []
        self.open()

    def lose_everything(self) -> None:
        """Nothing is under way any more: not a message, not a wake."""
        self.ports.flush()
        messages, wakes = self.ports.outstanding()
        for one in messages:
            self.ports.delete(one.seq)
        for execution_id, seq in wakes:
            self.ports.advanced(execution_id, seq)
        self.ports.flush()
        self.messages.clear()
        self.woken.clear()

    def index_labels(self) -> int:
        """A file has the labels of all its executions in their index."""
        return 0

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(call)

    def run_all(self, *calls: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
        """Runs calls at the same time."""

        async def together() -> list[T]:
            return list(await asyncio.gather(*(call() for call in calls)))

        return asyncio.run(together())


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    made = Embedded(tmp_path / "contract.db")
    yield made
    made.ports.close()


ENCRYPTED = frozenset(
    {
        "test_store_contract", "test_runs_contract", "test_fork_store", "test_intervention_store", "test_shown",
        "test_record_reader", "test_starts_store", "test_step_progress", "test_deleting",
    }
)  # fmt: skip
"""The modules whose tests also run on backends that encrypt: those that write each kind of value through the port."""

COUNT_BYTES = ("test_signals_are_bounded_in_number_and_bytes_and_what_is_there_is_found_all_the_same",)
"""Tests that count the bytes of what is stored, which are more when it is encrypted."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        module = metafunc.module.__name__.rpartition(".")[2]
        homes = ["sqlite", "dynamodb"]
        asked = module in ENCRYPTED or os.environ.get("STEPFAST_ENCRYPT_ALL")
        if asked and metafunc.function.__name__ not in COUNT_BYTES:
            homes += ["sqlite-encrypted", "dynamodb-encrypted"]
        metafunc.parametrize("backend", homes, indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "sqlite":
        yield request.getfixturevalue("embedded")
        return
    if request.param == "sqlite-encrypted":
        from tests.contract.encrypted import EncryptedEmbedded

        encrypted = EncryptedEmbedded(tmp_path / "contract.db")
        yield encrypted
        encrypted.ports.close()
        encrypted.keyring.close()
        return
    from moto import mock_aws  # here, so that runs of SQLite alone do not wait for it

    from tests.backends.cloud import Cloud

    with mock_aws():
        if request.param == "dynamodb":
            yield Cloud()
            return
        from tests.backends.encrypted_cloud import EncryptedCloud

        yield EncryptedCloud()
