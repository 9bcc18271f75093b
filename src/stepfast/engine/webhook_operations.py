"""What is asked and done about webhooks: their backlogs, their dead letters, and redelivery."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from stepfast.engine.ports import Clock
from stepfast.engine.webhooks import Backlog, Webhook, WebhookDelivery, WebhookStore
from stepfast.errors import UnknownName
from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class WebhookReport:
    """A webhook with its backlog. origin: of its address. Paths and queries are left out: some hold secrets."""

    webhook: Webhook
    backlog: Backlog

    @property
    def origin(self) -> str:
        parts = urlsplit(self.webhook.url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


class WebhookOperations:
    """The webhooks of the settings, by name. A home that does not deliver by itself has none, and store is None."""

    def __init__(self, store: WebhookStore | None, clock: Clock, webhooks: Sequence[Webhook] = ()) -> None:
        self._store, self._clock = store, clock
        self._webhooks = {webhook.name: webhook for webhook in webhooks} if store is not None else {}

    async def list(self) -> list[WebhookReport]:
        """All webhooks, by name."""
        return [await self.describe(name) for name in sorted(self._webhooks)]

    async def describe(self, name: str) -> WebhookReport:
        """A webhook; UnknownName."""
        store = self._existing(name)
        return WebhookReport(self._webhooks[name], await store.backlog(name))

    async def pending(self, name: str, limit: int, after: int = 0) -> Sequence[WebhookDelivery]:
        """What a webhook is still to get, by number; UnknownName."""
        return await self._existing(name).page(name, False, limit, after)

    async def dead_letters(self, name: str, limit: int, after: int = 0) -> Sequence[WebhookDelivery]:
        """What a webhook has never taken, by number; UnknownName."""
        return await self._existing(name).page(name, True, limit, after)

    async def redeliver(self, name: str, event_id: str | None = None) -> int:
        """Sends dead letters anew, all of them or that of one event, each with all its attempts; UnknownName.

        Returns how many there were. Safe to repeat.
        """
        return await self._existing(name).redeliver(name, event_id, self._clock.now())

    def _existing(self, name: str) -> WebhookStore:
        if self._store is None or name not in self._webhooks:
            there = ", ".join(sorted(self._webhooks)) or "none"
            raise UnknownName(f"the settings have no webhook {name!r}; there are: {there}")
        return self._store
