"""Whether a stepfast.Client may wait for its server. In a step of a test it may not: no server will start there."""

from __future__ import annotations

from contextvars import ContextVar

from stepfast.errors import GiveUp

CONNECT_PATIENCE_SECONDS = 1.0
"""Seconds for which a client in a step of a test tries to connect to its server."""
nothing_serves: ContextVar[bool] = ContextVar("stepfast_nothing_serves", default=False)
"""True in steps that stepfast.testing runs."""


class NoServer(GiveUp):
    """A step of a test calls a stepfast.Client, and no server runs at its URL. The step fails at once."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"a step calls a stepfast.Client, and no server answers at {url}: {reason}. stepfast.testing serves no "
            "API: fake the step with env.fake(…), or start a server for the test"
        )
