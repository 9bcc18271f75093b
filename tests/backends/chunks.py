"""Transactions that are more than one: recorded without moto, cut off in between, or met by another's."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.backends.cloud import Cloud
from tests.backends.wire import Wire


def recorded(cloud: Cloud) -> Wire:
    """Records what is called from now on; every transaction succeeds at once, without moto, and does nothing."""
    wire = Wire()
    wire.watch(cloud.dynamodb)
    answer = (SimpleNamespace(status_code=200), {})
    cloud.dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", lambda **_: answer)
    return wire


class Killed(BaseException):
    """The process dies."""


def kill_at(client: Any, call: int, *, before: bool) -> Callable[[], None]:
    """Dies before or after the nth write of the client; returns what gives it its life back."""
    seen = 0

    def die(**_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == call:
            raise Killed

    event = "before-call.dynamodb.TransactWriteItems" if before else "after-call.dynamodb.TransactWriteItems"
    client.meta.events.register(event, die)
    return lambda: client.meta.events.unregister(event, die)


def before_chunk(client: Any, chunk: int, act: Callable[[], None]) -> None:
    """Does something just before the nth transaction of a client."""
    seen = 0

    def meet(**_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == chunk:
            act()

    client.meta.events.register("before-call.dynamodb.TransactWriteItems", meet)
