"""Webhooks: what each has not taken yet, its dead letters, and sending them anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from stepfast.engine.webhook_operations import WebhookReport
from stepfast.engine.webhooks import WebhookDelivery
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import NAME
from stepfast.http.resolver import Resolver
from stepfast.http.webhook_models import (
    DeliveryList,
    DeliveryView,
    Redelivered,
    RedeliverRequest,
    WebhookDetail,
    WebhookList,
    WebhookView,
)

Name = Annotated[str, Path(pattern=NAME, description="the name of the webhook")]
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="a page's `next`")]
NO_NAME = {404: "the settings have no webhook of this name"}


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_reading(app, engine)
    _add_dead_letters(app, engine)


def _add_reading(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/webhooks",
        summary="The webhooks of the settings, and what they have not taken yet",
        description="A deployment has none: EventBridge delivers its events.",
        operation_id="listWebhooks",
        tags=["webhooks"],
        responses=answers((200, "the webhooks, by name", WebhookList)),
    )
    @needs("read")
    def list_webhooks() -> Response[str]:
        reports = engine.call(engine.operations.webhooks.list())
        return reply(200, WebhookList(webhooks=[WebhookView(**_fields(report)) for report in reports]))

    @app.get(
        "/v1/webhooks/<name>",
        summary="A webhook, and the events that it has not taken yet",
        operation_id="getWebhook",
        tags=["webhooks"],
        responses=answers((200, "the webhook", WebhookDetail), problems_of=NO_NAME),
    )
    @needs("read")
    def show_webhook(name: Name, limit: Limit = 50, cursor: Cursor = None) -> Response[str]:
        report = engine.call(engine.operations.webhooks.describe(name))
        deliveries = engine.call(engine.operations.webhooks.pending(name, limit, int(cursor or 0)))
        return reply(200, WebhookDetail(**_fields(report), **_page(deliveries, limit)))


def _add_dead_letters(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/webhooks/<name>/dead-letters",
        summary="The events that a webhook is not sent any more",
        operation_id="listWebhookDeadLetters",
        tags=["webhooks"],
        responses=answers((200, "the dead letters, the oldest first", DeliveryList), problems_of=NO_NAME),
    )
    @needs("read")
    def list_webhook_dead_letters(name: Name, limit: Limit = 50, cursor: Cursor = None) -> Response[str]:
        deliveries = engine.call(engine.operations.webhooks.dead_letters(name, limit, int(cursor or 0)))
        return reply(200, DeliveryList(**_page(deliveries, limit)))

    @app.post(
        "/v1/webhooks/<name>/redeliver",
        summary="Send the dead letters of a webhook anew",
        description="Safe to repeat: what is pending already is left alone.",
        operation_id="redeliverWebhook",
        tags=["webhooks"],
        responses=answers((200, "how many there were", Redelivered), problems_of=NO_NAME),
    )
    @needs("operate")
    def redeliver(name: Name, body: Annotated[RedeliverRequest, Body()]) -> Response[str]:
        count = engine.call(engine.operations.webhooks.redeliver(name, body.event_id))
        return reply(200, Redelivered(redelivered=count))


def _fields(report: WebhookReport) -> dict[str, Any]:
    webhook, backlog = report.webhook, report.backlog
    return {
        "name": webhook.name,
        "origin": report.origin,
        "workflows": list(webhook.workflows),
        "statuses": list(webhook.statuses),
        "pending": backlog.pending,
        "dead": backlog.dead,
        "oldest_at": views.time_or_none(backlog.oldest_at),
        "reason": backlog.reason,
    }


def _page(deliveries: Sequence[WebhookDelivery], limit: int) -> dict[str, Any]:
    return {
        "deliveries": [_view(delivery) for delivery in deliveries],
        "next": str(deliveries[-1].number) if len(deliveries) == limit else None,
    }


def _view(delivery: WebhookDelivery) -> DeliveryView:
    return DeliveryView(
        event_id=delivery.event_id,
        type=delivery.type,
        execution_id=delivery.execution_id,
        made_at=views.time(delivery.made_at),
        attempts=delivery.attempts,
        due_at=views.time_or_none(delivery.due),
        reason=delivery.reason,
    )
