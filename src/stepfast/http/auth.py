"""Authorization: who may call which route.

A caller has an API key, or the gateway in front has authenticated it. With neither configured, programs on this machine
may call, and web pages in its browser may not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from stepfast.api_key import ApiKey
from stepfast.errors import StartupError
from stepfast.http.key_file import KeyFile
from stepfast.http.problems import Rejected
from stepfast.loopback import is_loopback
from stepfast.records import dataclass
from stepfast.restriction import NONE, Restriction

VARIABLE = "STEPFAST_API_KEYS"
FILE_VARIABLE = "STEPFAST_API_KEYS_FILE"
Scope = Literal["read", "run", "operate"]
"""The scopes of a caller: read; run (start, signal); operate (cancel, resume, replay). No scope includes another."""
SCOPES: frozenset[str] = frozenset(get_args(Scope))
LOOK = "look"
"""What a key may have in place of `read`: it reads all but the values of executions."""
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller may do: its scopes, perhaps `look`, and what it is limited to."""

    scopes: frozenset[str]
    restriction: Restriction = NONE

    @property
    def reads_values(self) -> bool:
        """False for a caller that may look, but not at values."""
        return LOOK not in self.scopes or "read" in self.scopes

    def as_text(self) -> str:
        """The grant as JSON text, for another process of the same application."""
        return json.dumps({"scopes": sorted(self.scopes), "restriction": self.restriction.as_json()})

    @classmethod
    def of_text(cls, text: str) -> Grant:
        """Reads what `as_text` has made. Raises ValueError, KeyError or TypeError."""
        said = json.loads(text)
        return cls(frozenset(map(str, said["scopes"])), Restriction.of_json(said["restriction"]))


EVERYTHING = Grant(SCOPES)


def needs(scope: Scope | None) -> Callable[[F], F]:
    """Declares the scope that a route's function needs; None if any caller may use it."""

    def mark(function: F) -> F:
        vars(function)["needs"] = scope
        return function

    return mark


def require(scope: Scope | None, granted: frozenset[str]) -> None:
    """Raises Rejected (403) if the scope is not among those granted."""
    if scope is not None and scope not in granted and not (scope == "read" and LOOK in granted):
        held = ", ".join(sorted(granted)) or "none"
        detail = f"this needs the scope {scope!r}, and the API key has: {held}"
        raise Rejected(403, "scope-missing", "Not with this key", detail, scope=scope)


class GatewayAuth:
    """Trusts the gateway that calls: its Lambda authorizer names the scopes, or IAM has let the caller in.

    by: which of the two; what the other would say is not looked at. A caller known by IAM has all scopes:
    what may be called is then its policy's to say. With "jwt" the authorizer takes keys and tokens. A proxy in front
    may add a token to what a browser sends for a page of another site, so those requests may only read.
    """

    def __init__(self, by: Literal["keys", "iam", "jwt"] = "keys") -> None:
        self._by = by

    def granted(self, event: Mapping[str, Any]) -> Grant:
        """What the caller may do, from the event's request context. Raises Rejected if it names no caller."""
        authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
        if self._by == "iam" and authorizer.get("iam"):
            return EVERYTHING
        if self._by == "jwt":
            refuse_foreign_pages_in(event)
        if self._by in ("keys", "jwt") and authorizer.get("lambda"):
            return _grant_in(authorizer["lambda"])
        raise Rejected(401, "unauthorized", "Not let in", "the gateway in front has not said who calls")


class Trusted(GatewayAuth):
    """Trusts the application that the API is mounted in: it has authenticated every caller, who has all scopes.

    The application may know its callers by a cookie, which a browser also sends for pages of other sites. Requests of
    those pages are therefore refused, except requests that only read.
    """

    def granted(self, event: Mapping[str, Any]) -> Grant:
        refuse_foreign_pages_in(event)
        return EVERYTHING


class Authenticator:
    """Takes any of a list of API keys, from `Authorization: Bearer` or `x-api-key`; keeps only their digests.

    Each of them has all scopes. Those of the file may do what it says.
    """

    def __init__(self, keys: Iterable[str], file: KeyFile | None = None) -> None:
        self._digests, self._file = [_digest(key) for key in keys], file

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Authenticator | None:
        """The keys in STEPFAST_API_KEYS, separated by commas, and those in the file that STEPFAST_API_KEYS_FILE names.

        None where both are unset or empty.
        """
        text, named = environment.get(VARIABLE, "").strip(), environment.get(FILE_VARIABLE, "").strip()
        file = KeyFile(Path(named)) if named else None
        if file is not None:
            file.check()
        if not text:
            return None if file is None else cls((), file)
        keys = [key.strip() for key in text.split(",")]
        if not all(key and key.isascii() and key.isprintable() for key in keys):
            raise StartupError(f"{VARIABLE} holds an empty or unprintable key: separate keys by single commas")
        return cls(keys, file)

    def admit(self, headers: Mapping[str, str]) -> Grant:
        """What the key of a request may do. Raises Rejected (401) if it has none of the keys.

        Header names are in lower case.
        """
        key = key_in(headers)
        if (named := self.named(headers)) is not None:
            return Grant((SCOPES | {LOOK}) & frozenset(named.scopes), named.restriction)
        digest = _digest(key)
        # A list, not a generator: all keys are compared, each in constant time, so the time taken reveals nothing.
        if not sum([hmac.compare_digest(digest, known) for known in self._digests]):
            detail = "send an API key as `Authorization: Bearer KEY`" if not key else "the API key is not one of ours"
            raise Rejected(401, "unauthorized", "API key needed", detail, {"WWW-Authenticate": "Bearer"})
        return EVERYTHING

    def named(self, headers: Mapping[str, str]) -> ApiKey | None:
        """The key of the file that a request has, if it works now."""
        return None if self._file is None else self._file.find(key_in(headers), time.time())


