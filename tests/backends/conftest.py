"""One moto for each test: a cloud of its own, with or without its calls recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from stepfast.backends.dynamodb import transactions
from tests.backends.cloud import ONE_TRY, Cloud, make_client
from tests.backends.wire import Wire


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def cloud(aws: None) -> Cloud:
    return Cloud()


class Clients:
    """Clients of one test, made when they are needed, which try once; `watch` sees each as it is made."""

    def __init__(self) -> None:
        self._made: list[Any] = []
        self._watch: Callable[[Any], None] = lambda client: None

    def __call__(self, service: str) -> Any:
        self._made.append(make_client(service, **ONE_TRY))
        self._watch(self._made[-1])
        return self._made[-1]

    def watch(self, watch: Callable[[Any], None]) -> None:
        self._watch = watch
        for client in self._made:
            watch(client)


@pytest.fixture
def clients() -> Clients:
    return Clients()


@pytest.fixture
def hooked(aws: None, clients: Clients) -> Cloud:
    """A cloud whose clients are this test's own, for hooks."""
    return Cloud(clients)


@pytest.fixture
def wire(hooked: Cloud, clients: Clients) -> Wire:
    """The calls of `hooked`, recorded."""
    wire = Wire()
    clients.watch(wire.watch)
    return wire


@pytest.fixture
def small(hooked: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with transactions of 10: moto copies the whole table for each of their items."""
    monkeypatch.setattr(transactions, "TRANSACTION", 10)
    return hooked
