"""The HTTP API behind API Gateway, which has already authenticated the caller."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Any

from stepfast.deployment.settings import PAGE_SIGN_ON, Settings
from stepfast.functions import logs
from stepfast.functions import slim_powertools as slim_powertools  # before stepfast.http, which imports Powertools
from stepfast.functions.clients import Clients
from stepfast.functions.engine import Engine
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host
from stepfast.http import api, problems
from stepfast.http.auth import GatewayAuth
from stepfast.http.inbound import InboundWebhook
from stepfast.http.log_text import printable
from stepfast.http.page import DashboardPage
from stepfast.page_sign_on import PageSignOn

__all__ = ["handler"]

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 5_900_000
"""The largest answer in bytes, as JSON, with the body escaped inside it.

Lambda's limit is 6 MB for a synchronous answer:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
BATCH_THREADS = 12
"""Threads that share a batch of starts. A client has 16 connections (CONNECTIONS_PER_CLIENT)."""
LOADED = ("starting", "executions")
"""The modules of routes that a cold start loads: most requests need one of them, and the start has a full processor."""
_STATUSES = "/v1/executions/statuses"
"""A POST that only reads: it is not logged as a change, and its last part is no execution id."""
_EXECUTION = re.compile(r"/v1/executions/(?!(?:statuses|batch)\Z)([A-Za-z0-9._-]{1,128})(?:/|\Z)")


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler."""
    engine = Engine(settings, clients, host)
    gateway = GatewayAuth(settings.auth)
    answer = api.build(
        engine.operations,
        engine.registry,
        engine.call,
        gateway,
        DashboardPage(sign_on=_page_sign_on(settings)),
        start_threads=BATCH_THREADS,
        sleep=time.sleep,
        inbound=_inbound(engine),
        now=engine.clock.now,
        loaded=LOADED,
    )

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        match = _EXECUTION.match(event.get("rawPath") or "")
        with logs.about(match[1] if match else None):
            response = answer(event, context)
            _note(event, response["statusCode"])
            return response if _fits(response) else _too_large()

    return handler


def _page_sign_on(settings: Settings) -> PageSignOn | None:
    return PageSignOn.of_text(settings.page_sign_on, PAGE_SIGN_ON) if settings.page_sign_on else None


def _inbound(engine: Engine) -> list[InboundWebhook]:
    """The webhooks of others. Without any their code and its clients are not loaded."""
    if not engine.settings.inbound:
        return []
    from stepfast.functions.inbound_secrets import inbound_webhooks

    return inbound_webhooks(engine.settings.inbound, engine.clients, engine.clock.now)


def _note(event: dict[str, Any], status: int) -> None:
    """Logs a request that may have changed something: the caller, the address and the status."""
    context = event.get("requestContext") or {}
    asked = context.get("http") or {}
    if asked.get("method") != "GET" and event.get("rawPath") != _STATUSES:
        authorizer = context.get("authorizer") or {}
        caller = (authorizer.get("lambda") or {}).get("key") or (authorizer.get("iam") or {}).get("userArn")
        extra = {"caller": caller} if caller else {}
        log.info("%s %s: %d", printable(asked.get("method"), 20), printable(event.get("rawPath")), status, extra=extra)


def _fits(response: dict[str, Any]) -> bool:
    body = response["body"] or ""
    return len(body) < MAX_ANSWER_BYTES // 8 or len(json.dumps(response)) <= MAX_ANSWER_BYTES


def _too_large() -> dict[str, Any]:
    detail = "the answer is more than 6 MB, which Lambda cannot give: ask for less by limit, largest or commands=false"
    refusal = problems.problem(422, "answer-too-large", "Answer too large", detail)
    return problems.as_dict(refusal)


handler = EntryPoint("api", build)
