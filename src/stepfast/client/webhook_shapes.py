"""The members of answers about webhooks that the client reads."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict


class WebhookShape(TypedDict):
    name: str
    pending: int
    dead: int


class WebhookListShape(TypedDict):
    webhooks: list[WebhookShape]


class DeliveryPageShape(TypedDict):
    deliveries: list[dict[str, Any]]
    next: str | None


class WebhookDetailShape(DeliveryPageShape):
    name: str


class RedeliveredShape(TypedDict):
    redelivered: int
