"""Signs webhooks and checks the signatures of those that arrive. Pure.

Ours are signed as Standard Webhooks 1.0.0 says, with symmetric keys
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). Those of other services
are checked by the rules of their documentation: https://docs.stripe.com/webhooks#verify-manually and
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

Scheme = Literal["standard", "stripe", "github"]
SCHEMES: tuple[str, ...] = get_args(Scheme)
SECRET_PREFIX = "whsec_"
LEAST_KEY_BYTES, MOST_KEY_BYTES = 24, 64
"""The lengths that the specification allows for a key."""
LONGEST_EVENT_ID = 256


SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "x-hub-signature-256")
"""The headers that the schemes read."""


def keys_in(text: str, scheme: Scheme = "standard") -> tuple[bytes, ...]:
    """The keys of a secret: several, separated by spaces, while one replaces another.

    A key of Standard Webhooks is base64 of 24 to 64 bytes after `whsec_`. Other services use the secret as it is.
    Raises ValueError, which does not quote the secret.
    """
    words = text.split()
    if not words:
        raise ValueError("the secret is empty")
    return tuple(_key(word) if scheme == "standard" else word.encode() for word in words)


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not word.startswith(SECRET_PREFIX) or not LEAST_KEY_BYTES <= len(key) <= MOST_KEY_BYTES:
        raise ValueError(
            f"the secret must be {SECRET_PREFIX} and base64 of {LEAST_KEY_BYTES} to {MOST_KEY_BYTES} bytes"
        )
    return key


def headers_for(keys: Sequence[bytes], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a webhook that is sent at this time, in seconds since the epoch, signed with each of the keys."""
    signed = [f"v1,{_encoded(_mac(key, event_id, str(timestamp), body))}" for key in keys]
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": " ".join(signed)}


def event_id_in(
    scheme: Scheme, keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float, tolerance: float
) -> str | None:
    """The id of the event that a request brings; None for a request that is not signed with one of the keys.

    headers: with names in lower case. tolerance: the seconds by which the time of the signature may differ from `now`.
    Every id comes from signed content, so that nobody can make a new event of an old one. Signatures are compared in
    constant time.
    """
    if scheme == "stripe":
        return _of_stripe(keys, headers, body, now, tolerance)
    if scheme == "github":
        return _of_github(keys, headers, body)
    event_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    sent = [text.encode() for kind, _, text in _pairs(headers.get("webhook-signature", ""), " ", ",") if kind == "v1"]
    expected = [_encoded(_mac(key, event_id, stamp, body)).encode() for key in keys]
    # With a full stop in the id or the time, two requests could have the same signed content.
    if not _is_among(sent, expected) or not _is_fresh(stamp, now, tolerance) or "." in event_id:
        return None
    return event_id if 0 < len(event_id) <= LONGEST_EVENT_ID else None


def _of_stripe(
    keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float, tolerance: float
) -> str | None:
    pairs = _pairs(headers.get("stripe-signature", ""), ",", "=")
    stamp = next((text for kind, _, text in pairs if kind == "t"), "")
    expected = [hmac.new(key, stamp.encode() + b"." + body, hashlib.sha256).hexdigest().encode() for key in keys]
    if not _is_among([text.encode() for kind, _, text in pairs if kind == "v1"], expected):
        return None
    if not _is_fresh(stamp, now, tolerance):
        return None
    try:
        event_id = json.loads(body)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return event_id if isinstance(event_id, str) and 0 < len(event_id) <= LONGEST_EVENT_ID else None


def _of_github(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> str | None:
    """GitHub signs the body alone, neither a time nor the id of the delivery. So the body is its own id."""
    sent = headers.get("x-hub-signature-256", "").encode()
    expected = [b"sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in keys]
    return hashlib.sha256(body).hexdigest() if _is_among([sent], expected) else None


def _is_among(sent: Sequence[bytes], expected: Sequence[bytes]) -> bool:
    # A list, not a generator: all are compared, so that the time taken does not tell which one was right.
    return any([hmac.compare_digest(signature, wanted) for signature in sent for wanted in expected])  # noqa: C419


def _is_fresh(stamp: str, now: float, tolerance: float) -> bool:
    return stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and abs(now - int(stamp)) <= tolerance


def _pairs(header: str, between: str, inside: str) -> list[tuple[str, str, str]]:
    return [part.strip().partition(inside) for part in header.split(between)[:20]]


def _mac(key: bytes, event_id: str, stamp: str, body: bytes) -> bytes:
    return hmac.new(key, f"{event_id}.{stamp}.".encode() + body, hashlib.sha256).digest()


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
