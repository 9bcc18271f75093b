"""What is asked and answered of webhooks, as JSON."""

from __future__ import annotations

from pydantic import Field

from stepfast.http.models import Asked, Shown, Time


class WebhookView(Shown):
    name: str
    origin: str = Field(description="of its address, without the path, which may hold a secret")
    workflows: list[str] = Field(description="names or patterns of workflows; empty for all")
    statuses: list[str] = Field(description="the new statuses that it is told of; empty for all")
    pending: int = Field(description="events that it has not taken yet")
    dead: int = Field(description="events that it is not sent any more, until they are redelivered")
    oldest_at: Time | None = Field(description="when the oldest pending event was made")
    reason: str = Field(description="why the last attempt failed, of what it has not taken")


class WebhookList(Shown):
    webhooks: list[WebhookView]


class DeliveryView(Shown):
    event_id: str = Field(description="the header `webhook-id`, the same at each attempt")
    type: str
    execution_id: str
    made_at: Time
    attempts: int
    due_at: Time | None = Field(description="when the next attempt is due; null for a dead letter")
    reason: str = Field(description="why the last attempt failed")


class WebhookDetail(WebhookView):
    deliveries: list[DeliveryView] = Field(description="what is pending, the oldest first")
    next: str | None


class DeliveryList(Shown):
    deliveries: list[DeliveryView]
    next: str | None


class RedeliverRequest(Asked):
    event_id: str | None = Field(None, max_length=64, description="of one dead letter; all of them without it")


class Redelivered(Shown):
    redelivered: int
