"""An issuer of tokens on loopback, with real keys and real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.loopback_servers import served_by

AUDIENCE = "stepfast"
CURVES: dict[str, Any] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}


class TestIssuer:
    """Publishes its keys, counts who asks for them, and makes tokens."""

    __test__ = False

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.algorithms: dict[str, str] = {}
        self.asked: list[str] = []
        self.away = False
        self.claimed: str | None = None
        self.address = ""
        self.add_key("first")

    def add_key(self, key_id: str, bits: int = 2048, algorithm: str = "RS256") -> None:
        self.algorithms[key_id] = algorithm
        if algorithm == "EdDSA":
            self.keys[key_id] = ed25519.Ed25519PrivateKey.generate()
        elif algorithm in CURVES:
            self.keys[key_id] = ec.generate_private_key(CURVES[algorithm])
        else:
            self.keys[key_id] = rsa.generate_private_key(public_exponent=65537, key_size=bits)

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        said = {"iss": self.address, "aud": AUDIENCE, "sub": "u-1", "email": "ada@example.com", "iat": now}
        said |= {"exp": now + 300, "groups": ["operators"], **changed}
        return {name: value for name, value in said.items() if value is not None}

    def token(self, key_id: str = "first", signer: str = "first", **changed: Any) -> str:
        return jwt.encode(self.claims(**changed), self.keys[signer], self.algorithms[signer], {"kid": key_id})

    def answer(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        if self.away:
            return None
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.claimed or self.address, "jwks_uri": f"{self.address}/keys"}
        listed = [
            {**_public(key), "kid": key_id, "use": "sig", "alg": self.algorithms[key_id]}
            for key_id, key in self.keys.items()
        ]
        return {"keys": listed} if path == "/keys" else None


def table(address: str, **changed: Any) -> dict[str, Any]:
    scopes = {"operators": ["read", "run", "operate"], "support": ["look"], "both": ["look", "read"]}
    said = {"issuer": address, "audience": AUDIENCE, "scopes_claim": "groups", "name_claim": "email", "scopes": scopes}
    return {**said, **changed}


def _public(key: Any) -> dict[str, Any]:
    kinds: dict[type, Any] = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
    }
    kind = next((made for known, made in kinds.items() if isinstance(key, known)), jwt.algorithms.OKPAlgorithm)
    return dict(kind.to_jwk(key.public_key(), as_dict=True))


@contextmanager
def issuing() -> Iterator[TestIssuer]:
    """An issuer that answers until the end of the block."""
    issuer = TestIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer.answer(self.path)
            body = json.dumps(document).encode()
            self.send_response(503 if document is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the tests look at `asked`."""

    with served_by(Handler) as issuer.address:
        yield issuer
