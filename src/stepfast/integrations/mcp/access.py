"""Which API key a request of an MCP client is carried out with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from stepfast.client import Client

MCP_RETRY_SECONDS = 1.0
"""Seconds for which a call to stepfast is tried again: a reload of `stepfast dev` takes less."""

Connect = Callable[[str | None], Client]
"""Makes a client with a key. None stands for no key."""


@dataclass(frozen=True, slots=True)
class Access:
    """The clients of stepfast for requests of MCP clients.

    connect: makes a client with a key.
    url: the URL of the API, for messages.
    own_key: the key of this process; it serves requests over stdio.
    lend: use `own_key` also for requests over HTTP that bring no key.
    iam: requests are signed with the AWS credentials of this process, and no keys are sent.
    """

    connect: Connect
    url: str
    own_key: str | None = None
    lend: bool = False
    iam: bool = False

    def client(self, request: Request | None) -> Client:
        """A client with the key of this request: that of the caller over HTTP, that of this process over stdio.

        request: the HTTP request, or None over stdio. The caller of this method closes the client.
        Raises InvalidRequest for a key that no server can have.
        """
        return self.connect(self._key(request))

    def hint(self, request: Request | None) -> str:
        """Where the key of this request comes from, for a caller whose key was refused."""
        if self.iam:
            return "the requests are signed with the AWS credentials of `stepfast mcp`"
        if request is None:
            return "the key is STEPFAST_API_KEY in the environment of `stepfast mcp`"
        return "the key is what your client sends as `Authorization: Bearer KEY`"

    def _key(self, request: Request | None) -> str | None:
        if request is None or self.iam:
            return self.own_key
        return key_in(request.headers) or (self.own_key if self.lend else None)


def key_in(headers: Any) -> str | None:
    """The API key in the headers of a request, as the HTTP API takes it, or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
    return key or None
