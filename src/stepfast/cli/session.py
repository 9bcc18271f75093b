"""Options that all commands share, and the client made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from stepfast.client import Client

DEFAULT_URL = "http://127.0.0.1:8787"
PATIENCE = 60.0
"""Seconds that waiting for an execution outlasts an outage of the server."""

_SEVERAL_URLS = re.compile(r"\s*,\s*(?=https?://)", re.IGNORECASE)
"""Between two URLs; a path may have a comma in it."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@dataclass(frozen=True, slots=True)
class Session:
    """Where the API is, and the key to it, or whether requests are signed instead; commas stand between several."""

    url: str
    api_key: str | None
    iam: bool = False

    def client(self, retry_for: float = 0.0) -> Client:
        """A client that tries once: who types a command wants to know at once that nothing answers."""
        urls, keys = _SEVERAL_URLS.split(self.url), self.api_key
        if len(urls) > 1 and keys is not None and "," in keys:  # of one server a key may have a comma in it
            return Client(urls, [key.strip() for key in keys.split(",")], retry_for=retry_for, iam=self.iam)
        return Client(urls, keys, retry_for=retry_for, iam=self.iam)


def session(context: typer.Context) -> Session:
    found = context.find_root().obj
    assert isinstance(found, Session)
    return found
