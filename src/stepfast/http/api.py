"""The HTTP API as a Lambda handler (API Gateway HTTP API, payload 2.0), which any thread may call."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import Response

from stepfast.http import auth, openapi, problems
from stepfast.http.auth import SCOPES, Authenticator, Gateway
from stepfast.http.bodies import MAX_BODY
from stepfast.http.engine import Call, Engine
from stepfast.http.page import Page
from stepfast.http.problems import Rejected
from stepfast.http.resolver import Pool, Resolver
from stepfast.http.routes import about, dead_letters, executions, figures, listing, starting, steering
from stepfast.operations import Operations
from stepfast.registry import Registry

Handler = Callable[[dict[str, Any], object], dict[str, Any]]
OPEN = "/v1/health"


def build(
    operations: Operations,
    registry: Registry,
    call: Call,
    keys: Authenticator | Gateway | None = None,
    page: Page | None = None,
) -> Handler:
    """Makes the handler; it answers every event and never raises.

    call: runs a coroutine of the engine to its result, from any thread.
    keys: who may call; a Gateway trusts what is in front; None takes requests to loopback names only.
    page: the dashboard, for whoever can reach this; None serves the API alone.
    """
    edition = secrets.token_hex(8)
    pool = Pool(lambda: _resolver(operations, registry, call, edition))

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        try:
            if page is not None and page.has(event):
                if keys is None:
                    auth.admit_local(_headers(event))
                return page.answer(event)
            return pool.resolve(event, context, _admit(event, keys))
        except Exception as error:
            return as_dict(problems.of(error))

    return handler


def _resolver(operations: Operations, registry: Registry, call: Call, edition: str) -> Resolver:
    app = Resolver()
    engine = Engine(operations, registry, call, cache(lambda: openapi.document(app)), edition)
    for routes in (starting, listing, executions, steering, dead_letters, figures, about):
        routes.add(app, engine)
    return app


def _admit(event: dict[str, Any], keys: Authenticator | Gateway | None) -> frozenset[str]:
    """The scopes of the caller; raises Rejected for a request that must not reach a route."""
    granted = SCOPES
    headers = _headers(event)
    if keys is None:
        auth.admit_local(headers)
    elif event.get("rawPath") != OPEN:
        if isinstance(keys, Gateway):
            granted = keys.granted(event)
        else:
            keys.admit(headers)
    body = event.get("body")
    if body:
        # Three bytes are four characters of base64; text is measured as it was sent.
        size = len(body) * 3 // 4 if event.get("isBase64Encoded") else len(body.encode(errors="replace"))
        if size > MAX_BODY:
            raise too_large()
        auth.require_json(headers)
    return granted


def _headers(event: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def too_large() -> Rejected:
    return Rejected(413, "body-too-large", "Body too large", f"a body may have {MAX_BODY} bytes")


def as_dict(response: Response[str]) -> dict[str, Any]:
    return {
        "statusCode": response.status_code,
        "headers": response.headers,
        "cookies": [],
        "body": response.body,
        "isBase64Encoded": False,
    }
