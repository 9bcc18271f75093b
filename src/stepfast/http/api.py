"""The HTTP API as a Lambda handler (API Gateway HTTP API, payload 2.0), which any thread may call."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Protocol

from stepfast.engine.caller import called_from
from stepfast.engine.operations import Operations
from stepfast.http import auth, problems, restricting
from stepfast.http.auditing import Auditing
from stepfast.http.auth import EVERYTHING, Authenticator, GatewayAuth, Grant, Scope
from stepfast.http.bodies import MAX_BODY
from stepfast.http.callbacks import Callbacks, is_callback
from stepfast.http.engine import ApiEngine, EngineCaller
from stepfast.http.inbound import Inbound, InboundWebhook, is_inbound
from stepfast.http.page import DashboardPage
from stepfast.http.problems import Rejected
from stepfast.http.resolver import Resolver, ResolverPool
from stepfast.http.route_index import ROUTES
from stepfast.http.signed_on import SignedOn
from stepfast.http.timelines import Timelines
from stepfast.http.waiting import TellsEnds
from stepfast.language.registry import Registry
from stepfast.link_tokens import masked

Handler = Callable[[dict[str, Any], object], dict[str, Any]]
OPEN = "/v1/health"


class Resolves(Protocol):
    """Answers an event of a caller with these scopes, from any thread."""

    def resolve(self, event: Mapping[str, Any], context: Any, granted: frozenset[str]) -> dict[str, Any]: ...


class Api:
    """A Lambda handler that answers every event and never raises. `build` makes it."""

    def __init__(
        self,
        pool: Resolves,
        keys: Authenticator | GatewayAuth | None,
        page: DashboardPage | None,
        ends: TellsEnds | None = None,
    ) -> None:
        self._pool, self._keys, self._page = pool, keys, page
        self.ends = ends
        """What reports the ends of executions, so that requests may wait for them. None: nobody does."""

    def __call__(self, event: dict[str, Any], context: object) -> dict[str, Any]:
        try:
            if self._page is not None and self._page.has(event):
                if self._keys is None:
                    auth.admit_local(_headers(event), _method(event))
                return self._page.answer(event)
            if is_callback(event) or is_inbound(event):  # Its token, or its signature, is checked by what answers it.
                return self._pool.resolve(event, context, frozenset())
            grant = _granted(event, self._keys)
            _check_body(event)
            who = auth.caller_of(event, self._keys)
            with called_from(_headers(event).get("traceparent"), who), restricting.granted_to(grant):
                return _unsigned(self._pool.resolve(event, context, grant.scopes), grant.scopes)
        except Exception as error:
            return problems.answer(error)

    def admit(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Checks an event without its body: a response refuses the request, None admits it."""
        try:
            if is_inbound(event):
                return None
            if not is_callback(event) and (self._page is None or not self._page.has(event)):
                if not (isinstance(self._keys, SignedOn) and self._keys.would_wait(_headers(event))):
                    _granted(event, self._keys)  # otherwise a thread asks the issuer, and this loop goes on
                auth.check_type(_headers(event))
        except Exception as error:
            return problems.answer(error)
        return None

    def may_read(self, event: dict[str, Any]) -> bool:
        """Whether the caller may read every execution. False too where finding out would take a while."""
        headers = _headers(event)
        if isinstance(self._keys, SignedOn) and self._keys.would_wait(headers):
            return False
        try:
            grant = _granted(event, self._keys)
            auth.require("read", grant.scopes)
        except Rejected:
            return False
        return not grant.restriction


def build(
    operations: Operations,
    registry: Registry,
    call: EngineCaller,
    keys: Authenticator | GatewayAuth | None = None,
    page: DashboardPage | None = None,
    *,
    start_threads: int = 1,
    sleep: Callable[[float], None] | None = None,
    ends: TellsEnds | None = None,
    inbound: Iterable[InboundWebhook] = (),
    now: Callable[[], float] = time.time,
    loaded: Collection[str] = tuple(ROUTES),
) -> Api:
    """Makes the handler.

    call: runs a coroutine of the engine to its result, from any thread.
    keys: authenticates callers. A GatewayAuth trusts API Gateway in front; None admits requests to loopback names only.
    page: the dashboard, served without authentication; None serves the API alone.
    sleep: waits in a request for a change; None where a server holds such requests back.
    start_threads: the threads that share a batch of starts, for a store whose calls block.
    ends: reports the ends of executions, for servers that let requests wait for them.
    inbound: the webhooks of others that start workflows. now: the clock that their signatures are compared with.
    loaded: the modules of routes that are loaded now, not when a request first needs them.
    """
    pool = resolvers(
        *(operations, registry, call),
        start_threads=start_threads,
        sleep=sleep,
        inbound=inbound,
        now=now,
        loaded=loaded,
    )
    return Api(pool, keys, page, ends)


