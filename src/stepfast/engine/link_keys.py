"""The keys that sign answer links: made when the first link is, replaced by a rotation (rule *answer links*)."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace

from stepfast.engine.link_store import LinkStore
from stepfast.engine.ports import Clock
from stepfast.errors import Unavailable
from stepfast.records import dataclass

LONGEST_LINK_SECONDS = 366 * 86400.0
"""How long a link may be valid, and so how long a key is kept after its rotation."""
LINK_KEYS_KEPT_SECONDS = 60.0
"""How long a process checks links by the keys that it has read. A revoked key works for as long at most."""
UNKNOWN_KEY_SECONDS = 5.0
"""A link that names an unknown key makes a process read the keys again, but only so often."""
TRIES = 5


@dataclass(frozen=True, slots=True)
class LinkKey:
    """A key. until: when it was replaced, and links that it has signed are still taken, the time when they end."""

    id: str
    secret: str
    created_at: float
    until: float | None = None

    @property
    def bytes(self) -> bytes:
        return base64.b64decode(self.secret)


class LinkKeys:
    """The keys of a deployment. Checking a link reads none: they are kept for LINK_KEYS_KEPT_SECONDS."""

    def __init__(self, store: LinkStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._kept: dict[str, LinkKey] = {}
        self._read_at = float("-inf")

    async def find(self, key_id: str) -> LinkKey | None:
        """The key of this id, if links that it has signed are taken."""
        age = self._clock.now() - self._read_at
        if not 0 <= age < LINK_KEYS_KEPT_SECONDS or (key_id not in self._kept and age >= UNKNOWN_KEY_SECONDS):
            keys, _ = await self._read()
            self._kept, self._read_at = {key.id: key for key in keys}, self._clock.now()
        key = self._kept.get(key_id)
        return key if key is not None and (key.until is None or self._clock.now() < key.until) else None

    async def current(self) -> LinkKey:
        """The key that signs new links, which is made if there is none. It is read each time, since it may be new."""
        for _ in range(TRIES):
            keys, version = await self._read()
            for key in keys:
                if key.until is None:
                    return key
            await self._write([*keys, _new_key(self._clock.now())], version)
        raise Unavailable("the keys of links are being changed by others; try again")

    async def rotate(self, revoke: bool = False) -> LinkKey:
        """Makes a new key. Links of the keys before are taken until they expire; with `revoke` not any more."""
        for _ in range(TRIES):
            keys, version = await self._read()
            now = self._clock.now()
            key = _new_key(now)
            kept = [] if revoke else [_retired(old, now) for old in keys if old.until is None or old.until > now]
            if await self._write([*kept, key], version):
                self._read_at = float("-inf")
                return key
        raise Unavailable("the keys of links are being changed by others; try again")

    async def taken(self) -> Sequence[LinkKey]:
        """All keys whose links are taken, the oldest first."""
        keys, _ = await self._read()
        return [key for key in keys if key.until is None or self._clock.now() < key.until]

    async def _read(self) -> tuple[list[LinkKey], str]:
        text, version = await self._store.keys()
        return [LinkKey(**key) for key in json.loads(text or "[]")], version

    async def _write(self, keys: Sequence[LinkKey], version: str) -> bool:
        return await self._store.write_keys(json.dumps([asdict(key) for key in keys]), version)


def _new_key(now: float) -> LinkKey:
    return LinkKey(secrets.token_hex(4), base64.b64encode(secrets.token_bytes(32)).decode(), now)


def _retired(key: LinkKey, now: float) -> LinkKey:
    return key if key.until is not None else replace(key, until=now + LONGEST_LINK_SECONDS)
