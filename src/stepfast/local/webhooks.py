"""Keeps webhooks delivered while the runtime runs, in a thread of their own: a slow receiver holds up no execution."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from threading import Event

from stepfast.engine.ports import Clock
from stepfast.engine.webhook_deliverer import Deliverer, Poster
from stepfast.engine.webhooks import Webhook, WebhookStore
from stepfast.errors import Unavailable
from stepfast.local.threads import LoopThread
from stepfast.local.webhook_sender import WebhookSender
from stepfast.repeated_failures import RepeatedFailures, kind_of

log = logging.getLogger(__name__)

WEBHOOK_LOOK_SECONDS = 0.25
"""The time between two looks at what has changed, and so the usual delay of a webhook."""
WEBHOOK_TIDY_SECONDS = 3600.0
LOST_STORE_SECONDS = 5.0
"""The wait before the next look after the file could not be read or written."""


class EmbeddedWebhooks:
    """Delivers to the webhooks of the settings until it is stopped. Without any, nothing is recorded or looked at."""

    def __init__(
        self, webhooks: Sequence[Webhook], store: WebhookStore, clock: Clock, post: Poster | None = None
    ) -> None:
        self._webhooks, self._store, self._clock = webhooks, store, clock
        self._stopping = Event()
        self._failures = RepeatedFailures(log)
        self._thread = LoopThread("stepfast-webhooks") if webhooks else None
        self._post = post
        if webhooks:
            store.watch()

    def begin(self) -> None:
        if self._thread is not None:
            self._thread.begin(self._keep())

    def stop(self) -> None:
        """An attempt that runs is cut off, and made again by the next owner of the file."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.stop()

    async def _keep(self) -> None:
        post = self._post or WebhookSender()
        deliverer = Deliverer(self._store, self._clock, self._webhooks, post, random.random)
        await asyncio.gather(
            self._again(deliverer.spread, WEBHOOK_LOOK_SECONDS),
            self._again(deliverer.tidy, WEBHOOK_TIDY_SECONDS),
            *(
                self._again(partial(deliverer.deliver, webhook.name), WEBHOOK_LOOK_SECONDS)
                for webhook in self._webhooks
            ),
        )

    async def _again(self, act: Callable[[], Awaitable[int | None]], pause: float) -> None:
        """Acts again and again, without a pause as long as there is something to do."""
        while not self._stopping.is_set():
            wait = pause
            try:
                if await act():
                    wait = 0.0
            except Unavailable as error:
                self._failures.note(logging.WARNING, str(error), f"webhooks wait: {error}")
                wait = LOST_STORE_SECONDS
            except Exception as error:
                self._failures.note(logging.ERROR, kind_of(error), "the delivery of webhooks failed; it goes on", error)
                wait = LOST_STORE_SECONDS
            await asyncio.sleep(wait)
