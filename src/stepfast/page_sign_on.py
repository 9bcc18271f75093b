"""How the page signs its user in at a company's issuer: what it learns of the settings `[tool.stepfast.jwt]`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from stepfast.errors import StartupError
from stepfast.issuer_keys import is_safe

CLIENT_SETTINGS: Mapping[str, tuple[type, str]] = {
    "client_id": (str, "a text"),
    "client_scope": (str, "words separated by spaces, `openid` among them"),
    "client_parameters": (dict, "a table of texts"),
    "client_token": (str, "`access_token` or `id_token`"),
    "client_origins": (list, "a list of addresses without a path"),
}
"""The settings of the page's own sign-on, and what each takes, in words."""
CLIENT_TOKENS = ("access_token", "id_token")
_OWN = (
    "client_id code_challenge code_challenge_method nonce redirect_uri request request_uri response_mode response_type"
)
RESERVED_PARAMETERS = frozenset((*_OWN.split(), "scope", "state"))
"""Parameters of the request that the page makes itself. Others in their place would take away its protection."""


@dataclass(frozen=True, slots=True)
class PageSignOn:
    """What the page needs to sign in, none of it secret.

    issuer: its address.
    client_id: the public client at the issuer that the page signs in as.
    client_scope: what the page asks the issuer for.
    client_parameters: further parameters of that request, such as `audience` or `resource`.
    client_token: which of the issuer's tokens the page calls the API with.
    client_origins: where the issuer's documents and tokens are, if that is not its own origin.
    """

    issuer: str
    client_id: str
    client_scope: str = "openid"
    client_parameters: Mapping[str, str] = field(default_factory=dict)
    client_token: str = "access_token"
    client_origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any], where: str) -> PageSignOn | None:
        """Reads the `client_` settings of the table; None without `client_id`. Raises StartupError.

        table: with an issuer that has been checked.
        where: the name of the table in errors.
        """
        set_here = [name for name in CLIENT_SETTINGS if name in table]
        if not set_here:
            return None
        client_id = table.get("client_id")
        if not isinstance(client_id, str) or not client_id.strip():
            raise StartupError(f"[{where}] {set_here[0]} needs client_id, the page's name at the issuer, a text")
        scope = table.get("client_scope", "openid")
        if not isinstance(scope, str) or "openid" not in scope.split():
            raise StartupError(f"[{where}] client_scope is words, `openid` among them, not {scope!r}")
        token = table.get("client_token", "access_token")
        if token not in CLIENT_TOKENS:
            raise StartupError(f"[{where}] client_token is `access_token` or `id_token`, not {token!r}")
        parameters = table.get("client_parameters", {})
        if not isinstance(parameters, Mapping) or not all(isinstance(value, str) for value in parameters.values()):
            raise StartupError(f"[{where}] client_parameters is a table of texts, not {parameters!r}")
        if taken := sorted(RESERVED_PARAMETERS & parameters.keys()):
            raise StartupError(f"[{where}] client_parameters: the page itself sets {taken[0]}")
        origins = table.get("client_origins", [])
        if not isinstance(origins, list) or not all(
            isinstance(origin, str) and _is_origin(origin) for origin in origins
        ):
            raise StartupError(
                f"[{where}] client_origins is a list of addresses without a path, such as "
                f"https://tokens.example.com, not {origins!r}"
            )
        if not _is_origin(_origin_of(table["issuer"])):
            raise StartupError(
                f"[{where}] issuer: the page cannot call {table['issuer']!r}: leave out user and password"
            )
        return cls(table["issuer"], client_id, scope, dict(parameters), token, tuple(origins))

    def as_text(self) -> str:
        """The settings as JSON text, for the page and for the function that serves it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str, where: str) -> PageSignOn:
        """Reads what `as_text` has made. Raises StartupError.

        text: JSON.
        where: the name of the variable in errors.
        """
        try:
            said = json.loads(text)
            return cls(**{**said, "client_origins": tuple(said["client_origins"])})
        except (ValueError, TypeError, KeyError) as error:
            raise StartupError(f"{where} is not what the stack writes: deploy again") from error

    @property
    def connects(self) -> tuple[str, ...]:
        """The origins that the page calls to sign in."""
        return tuple(dict.fromkeys((_origin_of(self.issuer), *self.client_origins)))


def _is_origin(text: str) -> bool:
    """Whether it may stand in a security policy: scheme, host and port only."""
    if not is_safe(text):
        return False
    return text == _origin_of(text) and not set(text) & set(" ;,'\"*@")


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
