"""Makes answer links, as the steps that `callback()` uses (rule *answer links*)."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

from stepfast import link_tokens
from stepfast.engine.link_keys import LinkKeys
from stepfast.engine.link_store import LinkStore
from stepfast.engine.ports import Clock
from stepfast.errors import GiveUp

DEFAULT_URL = "http://127.0.0.1:8787"
"""Where `stepfast dev` listens by default."""


class LinkMaker:
    """Makes the addresses of links. public_url: what they begin with.

    An address is the recorded result of a step. So a replay sees the same address after a rotation of the keys, and
    after a deployment under another name.
    """

    def __init__(self, store: LinkStore, clock: Clock, public_url: str = "") -> None:
        self._store, self._clock, self._keys = store, clock, LinkKeys(store, clock)
        self._url = (public_url or DEFAULT_URL).rstrip("/")

    async def open(self, execution_id: str, name: str, timeout: float) -> dict[str, Any]:
        """A new link. Its number is random, so no link of an earlier attempt, run or execution of this id is like it.

        Whole seconds, rounded up: the address is shorter, and nobody is refused before the time that was promised.
        """
        key = await self._keys.current()
        link, expires_at = f"{name}.{secrets.token_hex(6)}", float(int(self._clock.now() + timeout) + 1)
        token = link_tokens.signed(key.id, key.bytes, execution_id, link, expires_at)
        if len(token) + link_tokens.LONGEST_ANSWER > link_tokens.LONGEST_TOKEN:
            raise GiveUp(f"callback {name!r}: the link would be longer than mail programs take")
        url = f"{self._url}{link_tokens.PATH}?token={quote(token, safe='')}"
        return {"link": link, "url": url, "expires_at": expires_at}

    async def last_heartbeat(self, execution_id: str, link: str) -> float | None:
        """When the last heartbeat came; None for none."""
        beat = await self._store.last_beat(execution_id, link)
        return None if beat is None else beat.at
