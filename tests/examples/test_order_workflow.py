"""Orders on the embedded runtime: what the outcome says is what truly happened in the shop."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.examples.embedded import embedded, until
from workflows.order_fulfilment import order_fulfilment
from workflows.order_fulfilment.shop import FIRST_STOCK, Shop


def order(sku: str = "TEA", price: str = "9.95", quantity: int = 2) -> dict[str, Any]:
    line = {"sku": sku, "quantity": quantity, "unit_price": price}
    return {"order_id": "o-1", "customer_email": "mia@example.com", "lines": [line]}


@pytest.fixture
def shop(shop_folder: Path) -> Shop:
    return Shop(shop_folder)


def test_an_order_is_charged_once_and_shipped(tmp_path: Path, shop: Shop) -> None:
    with embedded(tmp_path, order_fulfilment) as app:
        app.start(order_fulfilment, order())
        outcome = app.result()
    (payment,), (parcel,) = shop.rows("payments"), shop.rows("parcels")
    assert outcome["status"] == "shipped"
    assert outcome["tracking"] == parcel["tracking"]
    assert (payment["amount"], payment["refunded"]) == ("19.90", 0)


def test_a_charge_is_given_back_when_the_goods_are_out_of_stock(tmp_path: Path, shop: Shop) -> None:
    with embedded(tmp_path, order_fulfilment) as app:
        app.start(order_fulfilment, order("OUT-OF-STOCK"))
        outcome = app.result()
        attempts = app.attempts()
    assert outcome["status"] == "refunded"
    assert outcome["reason"] == "fewer than 2 pieces of OUT-OF-STOCK in stock"
    assert attempts == {"charge": 1, "reserve": 1, "refund": 1}
    assert [row["refunded"] for row in shop.rows("payments")] == [1]
    assert shop.rows("parcels") == []


def test_goods_and_money_go_back_when_the_carrier_refuses(tmp_path: Path, shop: Shop) -> None:
    with embedded(tmp_path, order_fulfilment) as app:
        app.start(order_fulfilment, order("UNSHIPPABLE"))
        assert app.result()["status"] == "refunded"
    assert [row["refunded"] for row in shop.rows("payments")] == [1]
    assert [row["released"] for row in shop.rows("reservations")] == [1]
    assert [row["pieces"] for row in shop.rows("stock")] == [FIRST_STOCK]


def test_a_large_order_waits_for_a_person_and_is_charged_after_the_yes(tmp_path: Path, shop: Shop) -> None:
    with embedded(tmp_path, order_fulfilment) as app:
        app.start(order_fulfilment, order(price="500.01"))
        until(lambda: app.outstanding("signal") == ["approval"])
        assert shop.rows("payments") == []
        app.signal("approval", {"approved": True, "by": "cfo"})
        assert app.result()["status"] == "shipped"
    assert [row["amount"] for row in shop.rows("payments")] == ["1000.02"]


def test_an_order_of_exactly_the_limit_needs_nobody(tmp_path: Path, shop: Shop) -> None:
    with embedded(tmp_path, order_fulfilment) as app:
        app.start(order_fulfilment, order(price="500.00"))
        assert app.result()["status"] == "shipped"


def test_a_refused_order_is_never_charged(tmp_path: Path, shop: Shop) -> None:
    with embedded(tmp_path, order_fulfilment) as app:
        app.start(order_fulfilment, order(price="600.00"))
        app.signal("approval", {"approved": False, "by": "cfo", "comment": "too risky"})
        outcome = app.result()
    assert (outcome["status"], outcome["reason"]) == ("declined", "refused by cfo: too risky")
    assert shop.rows("payments") == []


def test_an_order_that_nobody_approves_is_declined_after_three_days(tmp_path: Path, shop: Shop) -> None:
    with embedded(tmp_path, order_fulfilment) as app:
        app.start(order_fulfilment, order(price="600.00"))
        until(lambda: app.outstanding("signal"))
    with embedded(tmp_path, order_fulfilment, ahead=timedelta(days=2, hours=23).total_seconds()) as app:
        assert app.outstanding("signal") == ["approval"]
    with embedded(tmp_path, order_fulfilment, ahead=timedelta(days=3, hours=1).total_seconds()) as app:
        outcome = app.result()
    assert (outcome["status"], outcome["reason"]) == ("declined", "nobody approved it within 3 days")
    assert shop.rows("payments") == []


@contextmanager
def outage(folder: Path, event: str) -> Iterator[None]:
    """The shop's file refuses an event like "INSERT ON reservations"; calls before it work."""
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.execute(f"CREATE TRIGGER outage BEFORE {event} BEGIN SELECT RAISE(ABORT, 'down'); END")
        yield
        database.execute("DROP TRIGGER outage")


@pytest.mark.parametrize(
    ("event", "step"),
    [
        ("INSERT ON payments", "charge"),
        ("INSERT ON reservations", "reserve"),
        ("INSERT ON parcels", "ship"),
    ],
)
def test_an_outage_pauses_the_order_and_a_resume_ships_it_for_the_first_charge(
    tmp_path: Path, shop_folder: Path, shop: Shop, event: str, step: str
) -> None:
    shop.rows("payments")  # makes the file
    with embedded(tmp_path, order_fulfilment) as app:
        with outage(shop_folder, event):
            app.start(order_fulfilment, order())
            paused = app.end()
        assert (paused.status, paused.error and paused.error.step) == ("FAILED", step)
        assert not any(row["refunded"] for row in shop.rows("payments"))
        app.resume()
        assert app.result()["status"] == "shipped"
    assert [row["refunded"] for row in shop.rows("payments")] == [0]
    assert [row["released"] for row in shop.rows("reservations")] == [0]


def test_an_outage_during_compensation_pauses_and_a_resume_goes_on_with_the_refund(
    tmp_path: Path, shop_folder: Path, shop: Shop
) -> None:
    shop.rows("payments")
    with embedded(tmp_path, order_fulfilment) as app:
        with outage(shop_folder, "UPDATE ON payments"):
            app.start(order_fulfilment, order("UNSHIPPABLE"))
            paused = app.end()
        assert (paused.status, paused.error and paused.error.step) == ("FAILED", "refund")
        app.resume()
        assert app.result()["status"] == "refunded"
        # What led to the refund stays decided: asking the carrier again might now bring a yes.
        attempts = app.attempts()
        assert (attempts["ship"], attempts["release"]) == (1, 1)
        assert app.generations()["ship"] == app.generations()["release"] == 0
    assert [row["refunded"] for row in shop.rows("payments")] == [1]
    assert [row["pieces"] for row in shop.rows("stock")] == [FIRST_STOCK]
