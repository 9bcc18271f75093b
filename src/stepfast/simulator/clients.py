"""The clients of a sandbox: made as the product makes them, hooked up to the simulated world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepfast.functions.clients import Clients
from stepfast.simulator.lambdas import REGION
from stepfast.simulator.wire import hook


class PlayedClients(Clients):
    """A sandbox has clients of its own, as in Lambda: botocore keeps a rate limit in each.

    They share what the first has read of the services' models, which takes most of the time.
    """

    _first_session: Any = None

    def __init__(self, heard: Callable[..., None] | None = None) -> None:
        super().__init__(REGION, heard)
        self._session = PlayedClients._first_session

    def _make(self, service: str) -> Any:
        client = super()._make(service)
        PlayedClients._first_session = self._session
        hook(client)
        return client
