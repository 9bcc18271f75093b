"""Tokens that nobody may be let in by, for every place that checks tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization

from stepfast.sign_on import MAX_TOKEN_CHARACTERS
from tests.http.issuing import TestIssuer


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unsigned(issuer: TestIssuer, algorithm: str) -> str:
    return f"{_part({'alg': algorithm, 'kid': 'first'})}.{_part(issuer.claims())}."


def _by_public_key(issuer: TestIssuer) -> str:
    public = issuer.keys["first"].public_key()
    secret = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    said = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{_part(issuer.claims())}"
    return f"{said}.{_part(hmac.new(secret, said.encode(), hashlib.sha256).digest())}"


def _altered(issuer: TestIssuer) -> str:
    head, _, signature = issuer.token(groups=["support"]).split(".")
    return f"{head}.{_part(issuer.claims())}.{signature}"


def _with_another_key(issuer: TestIssuer) -> str:
    issuer.add_key("theirs")
    token = issuer.token("first", "theirs")
    del issuer.keys["theirs"]
    return token


def _with_a_short_key(issuer: TestIssuer) -> str:
    issuer.add_key("short", 1024)
    with warnings.catch_warnings(action="ignore"):
        return issuer.token("short", "short")


ATTACKS: dict[str, Callable[[TestIssuer], str]] = {
    "no algorithm": lambda issuer: _unsigned(issuer, "none"),
    "no algorithm, in capitals": lambda issuer: _unsigned(issuer, "NONE"),
    "no signature": lambda issuer: _unsigned(issuer, "RS256"),
    "HMAC with the public key": _by_public_key,
    "altered": _altered,
    "signed by somebody else": _with_another_key,
    "a short key": _with_a_short_key,
    "an unknown key": lambda issuer: issuer.token("unknown"),
    "another issuer": lambda issuer: issuer.token(iss="https://elsewhere.example"),
    "for another API": lambda issuer: issuer.token(aud="another"),
    "expired": lambda issuer: issuer.token(exp=int(time.time()) - 60),
    "not yet valid": lambda issuer: issuer.token(nbf=int(time.time()) + 120),
    "issued in the future": lambda issuer: issuer.token(iat=int(time.time()) + 120),
    "without an end": lambda issuer: issuer.token(exp=None),
    "without an audience": lambda issuer: issuer.token(aud=None),
    "without a subject": lambda issuer: issuer.token(sub=None),
    "a path as its key": lambda issuer: issuer.token("../../keys"),
    "an address as its key": lambda issuer: issuer.token("http://127.0.0.1:1/first"),
    "no text": lambda issuer: "a.b.c",
    "huge": lambda issuer: issuer.token(padding="x" * MAX_TOKEN_CHARACTERS),
}
