"""The public keys of an issuer of tokens: found by its discovery document, cached, and read again at a bounded rate."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from stepfast.errors import Unavailable
from stepfast.loopback import is_loopback

log = logging.getLogger(__name__)

FRESH_SECONDS = 3600.0
"""Keys of this age are read again."""
ISSUER_KEPT_SECONDS = 24 * 3600.0
"""During an outage of the issuer its last keys are trusted up to this age."""
ISSUER_PAUSE_SECONDS = 30.0
"""The shortest time between two attempts, however many tokens name keys that nobody knows."""
FETCH_SECONDS = 5.0
"""The longest time for one document."""
MAX_DOCUMENT_BYTES = 256 * 1024
_DISCOVERY = "/.well-known/openid-configuration"

Jwk = Mapping[str, Any]
Fetch = Callable[[str], bytes]


class IssuerKeys:
    """The keys of one issuer, by the id that a token names. Threads share it; one of them at a time reads.

    fetch: reads an address. now: seconds of a clock that never goes back.
    """

    def __init__(self, issuer: str, fetch: Fetch, now: Callable[[], float]) -> None:
        self._issuer, self._fetch, self._now = issuer, fetch, now
        self._keys: Mapping[str, Jwk] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._reading = threading.Lock()

    def find(self, key_id: str) -> Jwk | None:
        """The key, or None if the issuer has no such key. May read the issuer's documents. Raises Unavailable."""
        if self.would_read(key_id):
            with self._reading:
                if self._is_due(key_id):
                    self._read()
        age = self._age()
        if age is None or age >= ISSUER_KEPT_SECONDS:
            raise Unavailable(f"the keys of {self._issuer} cannot be read at the moment; try again")
        return self._keys.get(key_id)

    def would_read(self, key_id: str) -> bool:
        """Whether `find` would wait for the issuer."""
        # While another thread reads the keys, a request for an unknown key waits: the key may be among them.
        return self._is_due(key_id) or (self._reading.locked() and key_id not in self._keys)

    def _is_due(self, key_id: str) -> bool:
        age, now = self._age(), self._now()
        wanted = age is None or age >= FRESH_SECONDS or key_id not in self._keys
        return wanted and (self._tried_at is None or now - self._tried_at >= ISSUER_PAUSE_SECONDS)

    def _age(self) -> float | None:
        return None if self._read_at is None else self._now() - self._read_at

    def _read(self) -> None:
        try:
            document = _object(self._fetch(self._issuer.rstrip("/") + _DISCOVERY))
            if document.get("issuer") != self._issuer:
                raise ValueError("the discovery document names another issuer")
            address = str(document.get("jwks_uri"))
            if not is_safe(address):
                raise ValueError("the address of the keys does not begin with https://")
            listed = _object(self._fetch(address)).get("keys")
            if not isinstance(listed, list):
                raise ValueError("the document of the keys has no list of keys")
            self._keys = {
                key["kid"]: key for key in listed if isinstance(key, dict) and isinstance(key.get("kid"), str)
            }
            self._read_at = self._now()
        except Exception as error:  # of the network or of what the issuer has sent: either way the last keys stay
            log.warning("the keys of the issuer %s could not be read: %s", self._issuer, type(error).__name__)
        finally:
            self._tried_at = self._now()


def is_safe(address: str) -> bool:
    """Whether keys may be read from there: over TLS, or on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def read_address(address: str, seconds: float = FETCH_SECONDS) -> bytes:
    """The body behind an address, which is neither redirected nor large. Raises httpx.HTTPError or ValueError.

    seconds: for connecting, and for the whole body.
    """
    import httpx  # The authorizer of a deployment without sign-on does not need it.

    body, begun = bytearray(), time.monotonic()
    with httpx.stream("GET", address, timeout=seconds, follow_redirects=False) as response:
        if response.status_code != 200:
            raise ValueError(f"the answer has the status {response.status_code}")
        for part in response.iter_bytes():
            body += part
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError("the document is too large")
            # The time-out of the client starts again with each part.
            if time.monotonic() - begun > seconds:
                raise ValueError("the document takes too long")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("the document is not a JSON object")
    return value
