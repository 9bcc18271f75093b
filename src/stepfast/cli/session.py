"""Options that all commands share, and the client made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from stepfast.client import Client

DEFAULT_URL = "http://127.0.0.1:8787"
OUTAGE_SECONDS = 60.0
"""Seconds that waiting for an execution outlasts an outage of the server."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@dataclass(frozen=True, slots=True)
class Session:
    """Where the API is, and the key to it, or whether requests are signed instead."""

    url: str
    api_key: str | None
    iam: bool = False

    def client(self, retry_for: float = 0.0) -> Client:
        """A client that tries once: who types a command wants to know at once that nothing answers."""
        return Client(self.url, self.api_key, retry_for=retry_for, iam=self.iam)


def session(context: typer.Context) -> Session:
    settings = context.find_root().obj
    assert isinstance(settings, Session)
    return settings
