"""The asynchronous twin of webhook_calls.py: `make async-client` writes it. Change webhook_calls.py."""

from __future__ import annotations

from stepfast.client import webhook_shapes as shapes
from stepfast.client.answers import Object
from stepfast.client.async_stacks import AsyncStacks
from stepfast.client.webhook_calls import _webhook_path


class AsyncWebhookCalls:
    """The part of a client that is about webhooks. Where there are several deployments, the first is asked."""

    _stacks: AsyncStacks

    async def webhooks(self) -> list[Object]:
        """The webhooks of the settings as JSON values, by name: how many events are pending, and how many dead."""
        webhooks: list[Object] = (await self._stacks.first.get("/v1/webhooks", shapes.WebhookListShape))["webhooks"]
        return webhooks

    async def webhook(self, name: str, limit: int = 50, cursor: str | None = None) -> Object:
        """A webhook as JSON values, a page of the `deliveries` that are pending, and the cursor `next`.

        name: the name of the webhook.
        limit: the most deliveries of a page, 1 to 100.
        cursor: the `next` of an earlier page.

        Raises InvalidRequest where the settings have no such webhook.
        """
        return await self._stacks.first.get(_webhook_path(name), shapes.WebhookDetailShape, limit=limit, cursor=cursor)

    async def webhook_dead_letters(self, name: str, limit: int = 50, cursor: str | None = None) -> Object:
        """A page of the `deliveries` that a webhook is not sent any more, and the cursor `next`.

        name: the name of the webhook.
        limit: the most deliveries of a page, 1 to 100.
        cursor: the `next` of an earlier page.

        Raises InvalidRequest where the settings have no such webhook.
        """
        path = _webhook_path(name, "dead-letters")
        return await self._stacks.first.get(path, shapes.DeliveryPageShape, limit=limit, cursor=cursor)

    async def redeliver_webhook(self, name: str, event_id: str | None = None) -> int:
        """Sends dead letters of a webhook anew, and returns how many there were. Safe to repeat.

        name: the name of the webhook.
        event_id: the event of one dead letter. None sends all of them.

        Raises InvalidRequest where the settings have no such webhook.
        """
        body = {} if event_id is None else {"event_id": event_id}
        answer = await self._stacks.first.send("POST", _webhook_path(name, "redeliver"), shapes.RedeliveredShape, body)
        count: int = answer.body["redelivered"]
        return count
