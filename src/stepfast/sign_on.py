"""Sign-on: what a token (JWT) of a company's issuer allows its bearer, by the settings `[tool.stepfast.jwt]`."""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stepfast.api_key import KNOWN, ApiKey
from stepfast.errors import StartupError, Unavailable
from stepfast.issuer_keys import IssuerKeys, is_safe, read_address
from stepfast.page_sign_on import CLIENT_SETTINGS, PageSignOn
from stepfast.setting_tables import as_table, require_known

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key. With the others, whoever can check a token can also make one."""
FORWARDED = "x-forwarded-access-token"
"""The header in which oauth2-proxy hands a token on. It is checked as any token: no header is believed."""
LEEWAY_SECONDS = 30
"""How far the issuer's clock may be from ours."""
MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_NAME_CHARACTERS = 64
_LEAST_RSA_BITS = 2048
_SETTINGS: Mapping[str, tuple[type, str]] = {
    "issuer": (str, "an address that begins with `https://`"),
    "audience": (str, "a text"),
    "algorithms": (list, f"a list of some of {', '.join(ALGORITHMS)}"),
    "scopes_claim": (str, "the name of a claim"),
    "scopes": (dict, "a table: lists of scopes by a value of the claim"),
    "name_claim": (str, "the name of a claim"),
    **CLIENT_SETTINGS,
}
"""What each setting takes, in words."""


@dataclass(frozen=True, slots=True)
class SignOnSettings:
    """Which tokens are taken, and what they allow.

    issuer: the address of the issuer, as its tokens name it.
    audience: what the tokens must be for.
    scopes: the scopes by a value of the claim.
    algorithms: of the signatures of the tokens.
    scopes_claim: the claim that says what the bearer is: a list, or words separated by spaces.
    name_claim: the claim that the history names callers by; without it, the subject.
    page: how the page signs in; None where it asks for a key.
    """

    issuer: str
    audience: str
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    algorithms: tuple[str, ...] = ("RS256",)
    scopes_claim: str = "scope"
    name_claim: str = "sub"
    page: PageSignOn | None = None

    @classmethod
    def of(cls, table: object, where: str = "tool.stepfast.jwt") -> SignOnSettings:
        """Reads `[tool.stepfast.jwt]`. Raises StartupError, which names the setting that is wrong.

        table: the settings, as TOML has them.
        where: the name of the table in errors.
        """
        table = as_table(where, table)
        require_known(where, table, _SETTINGS)
        for name in ("issuer", "audience", "scopes_claim", "name_claim"):
            needed = name in ("issuer", "audience")
            if (needed or name in table) and not (isinstance(table.get(name), str) and table[name].strip()):
                raise StartupError(f"[{where}] {name} is a text, not {table.get(name)!r}")
        if not is_safe(table["issuer"]):
            raise StartupError(f"[{where}] issuer is an address that begins with https://, not {table['issuer']!r}")
        algorithms = table.get("algorithms", ["RS256"])
        if not isinstance(algorithms, list) or not algorithms or any(name not in ALGORITHMS for name in algorithms):
            raise StartupError(f"[{where}] algorithms is a list of some of {', '.join(ALGORITHMS)}, not {algorithms!r}")
        scopes = _scopes_of(table.get("scopes"), where)
        texts = {name: table[name] for name in ("scopes_claim", "name_claim") if name in table}
        page = PageSignOn.of(table, where)
        return cls(table["issuer"], table["audience"], scopes, tuple(algorithms), page=page, **texts)

    def as_text(self) -> str:
        """The table as JSON text, without the page's part, for the function that checks tokens in a deployment."""
        said = asdict(self)
        del said["page"]
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str, where: str) -> SignOnSettings:
        """Reads what `as_text` has made. Raises StartupError.

        text: JSON.
        where: the name of the settings in errors.
        """
        try:
            return cls.of(json.loads(text), where)
        except ValueError as error:
            raise StartupError(f"{where} is not JSON") from error


def is_token(text: str) -> bool:
    """Whether a caller's text is a token rather than an API key."""
    return text.count(".") == 2


