"""The options that all commands share, and the API client that they configure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from stepfast.client import Client

DEFAULT_URL = "http://127.0.0.1:8787"
OUTAGE_SECONDS = 60.0
"""Seconds for which a waiting command retries while the server cannot be reached."""

_SEVERAL_URLS = re.compile(r"\s*,\s*(?=https?://)", re.IGNORECASE)
"""Between two URLs; a path may have a comma in it."""

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@dataclass(frozen=True, slots=True)
class Session:
    """The API's address and key, or several with commas between. iam: sign requests with AWS credentials instead."""

    url: str
    api_key: str | None
    iam: bool = False

    @property
    def shown_url(self) -> str:
        return without_credentials(self.url)

    def client(self, retry_for: float = 0.0) -> Client:
        """A client. It does not retry by default, so that the user learns at once that no server answers."""
        urls, keys = _SEVERAL_URLS.split(self.url), self.api_key
        if len(urls) > 1 and keys is not None and "," in keys:  # a single server's key may contain a comma
            return Client(urls, [key.strip() for key in keys.split(",")], retry_for=retry_for, iam=self.iam)
        return Client(urls, keys, retry_for=retry_for, iam=self.iam)


def without_credentials(text: str) -> str:
    """The text without a name and password in its URLs."""
    return _CREDENTIALS.sub("", text)


def session(context: typer.Context) -> Session:
    settings = context.find_root().obj
    assert isinstance(settings, Session)
    return settings
