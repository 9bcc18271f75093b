"""Authorizer of the HTTP API (payload 2.0, simple responses): what an API key or a token allows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from stepfast.api_key import ApiKey
from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.deployment.settings import JWT, Settings
from stepfast.functions.clients import Clients
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host

if TYPE_CHECKING:
    from stepfast.sign_on import SignOn

__all__ = ["handler"]

ISSUER_SECONDS = 2.0
"""The longest time for one document of the issuer. API Gateway waits 10 seconds for an authorizer."""
REFUSED: dict[str, Any] = {"isAuthorized": False}


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler.

    If the table or the issuer cannot be reached the handler raises, and API Gateway answers 500: a caller must not read
    an outage as a wrong key. Format 2.0 with simple responses:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
    """
    clock = (host or Host()).clock
    keys, sign_on = ApiKeys(clients.dynamodb, settings.table), _sign_on(settings)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        headers = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        token = _token(headers)
        if sign_on is None:
            key = keys.find(token, clock.now())
        else:
            signed_on = sign_on.token_in(token, headers)
            key = keys.find(token, clock.now()) if signed_on is None else sign_on.find(signed_on)
        if key is None:
            return dict(REFUSED)
        return {"isAuthorized": True, "context": _context(key)}

    return handler


def _context(key: ApiKey) -> dict[str, str]:
    """What the api function receives about a key. Values are texts: API Gateway hands on no others."""
    scopes = " ".join(key.scopes)
    if not key.restriction:
        return {"scopes": scopes, "key": key.name}
    # An api function of an older version looks at `scopes` only, and so finds none.
    limited = {"scopes": scopes, "restriction": key.restriction.as_json()}
    return {"scopes": "", "key": key.name, "limited": json.dumps(limited)}


def _token(headers: Mapping[str, str]) -> str:
    """The key as it was sent: `Authorization: Bearer KEY`, or `x-api-key`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()


def _sign_on(settings: Settings) -> SignOn | None:
    """What checks tokens. Without the setting its packages are neither imported nor in the bundle."""
    if not settings.jwt:
        return None
    from stepfast.issuer_keys import IssuerKeys, read_address
    from stepfast.sign_on import SignOn, SignOnSettings

    wanted = SignOnSettings.of_text(settings.jwt, JWT)
    return SignOn(wanted, IssuerKeys(wanted.issuer, partial(read_address, seconds=ISSUER_SECONDS), time.monotonic))


handler = EntryPoint("authorizer", build)
