"""Webhooks: where changes of executions are posted to, and the port that keeps what is still to be delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from stepfast.engine.status_changes import StatusChange
from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of changes.

    keys: sign what is sent to it, each of them. workflows: names or patterns, such as `billing-*`; empty for all.
    statuses: the new statuses that it receives; empty for all. allow_private: whether its address may be one of
    this machine or of a private network.
    """

    name: str
    url: str
    keys: tuple[bytes, ...]
    workflows: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    allow_private: bool = False

    def wants(self, change: StatusChange) -> bool:
        """Whether this change is sent to it."""
        if self.statuses and change.status not in self.statuses:
            return False
        return not self.workflows or any(fnmatchcase(change.workflow, pattern) for pattern in self.workflows)


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """An event that a webhook has not taken yet. Times are seconds since the epoch.

    number: grows with each delivery of the file. body: JSON text, always the same. attempts: how many there were. due:
    when the next one is; None for a dead letter. reason: why the last attempt failed, in words without any of the
    answer's.
    """

    number: int
    webhook: str
    event_id: str
    execution_id: str
    type: str
    body: str
    made_at: float
    attempts: int = 0
    due: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a webhook has not taken. oldest_at: when the oldest pending event was made. reason: of the last failure."""

    pending: int
    dead: int
    oldest_at: float | None
    reason: str


Route = Callable[[StatusChange], Sequence[str]]
"""The names of the webhooks that want a change."""


class WebhookStore(Protocol):
    """What is still to be delivered, on a home that delivers by itself."""

    def watch(self) -> None:
        """Has every change of status recorded, from now on, in the transaction that makes it."""

    async def spread(self, route: Route, now: float) -> int:
        """Makes deliveries of some recorded changes, the oldest first, all at once. Returns how many changes it took.

        A webhook has one delivery of an event, whatever happens.
        """

    async def due(self, webhook: str, now: float, limit: int) -> Sequence[WebhookDelivery]:
        """The deliveries that are due, the most overdue first: of each execution only the earliest pending one."""

    async def delivered(self, delivery: WebhookDelivery) -> None:
        """Forgets a delivery that was taken."""

    async def failed(self, delivery: WebhookDelivery, due: float | None, reason: str) -> None:
        """Notes one more attempt, and when the next one is due; None makes it a dead letter."""

    async def backlog(self, webhook: str) -> Backlog:
        """How much a webhook has not taken."""

    async def page(self, webhook: str, dead: bool, limit: int, after: int) -> Sequence[WebhookDelivery]:
        """Deliveries of a webhook by number, from the one after `after` on: its dead letters, or what is pending."""

    async def redeliver(self, webhook: str, event_id: str | None, now: float) -> int:
        """Makes dead letters of a webhook pending again, all of them or that of one event. Returns how many."""

    async def expire(self, before: float) -> int:
        """Drops some of the deliveries that were made before a time. Returns how many."""
