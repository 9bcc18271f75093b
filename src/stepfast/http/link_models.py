"""What is asked and answered of answer links and their keys, as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stepfast.http.models import Asked, Shown, Time


class OpenLinkView(Shown):
    name: str = Field(description="the name of the callback, and of a signal that answers it")
    link: str = Field(description="the name of the wait, which tells it from others of this callback")
    command: str = Field(description="the id of the wait")
    opened_at: Time | None
    expires_at: Time | None
    last_heartbeat_at: Time | None
    progress: Any = Field(description="what external work has sent with its last heartbeat")


class OpenLinkList(Shown):
    links: list[OpenLinkView]


class LinkKeyView(Shown):
    id: str = Field(description="stands in the addresses of its links")
    created_at: Time
    until: Time | None = Field(description="until when its links are taken, of a key that was replaced")


class LinkKeyList(Shown):
    keys: list[LinkKeyView]


class RotateLinksRequest(Asked):
    revoke: bool = Field(False, description="withdraw all links that were made before, at the latest after a minute")
