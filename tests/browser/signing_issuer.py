"""An issuer that signs people in, on loopback: OpenID Connect's code flow with PKCE, real keys and real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.http.issuing import TestIssuer
from tests.loopback_servers import served_by

CLIENT = "the-page"
Query = dict[str, str]


@dataclass
class Behaviour:
    """What the issuer does differently from a good one that gives refresh tokens."""

    refreshes: bool = True
    expires_in: int = 300
    access: dict[str, Any] = field(default_factory=dict)
    opaque: bool = False
    nonce: str | None = None
    issuer_in_answer: str | None = None
    signs_out: bool = True
    away: bool = False


class SigningIssuer(TestIssuer):
    """Keeps codes and refresh tokens, each of which works once, and counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.does = Behaviour()
        self.pages: set[str] = set()
        """The addresses of pages that may sign in here."""
        self.codes: dict[str, Query] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.granted: list[str] = []
        self.revoked: list[str] = []
        self.signed_out: list[str] = []
        self.authorizations: list[Query] = []

    def answer(self, path: str) -> dict[str, Any] | None:
        document = super().answer(path)
        if document is None or path != "/.well-known/openid-configuration":
            return document
        endpoints = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "revocation_endpoint": "/revoke",
        }
        if self.does.signs_out:
            endpoints["end_session_endpoint"] = "/logout"
        more: dict[str, Any] = {"authorization_response_iss_parameter_supported": True}
        return document | {name: self.address + place for name, place in endpoints.items()} | more

    def authorize(self, asked: Query, user: str) -> str:
        """Where the browser goes with the code for this user."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked | {"user": user}
        return self.back(asked, code=code)

    def back(self, asked: Query, **said: str) -> str:
        known = {"state": asked["state"], "iss": self.does.issuer_in_answer or self.address}
        return f"{asked['redirect_uri']}?{urlencode(said | known)}"

    def checks(self, asked: Query) -> bool:
        return (
            asked.get("client_id") == CLIENT
            and asked.get("redirect_uri") in self.pages
            and asked.get("response_type") == "code"
            and asked.get("code_challenge_method") == "S256"
            and "openid" in asked.get("scope", "").split()
        )

    def tokens(self, sent: Query) -> tuple[int, dict[str, Any]]:
        """What the token endpoint answers."""
        self.granted.append(sent.get("grant_type", ""))
        if sent.get("grant_type") == "refresh_token":
            user: str | None = self.refresh_tokens.pop(sent.get("refresh_token", ""), None)
            nonce: str | None = None
        else:
            asked = self.codes.pop(sent.get("code", ""), {})
            digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            right = challenge == asked.get("code_challenge") and sent.get("redirect_uri") == asked["redirect_uri"]
            user, nonce = (asked["user"] if right else None), asked.get("nonce")
        if user is None or sent.get("client_id") != CLIENT:
            return 400, {"error": "invalid_grant", "error_description": "it was used before"}
        who: dict[str, Any] = {"sub": user, "email": f"{user}@example.com"}
        access = "opaque" if self.does.opaque else self.token(**who | {"jti": secrets.token_hex(4)} | self.does.access)
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": self.does.expires_in}
        days = int(time.time()) + 7 * 86400  # the tests move the clock of the page
        answer["id_token"] = self.token(**who, aud=CLIENT, nonce=self.does.nonce or nonce, exp=days)
        if self.does.refreshes:
            answer["refresh_token"] = secrets.token_urlsafe(16)
            self.refresh_tokens[answer["refresh_token"]] = user
        return 200, answer


class _Handler(BaseHTTPRequestHandler):
    issuer: SigningIssuer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/authorize":
            return self.authorize(asked)
        if parts.path == "/logout":
            self.issuer.signed_out.append(asked.get("id_token_hint", ""))
            known = asked.get("post_logout_redirect_uri") in self.issuer.pages
            target = asked["post_logout_redirect_uri"] if known else None
            return self.send(302, b"", location=target, set_cookie="user=; Max-Age=0; Path=/")
        document = None if self.issuer.does.away else self.issuer.answer(self.path)
        return self.send(503 if document is None else 200, json.dumps(document).encode())

    def authorize(self, asked: Query) -> None:
        if not self.issuer.checks(asked):
            return self.send(400, b"wrong request", kind="text/plain")
        self.issuer.authorizations.append(asked)
        if asked.get("as") == "nobody":
            back = self.issuer.back(asked, error="access_denied", error_description="Ada said <b>no</b>")
            return self.send(302, b"", location=back)
        user = asked.get("as") or (self.headers.get("Cookie") or "").partition("user=")[2]
        if user:
            place = self.issuer.authorize(asked, user)
            return self.send(302, b"", location=place, set_cookie=f"user={user}; Path=/; HttpOnly")
        links = "".join(
            f'<p><a href="/authorize?{urlencode(asked | {"as": name})}">Continue as {name}</a>'
            for name in ("ada", "bob", "nobody")
        )
        return self.send(200, f"<!doctype html><title>Issuer</title><h1>Who are you?</h1>{links}".encode(), "text/html")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        if self.issuer.does.away:
            return self.send(503, b"{}")
        if self.path == "/revoke":
            self.issuer.revoked.append(sent["token"])
            self.issuer.refresh_tokens.pop(sent["token"], None)
            return self.send(200, b"")
        status, answer = self.issuer.tokens(sent)
        return self.send(status, json.dumps(answer).encode())

    def send(self, status: int, body: bytes, kind: str = "application/json", **headers: str | None) -> None:
        self.send_response(status)
        allowed = {"content-type": kind, "content-length": str(len(body)), "access-control-allow-origin": "*"}
        for name, text in {**allowed, **headers}.items():
            if text is not None:
                self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests look at what the issuer has counted."""


@contextmanager
def signing_issuer() -> Iterator[SigningIssuer]:
    """An issuer that answers until the end of the block."""

    class Handler(_Handler):
        issuer = SigningIssuer()

    with served_by(Handler) as Handler.issuer.address:
        yield Handler.issuer
