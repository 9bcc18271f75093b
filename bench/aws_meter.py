"""Records the AWS calls of the functions in a simulated cloud, with the function that made each call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from weakref import WeakSet

from bench.aws_units import Call, Meter
from stepfast.backends.dynamodb.typed_json import Item
from stepfast.simulator import deployment, provision, resources
from stepfast.simulator.clients import PlayedClients
from stepfast.simulator.strand_sandbox import StrandSandbox, current


@dataclass(frozen=True, slots=True)
class Made:
    """A call, with the kind of function, the sandbox and the invocation that made it."""

    kind: str
    sandbox: int
    request_id: str
    call: Call


def kind_of(function: str) -> str:
    """The kind of a function by its name: `step-default` is a step function."""
    return function.partition("-")[0]


class CloudMeter(Meter):
    """Records the calls of sandboxes, and of nothing else, while it is switched on."""

    def __init__(self) -> None:
        super().__init__(self._stored)
        self.made: list[Made] = []
        self._on = False
        self._sandboxes: list[StrandSandbox] = []  # held, so that no other gets the place of one that has ended
        self._last: StrandSandbox | None = None
        self._here = threading.local()
        self._watched = WeakSet[Any]()

    @contextmanager
    def metering(self) -> Iterator[None]:
        """Records the clouds that are opened within the block, beginning without any calls."""
        self.calls.clear()
        self.made, self._sandboxes, self._last, self._on = [], [], None, True
        try:
            with patch.object(deployment, "PlayedClients", _MeteredClients):
                yield
        finally:
            self._on = False

    def watch(self, client: Any) -> None:
        """Watches a client. Clients outlive their clouds, so a client that is watched already is left alone."""
        if client not in self._watched:
            self._watched.add(client)
            client.meta.events.register("before-parameter-build", self._before)
            # Before the answer's way back, on which others may write to the same item.
            client.meta.events.register_first("after-call", self._after)

    def _stored(self, key: Item) -> Item | None:
        self._here.asking = True
        try:
            answer = resources.client("dynamodb").get_item(TableName=provision.TABLE, Key=key, ConsistentRead=True)
        finally:
            self._here.asking = False
        item: Item | None = answer.get("Item")
        return item

    def _before(self, params: dict[str, Any], model: Any, context: dict[str, Any], **rest: Any) -> None:
        sandbox = current()
        if sandbox is None and threading.current_thread().name.startswith("stepfast-"):
            sandbox = self._last  # the store asks shards and deletes items in threads of its own
        if sandbox is None or not self._on or getattr(self._here, "asking", False):
            return
        self._last = sandbox
        super()._before(params, model, context, **rest)
        if sandbox not in self._sandboxes:
            self._sandboxes.append(sandbox)
        number = self._sandboxes.index(sandbox)
        self.made.append(Made(kind_of(sandbox.name), number, sandbox.request_id, context["stepfast_call"]))

    def _after(self, parsed: dict[str, Any], context: dict[str, Any], **rest: Any) -> None:
        if "stepfast_call" in context:
            super()._after(parsed, context, **rest)


METER = CloudMeter()


class _MeteredClients(PlayedClients):
    def _make(self, service: str) -> Any:
        client = super()._make(service)
        METER.watch(client)
        return client