def caller_of(event: Mapping[str, Any], keys: Authenticator | GatewayAuth | None) -> str | None:
    """The name of an admitted caller: the key's name, a part of its digest, or the ARN of an AWS principal."""
    if keys is None:
        return None
    if isinstance(keys, GatewayAuth):
        authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
        name = (authorizer.get("lambda") or {}).get("key") or (authorizer.get("iam") or {}).get("userArn")
        return str(name) if name else None
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    named = keys.named(headers)
    return f"key {_digest(key_in(headers)).hex()[:8]}" if named is None else named.name


def refuse_foreign_pages(headers: Mapping[str, str], method: str) -> None:
    """Raises Rejected (403) for a request of another site's page that may change something."""
    site, origin = headers.get("sec-fetch-site", "none").lower(), headers.get("origin")
    same = origin is None or site == "same-origin" or _is_of(origin, headers.get("host"))
    if method not in ("GET", "HEAD") and not (same and site in ("none", "same-origin")):
        raise Rejected(403, "forbidden-origin", "Not from this page", "pages of other sites may not change anything")


def refuse_foreign_pages_in(event: Mapping[str, Any]) -> None:
    """The same for a request as API Gateway describes it."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    refuse_foreign_pages(headers, ((event.get("requestContext") or {}).get("http") or {}).get("method") or "")


def _grant_in(context: Mapping[str, Any]) -> Grant:
    """What the authorizer says of a key. Of a limited key all is in `limited`, which older versions do not read."""
    scopes, restriction = str(context.get("scopes") or ""), Restriction()
    if context.get("limited"):
        try:
            limited = json.loads(str(context["limited"]))
            scopes, restriction = str(limited["scopes"]), Restriction.of_json(limited["restriction"])
        except (ValueError, KeyError, TypeError) as error:
            detail = "the gateway in front has said something about this key that this version does not understand"
            raise Rejected(401, "unauthorized", "Not let in", detail) from error
    return Grant((SCOPES | {LOOK}) & frozenset(scopes.split()), restriction)


def key_in(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def admit_local(headers: Mapping[str, str], method: str = "GET") -> None:
    """Without keys: refuses what a web page can make a browser send to this machine.

    A page whose name resolves to loopback (DNS rebinding) shows in Host. A page of another site shows in Origin, which
    a browser sends with every request that is no GET, and in Sec-Fetch-Site, which it sends always; programs that are
    no browser send neither. A page of another port of this machine may ask, since a browser keeps the answer from it,
    and change nothing.
    """
    host = headers.get("host")
    if host is not None and not _is_loopback(host):
        raise Rejected(
            403,
            "forbidden-host",
            "Loopback only",
            "without API keys stepfast answers only to localhost and loopback addresses: "
            f"set {VARIABLE} to serve other names",
        )
    reads = method in ("GET", "HEAD")
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none").lower()
    if origin is not None:
        admitted = _is_of(origin, host) or (reads and _is_page_here(origin))
    elif reads:  # a link to the dashboard may be followed from any site
        admitted = site != "cross-site" or headers.get("sec-fetch-mode", "").lower() == "navigate"
    else:
        admitted = site in ("none", "same-origin")
    if not admitted:
        detail = f"without API keys stepfast takes no requests of web pages from elsewhere: set {VARIABLE}"
        raise Rejected(403, "forbidden-origin", "Not from this page", detail)


def _is_of(origin: str, host: str | None) -> bool:
    """Whether the origin is a page of this server: same host name, same port."""
    scheme, separator, place = origin.lower().partition("://")
    return separator != "" and scheme in ("http", "https") and host is not None and place == host.lower()


def _is_page_here(origin: str) -> bool:
    scheme, separator, place = origin.lower().partition("://")
    return separator != "" and scheme in ("http", "https") and _is_loopback(place)


def require_json(headers: Mapping[str, str]) -> None:
    """Rejects a body that is not declared as JSON.

    A page cannot send that content type to another site without a CORS preflight, which this server never grants.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        detail = f"send the body as `Content-Type: application/json`, not {kind[:100] or 'without a type'}"
        raise Rejected(415, "unsupported-media-type", "Not JSON", detail)
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        detail = f"send the body as it is, without `Content-Encoding: {encoding[:100]}`: nothing is decompressed"
        raise Rejected(415, "unsupported-encoding", "Encoded body", detail, {"Accept-Encoding": "identity"})


def check_type(headers: Mapping[str, str]) -> None:
    """The same check by the headers alone, before the body is read."""
    if "transfer-encoding" in headers or headers.get("content-length", "0").strip("0"):
        require_json(headers)


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?")


def _is_loopback(host: str) -> bool:
    """Whether a Host header names this machine: a loopback name or address and perhaps a port, nothing more."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].strip("[]").rstrip(".").lower()
    return name.endswith(".localhost") or is_loopback(name)
