"""Options that all commands share, and the client made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from stepfast.client import Client

DEFAULT_URL = "http://127.0.0.1:8787"
PATIENCE = 60.0
"""Seconds that waiting for an execution outlasts an outage of the server."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@dataclass(frozen=True, slots=True)
class Session:
    """Where the API is, and the key to it, or whether requests are signed instead; commas stand between several."""

    url: str
    api_key: str | None
    iam: bool = False

    def client(self, retry_for: float = 0.0) -> Client:
        """A client that tries once: who types a command wants to know at once that nothing answers."""
        urls, keys = _parts(self.url), _parts(self.api_key or "")
        key = self.api_key if len(keys) < 2 else keys
        return Client(urls if len(urls) > 1 else self.url, key, retry_for=retry_for, iam=self.iam)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def session(context: typer.Context) -> Session:
    found = context.find_root().obj
    assert isinstance(found, Session)
    return found
