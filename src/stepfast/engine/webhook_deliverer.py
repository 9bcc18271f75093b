"""Delivers recorded changes to webhooks, at least once each, and puts off what fails (rule *event*)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stepfast.engine.ports import Clock
from stepfast.engine.status_changes import StatusChange
from stepfast.engine.webhooks import Webhook, WebhookDelivery, WebhookStore
from stepfast.records import dataclass
from stepfast.webhook_signing import headers_for

log = logging.getLogger(__name__)

POST_RETRY_SECONDS = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""Seconds from each failed attempt to the next one, before jitter. After the last, a delivery becomes a dead letter.

The sum is a little above three days, as Standard Webhooks recommends.
"""
POST_JITTER = 0.2
"""The part of a delay that is drawn at random, so that what has failed together does not come back together."""
LONGEST_RETRY_AFTER = 86400.0
POSTS_AT_ONCE = 8
"""Deliveries to one webhook at the same time. After a failure it is one, until that one is taken."""
DELIVERY_KEPT_SECONDS = 30 * 86400.0
"""How long a delivery, a dead letter included, is kept."""


class PostFailed(Exception):
    """There was no answer. Its text gives the reason, and nothing of what was sent.

    final: whether another attempt can change nothing.
    """

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """The answer of a receiver. retry_after: the seconds that it asks for, if it does."""

    status: int
    retry_after: float | None = None


class Poster(Protocol):
    """Posts a body to the address of a webhook. Raises PostFailed. It follows no redirect."""

    async def __call__(self, webhook: Webhook, headers: Mapping[str, str], body: bytes) -> PostAnswer: ...


def body_of(change: StatusChange) -> str:
    """The body of a webhook, as Standard Webhooks recommends it."""
    return json.dumps(change.event(), separators=(",", ":"))


class Deliverer:
    """Delivers to the webhooks of the settings. One task spreads, and one for each webhook delivers.

    draw: a random number from 0 to 1, at each call.
    """

    def __init__(
        self,
        store: WebhookStore,
        clock: Clock,
        webhooks: Sequence[Webhook],
        post: Poster,
        draw: Callable[[], float],
    ) -> None:
        self._store, self._clock, self._post, self._draw = store, clock, post, draw
        self._webhooks = {webhook.name: webhook for webhook in webhooks}
        self._failing: set[str] = set()

    async def lap(self) -> int:
        """Spreads what was recorded, and makes the attempts that are due. Returns the number of attempts."""
        await self.spread()
        return sum([await self.deliver(name) for name in self._webhooks])

    async def spread(self) -> None:
        """Makes deliveries of all changes that were recorded."""
        while await self._store.spread(self._route, self._clock.now()):
            pass

    async def deliver(self, name: str) -> int:
        """Makes attempts to one webhook that are due, at most POSTS_AT_ONCE of them. Returns how many they were."""
        webhook, room = self._webhooks[name], 1 if name in self._failing else POSTS_AT_ONCE
        due = await self._store.due(name, self._clock.now(), room)
        await asyncio.gather(*(self._attempt(webhook, delivery) for delivery in due))
        return len(due)

    async def tidy(self) -> None:
        """Drops what is too old to be of use."""
        while await self._store.expire(self._clock.now() - DELIVERY_KEPT_SECONDS):
            pass

    def _route(self, change: StatusChange) -> list[str]:
        return [webhook.name for webhook in self._webhooks.values() if webhook.wants(change)]

    async def _attempt(self, webhook: Webhook, delivery: WebhookDelivery) -> None:
        body = delivery.body.encode()
        headers = headers_for(webhook.keys, delivery.event_id, int(self._clock.now()), body)
        headers["content-type"] = "application/json"
        try:
            answer = await self._post(webhook, headers, body)
        except PostFailed as error:
            await self._put_off(webhook, delivery, str(error), error.final)
            return
        if 200 <= answer.status < 300:
            self._failing.discard(webhook.name)
            await self._store.delivered(delivery)
        else:
            # 410 says that the receiver is gone for good: https://www.rfc-editor.org/rfc/rfc9110#name-410-gone
            reason = f"the receiver answered {answer.status}"
            await self._put_off(webhook, delivery, reason, answer.status == 410, answer.retry_after or 0.0)

    async def _put_off(
        self, webhook: Webhook, delivery: WebhookDelivery, reason: str, final: bool, at_least: float = 0.0
    ) -> None:
        self._failing.add(webhook.name)
        due = None
        if not final and delivery.attempts < len(POST_RETRY_SECONDS):
            delay = POST_RETRY_SECONDS[delivery.attempts] * (1 - POST_JITTER * self._draw())
            due = self._clock.now() + max(delay, min(at_least, LONGEST_RETRY_AFTER))
        await self._store.failed(delivery, due, reason)
        if due is None:
            log.error(
                "webhook %s: event %s is a dead letter after %d attempt(s): %s",
                *(webhook.name, delivery.event_id, delivery.attempts + 1, reason),
            )
        else:
            log.warning(
                "webhook %s: event %s, attempt %d: %s", webhook.name, delivery.event_id, delivery.attempts + 1, reason
            )
