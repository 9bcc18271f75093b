"""Authorizer of the HTTP API (payload 2.0, simple responses): an API key to what it may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepfast.api_key import ApiKey
from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.deployment.settings import Settings
from stepfast.functions.clients import Clients
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host

__all__ = ["handler"]

REFUSED: dict[str, Any] = {"isAuthorized": False}


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler.

    If the table cannot be reached the handler raises, and API Gateway answers 500: a caller must not read an outage
    as a wrong key. Format 2.0 with simple responses:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
    """
    clock = (host or Host()).clock
    keys = ApiKeys(clients.dynamodb, settings.table)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        key = keys.find(_token(event.get("headers") or {}), clock.now())
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
    lower = {name.lower(): str(value) for name, value in headers.items()}
    scheme, _, token = lower.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else lower.get("x-api-key", "").strip()


handler = EntryPoint("authorizer", build)
