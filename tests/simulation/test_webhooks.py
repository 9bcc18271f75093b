"""Seeded lives of webhooks, and the mutants that they notice (rule *event*)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from stepfast.backends.sqlite import webhooks
from stepfast.backends.sqlite.webhooks import SqliteWebhooks
from stepfast.engine.status_changes import StatusChange
from stepfast.engine.webhook_deliverer import Deliverer
from stepfast.engine.webhooks import Webhook, WebhookDelivery
from tests.lanes import SOAK
from tests.simulation.webhook_world import WebhookWorld

SEEDS = range(600 if SOAK else 25)


def test_whatever_fails_and_dies_no_event_is_lost_or_out_of_order() -> None:
    assert _live(SEEDS) > 5 * len(SEEDS)


def _live(seeds: Iterable[int]) -> int:
    """Lives these lives; how many changes they had. AssertionError with the seed for a broken invariant."""
    changes = 0
    for seed in seeds:
        world = WebhookWorld(seed)
        try:
            world.live()
        except AssertionError as error:
            raise AssertionError(f"WebhookWorld({seed}).live(): {error}") from error
        changes += len(world.committed)
    return changes


def forgets_before_it_posts(patch: pytest.MonkeyPatch) -> None:
    """A delivery is deleted before it is made."""
    attempt = Deliverer._attempt

    async def forgetful(self: Deliverer, webhook: Webhook, delivery: WebhookDelivery) -> None:
        await self._store.delivered(delivery)
        await attempt(self, webhook, delivery)

    patch.setattr(Deliverer, "_attempt", forgetful)


def takes_any_answer_for_yes(patch: pytest.MonkeyPatch) -> None:
    """A failure is taken for a delivery."""

    async def put_off(self: Deliverer, webhook: Webhook, delivery: WebhookDelivery, *_: Any) -> None:
        await self._store.delivered(delivery)

    patch.setattr(Deliverer, "_put_off", put_off)


def drops_changes_before_it_spreads_them(patch: pytest.MonkeyPatch) -> None:
    """Changes are deleted in a transaction of their own, before their deliveries are made."""
    spread = SqliteWebhooks.spread

    async def parted(self: SqliteWebhooks, route: Any, now: float) -> int:
        sql = "SELECT * FROM status_changes"
        rows = self._file.all_rows(sql, ())
        if not rows:
            return 0
        await self._file.write(lambda tx: tx.execute("DELETE FROM status_changes").rowcount)
        marks = ", ".join("?" * len(rows[0]))
        await self._file.write(
            lambda tx: [tx.execute(f"INSERT INTO status_changes VALUES ({marks})", tuple(row)) for row in rows]
        )
        return await spread(self, route, now)

    patch.setattr(SqliteWebhooks, "spread", parted)


def posts_later_events_while_an_earlier_one_is_pending(patch: pytest.MonkeyPatch) -> None:
    """What is due is posted, whatever came before it."""
    due = f"SELECT {webhooks._DELIVERY} FROM webhook_deliveries WHERE webhook = ? AND due <= ? ORDER BY number LIMIT ?"
    patch.setattr(webhooks, "_DUE", due)


def gives_each_report_an_id_of_its_own(patch: pytest.MonkeyPatch) -> None:
    """The id is made of more than the change."""
    plain = StatusChange.id.fget  # type: ignore[attr-defined]
    count = iter(range(10**9))
    patch.setattr(webhooks, "_change", _renaming(webhooks._change, plain, count))


def _renaming(change: Any, plain: Any, count: Any) -> Any:
    class Renamed(StatusChange):
        @property
        def id(self) -> str:
            return f"{plain(self)}-{next(count)}"

    def made(columns: Any) -> StatusChange:
        found = change(columns)
        return Renamed(*(getattr(found, name) for name in StatusChange.__dataclass_fields__))

    return made


MUTANTS = (
    forgets_before_it_posts,
    takes_any_answer_for_yes,
    drops_changes_before_it_spreads_them,
    posts_later_events_while_an_earlier_one_is_pending,
    gives_each_report_an_id_of_its_own,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: str(mutant.__name__))
def test_a_mutant_of_webhooks_is_noticed(mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        _live(range(40))