def resolvers(
    operations: Operations,
    registry: Registry,
    call: EngineCaller,
    *,
    start_threads: int = 1,
    sleep: Callable[[float], None] | None = None,
    inbound: Iterable[InboundWebhook] = (),
    now: Callable[[], float] = time.time,
    loaded: Collection[str] = tuple(ROUTES),
) -> ResolverPool:
    """What answers behind the authorization of an Api. `build` explains the arguments."""
    edition = secrets.token_hex(8)
    timelines = Timelines()
    engine = ApiEngine(operations, registry, call, str, edition, timelines, start_threads, sleep)
    auditing = Auditing(operations, call)
    senders = Inbound(operations, call, inbound, auditing, now)
    callbacks = Callbacks(operations, call, auditing)
    return ResolverPool(lambda: _resolver(engine, auditing, loaded), callbacks.answer, senders.answer)


def scopes_by_route() -> dict[tuple[str, str], Scope | None]:
    """The scope that each route needs, by path, as OpenAPI writes it, and method. No engine is needed to ask."""
    # Routes take what they need from the engine when a request arrives, and none arrives here.
    nothing: Any = None
    return _resolver(ApiEngine(nothing, nothing, nothing, nothing, "")).scopes


def _resolver(engine: ApiEngine, auditing: Auditing | None = None, loaded: Collection[str] = tuple(ROUTES)) -> Resolver:
    """loaded: the modules of routes that are loaded now. The others are loaded when they are first asked for."""
    described = replace(engine, describe=cache(lambda: _document(engine)))
    app = Resolver(lambda app, module: module.add(app, described))
    app.audit = auditing
    app.find = lambda id: next(iter(engine.call(engine.operations.read_many([id]))), None)
    app.table.load(loaded)
    return app


def _document(engine: ApiEngine) -> str:
    """The OpenAPI document of all routes, in their order, whatever is loaded in this process."""
    from stepfast.http import openapi  # nobody asks most processes for it

    return openapi.document(_resolver(engine))


def _granted(event: dict[str, Any], keys: Authenticator | GatewayAuth | None) -> Grant:
    """What the caller may do. Raises Rejected for a request that must not reach a route."""
    headers = _headers(event)
    if keys is None:
        auth.admit_local(headers, _method(event))
    elif event.get("rawPath") != OPEN:
        if isinstance(keys, GatewayAuth):
            return keys.granted(event)
        if isinstance(keys, SignedOn) and keys.is_signed_on(headers):
            auth.refuse_foreign_pages(headers, _method(event))
        return keys.admit(headers)
    return EVERYTHING


def _check_body(event: dict[str, Any]) -> None:
    body = event.get("body")
    if body:
        # In base64, three bytes take four characters. Text is measured in its UTF-8 bytes.
        size = len(body) * 3 // 4 if event.get("isBase64Encoded") else len(body.encode(errors="replace"))
        if size > MAX_BODY:
            raise too_large()
        auth.require_json(_headers(event))


def _unsigned(response: dict[str, Any], granted: frozenset[str]) -> dict[str, Any]:
    """The response without the tokens of links, for a caller who may not send signals, and so may not answer."""
    body = response["body"]
    return response if not body or "run" in granted else {**response, "body": masked(body)}


def _method(event: dict[str, Any]) -> str:
    return str(((event.get("requestContext") or {}).get("http") or {}).get("method") or "")


def _headers(event: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def too_large() -> Rejected:
    return Rejected(413, "body-too-large", "Body too large", f"a body may have {MAX_BODY} bytes")
