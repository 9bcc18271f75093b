"""A named API key: what is known of it, its text, and the digest of its secret, which alone is stored.

The text is `sf_<key id>_<secret>`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from typing import Literal

from stepfast.errors import InvalidRequest
from stepfast.records import dataclass
from stepfast.restriction import NONE, Restriction

SCOPES = ("read", "run", "operate")
KNOWN = ("look", *SCOPES)
"""The scopes that a key may have. `look` reads all but values, `read` reads all."""
_TOKEN = re.compile(r"sf_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NOBODY = b"\0" * 32

State = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; times in seconds since the epoch. The secret is not, once it was shown."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    until: float | None = None
    revoked_at: float | None = None
    restriction: Restriction = NONE

    def state(self, now: float) -> State:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.until is not None and now >= self.until else "active"


def new(
    name: str, scopes: Collection[str], now: float, until: float | None, restriction: Restriction
) -> tuple[ApiKey, str, bytes]:
    """A new key, its text, and the digest of its secret. Raises InvalidRequest for bad arguments."""
    _check(name, scopes, now, until, restriction)
    ordered = tuple(scope for scope in KNOWN if scope in scopes)
    key = ApiKey(secrets.token_hex(8), name, ordered, now, until, None, restriction)
    secret = secrets.token_urlsafe(32)
    return key, f"sf_{key.key_id}_{secret}", digest(secret)


def parts_of(token: str) -> tuple[str, str] | None:
    """The id and the secret that a caller's text names; None if it is no key's text."""
    parts = _TOKEN.fullmatch(token)
    return None if parts is None else (parts[1], parts[2])


def digest(secret: str) -> bytes:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


def is_right(secret: str, stored: bytes | None) -> bool:
    """Whether the secret is the one that was stored.

    It is compared also where there is no such key, with a text that no secret has as its hash: the time that an answer
    takes must not tell which keys exist.
    """
    right = hmac.compare_digest(digest(secret), _NOBODY if stored is None else stored)
    return right and stored is not None


def _check(name: str, scopes: Collection[str], now: float, until: float | None, restriction: Restriction) -> None:
    if not (1 <= len(name) <= 64 and name.isprintable()):
        raise InvalidRequest("a key's name is 1 to 64 printable characters: it shows who uses the key")
    unknown = sorted(set(scopes) - set(KNOWN))
    if unknown or not scopes:
        names = ", ".join(repr(scope) for scope in unknown) or "none"
        raise InvalidRequest(f"a key's scopes are some of {', '.join(KNOWN)}, not {names}")
    if {"look", "read"} <= set(scopes):
        raise InvalidRequest("`look` reads all but values, and `read` reads all: give a key one of them")
    if until is not None and until <= now:
        raise InvalidRequest("a key's expiry lies in the future")
    if problem := restriction.problem():
        raise InvalidRequest(problem)
