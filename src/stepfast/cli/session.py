"""The options that all commands share, and the API client that they configure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from stepfast.client import Client

DEFAULT_URL = "http://127.0.0.1:8787"
OUTAGE_SECONDS = 60.0
"""Seconds for which a waiting command retries while the server cannot be reached."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@dataclass(frozen=True, slots=True)
class Session:
    """The API's address and key. iam: sign requests with AWS credentials instead of the key."""

    url: str
    api_key: str | None
    iam: bool = False

    def client(self, retry_for: float = 0.0) -> Client:
        """A client. It does not retry by default, so that the user learns at once that no server answers."""
        return Client(self.url, self.api_key, retry_for=retry_for, iam=self.iam)


def session(context: typer.Context) -> Session:
    settings = context.find_root().obj
    assert isinstance(settings, Session)
    return settings
