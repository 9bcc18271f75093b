"""The signed text of an answer link: what it carries, and how it is signed, narrowed and checked. Pure.

    sfl1.<key id>.<claims>.<mac>                  any answer
    sfl1.<key id>.<claims>.<answer>.<mac>         this answer alone

Claims and answer are base64url of JSON. The first MAC is HMAC-SHA256 of all before it under the key; the second is
HMAC-SHA256 of the answer under the first MAC, which is then left out. So workflow code can narrow a link to one answer
without the key, and nobody can widen it again (https://research.google/pubs/pub41892/, "Macaroons").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from urllib.parse import parse_qs, urlsplit

from stepfast.records import dataclass

PREFIX = "sfl1"
PATH = "/v1/callbacks"
"""Where the API takes answers. The token is in the query, which access logs of the gateway leave out."""
LONGEST_TOKEN = 2_000
"""Characters. Mail programs and proxies take addresses of about this length."""
LONGEST_ANSWER = 600
"""Characters of the JSON of an answer that a link is narrowed to."""
_PART = r"[A-Za-z0-9_-]+"
_TOKEN = re.compile(rf"{PREFIX}\.([0-9a-f]{{8}})\.({_PART})(?:\.({_PART}))?\.([A-Za-z0-9_-]{{43}})")
_IN_TEXT = re.compile(rf"({PREFIX}\.[0-9a-f]{{8}})\.[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class LinkClaims:
    """What a token says. It holds only once `is_signed` was true.

    link: the name of the wait, which no other wait of the execution has, of whatever run or generation. expires_at:
    seconds since the epoch. answer: the only answer that the link takes, as JSON text; None for any.
    """

    key_id: str
    execution_id: str
    link: str
    expires_at: float
    answer: str | None = None


def signed(key_id: str, secret: bytes, execution_id: str, link: str, expires_at: float) -> str:
    """The token of a link that takes any answer."""
    claims = json.dumps([execution_id, link, expires_at], separators=(",", ":"))
    body = f"{PREFIX}.{key_id}.{_encoded(claims.encode())}"
    return f"{body}.{_mac(secret, body)}"


def narrowed(url: str, answer: str) -> str:
    """The address of a link that takes this answer alone, as JSON text. The address is one that takes any answer."""
    body, _, mac = url.rpartition(".")
    caveat = _encoded(answer.encode())
    return f"{body}.{caveat}.{_mac(mac.encode(), caveat)}"


def claims_of(token: str) -> LinkClaims | None:
    """What a token claims; None for a text that is no token. The caller must ask `is_signed` before it is used."""
    match = _TOKEN.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
    if match is None:
        return None
    try:
        execution_id, link, expires_at = json.loads(_decoded(match[2]))
        answer = _decoded(match[3]).decode() if match[3] is not None else None
        return LinkClaims(match[1], str(execution_id), str(link), float(expires_at), answer)
    except (ValueError, TypeError):
        return None


def is_signed(token: str, secret: bytes) -> bool:
    """Whether the token was signed with this key, and nothing in it was changed since.

    The texts are compared, not the bytes that they stand for: the last character of base64 has bits that decoding
    ignores, and a changed token must never pass.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return False
    expected = _mac(secret, f"{PREFIX}.{match[1]}.{match[2]}")
    if match[3] is not None:
        expected = _mac(expected.encode(), match[3])
    return hmac.compare_digest(expected, match[4])


def token_in(url: str) -> str:
    """The token in the address of a link; "" for another address."""
    return (parse_qs(urlsplit(url).query).get("token") or [""])[0]


def masked(text: str) -> str:
    """The text with each token cut after the id of its key: what logs, and callers who may not answer, get to see."""
    return _IN_TEXT.sub(r"\1.…", text) if PREFIX in text else text


def _mac(key: bytes, text: str) -> str:
    return _encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