def _scopes_of(table: object, where: str) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(table, Mapping) or not table:
        raise StartupError(f"[{where}.scopes] gives the scopes by a value of the claim, such as operators = ['read']")
    for value, scopes in table.items():
        if not isinstance(scopes, list) or not scopes or any(scope not in KNOWN for scope in scopes):
            raise StartupError(f"[{where}.scopes] {value} is a list of some of {', '.join(KNOWN)}, not {scopes!r}")
    return {str(value): tuple(scopes) for value, scopes in table.items()}


class SignOn:
    """Checks tokens of one issuer. Raises StartupError where the extra `sign-on` is not installed."""

    def __init__(self, settings: SignOnSettings, keys: IssuerKeys | None = None) -> None:
        try:
            self._jwt: Any = importlib.import_module("jwt")
            importlib.import_module("cryptography")
        except ImportError as error:
            raise StartupError("auth = \"jwt\" needs an extra: pip install 'stepfast[sign-on]'") from error
        self._settings = settings
        self._keys = keys or IssuerKeys(settings.issuer, read_address, time.monotonic)

    @staticmethod
    def token_in(sent: str, headers: Mapping[str, str]) -> str | None:
        """The token of a request; None if it has an API key, or neither.

        sent: its key or token. headers: with names in lower case.
        """
        token = sent or headers.get(FORWARDED, "").strip()
        return token if is_token(token) else None

    def would_read(self, token: str) -> bool:
        """Whether `find` would wait for the issuer."""
        named = self._named(token)
        return named is not None and self._keys.would_read(named[0])

    def find(self, token: str) -> ApiKey | None:
        """What the token allows, in the form of a key; None if it allows nothing. Raises Unavailable.

        The reason goes to the log as a class: the answer says only to sign in again.
        """
        try:
            named = self._named(token)
            return None if named is None else self._checked(token, *named)
        except Unavailable:
            raise
        except Exception as error:  # A token is anybody's text: whatever goes wrong with it, it lets nobody in.
            log.info("a token was refused: %s", type(error).__name__)
            return None

    def _named(self, token: str) -> tuple[str, str] | None:
        """The key and the algorithm that a token names, if they may be right."""
        if not is_token(token) or len(token) > MAX_TOKEN_CHARACTERS:
            return None
        try:
            header = self._jwt.get_unverified_header(token)
        except Exception as error:  # A library reads text of an unknown sender
            log.info("a token was refused: %s", type(error).__name__)
            return None
        key_id, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(key_id, str) or algorithm not in self._settings.algorithms:
            log.info("a token was refused: it names no key, or an algorithm that is not among the settings")
            return None
        return key_id, algorithm

    def _checked(self, token: str, key_id: str, algorithm: str) -> ApiKey | None:
        jwk = self._keys.find(key_id)
        if jwk is None or jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
            log.info("a token was refused: the issuer has no such key for signatures")
            return None
        key = self._jwt.PyJWK.from_dict(dict(jwk), algorithm=algorithm)
        if jwk.get("kty") == "RSA" and key.key.key_size < _LEAST_RSA_BITS:
            log.info("a token was refused: the issuer's key is shorter than %d bits", _LEAST_RSA_BITS)
            return None
        claims = self._jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._settings.audience,
            issuer=self._settings.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
        return ApiKey("", self._name_in(claims), self._scopes_in(claims), float(claims["iat"]), float(claims["exp"]))

    def _name_in(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._settings.name_claim)
        text = name if isinstance(name, str) and name.strip() else str(claims["sub"])
        return "".join(letter for letter in text if letter.isprintable())[:MAX_NAME_CHARACTERS]

    def _scopes_in(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """The scopes of all values of the claim. `read` includes `look`."""
        said = claims.get(self._settings.scopes_claim)
        values = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        held = {scope for value in values if isinstance(value, str) for scope in self._settings.scopes.get(value, ())}
        return tuple(scope for scope in KNOWN if scope in held and not (scope == "look" and "read" in held))
