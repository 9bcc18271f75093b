"""Orders in simulated time: what the outcome says is what truly happened in the shop."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast.language.steps import Step
from stepfast.testing import Environment, MakeEnvironment
from workflows.order_fulfilment import charge, order_fulfilment, refund, release, reserve, ship
from workflows.order_fulfilment.models import Approval
from workflows.order_fulfilment.shop import FIRST_STOCK, Shop

YES = Approval(approved=True, by="cfo")


def order(sku: str = "TEA", price: str = "9.95", quantity: int = 2) -> dict[str, Any]:
    line = {"sku": sku, "quantity": quantity, "unit_price": price}
    return {"order_id": "o-1", "customer_email": "mia@example.com", "lines": [line]}


@pytest.fixture
def shop(shop_folder: Path) -> Shop:
    return Shop(shop_folder)


@pytest.fixture
def env(stepfast_env: MakeEnvironment) -> Environment:
    return stepfast_env(order_fulfilment)


def test_an_order_is_charged_once_and_shipped(env: Environment, shop: Shop) -> None:
    outcome = env.run(order_fulfilment, order()).result
    (payment,), (parcel,) = shop.rows("payments"), shop.rows("parcels")
    assert outcome.status == "shipped"
    assert outcome.tracking == parcel["tracking"]
    assert (payment["amount"], payment["refunded"]) == ("19.90", 0)


def test_a_charge_is_given_back_when_the_goods_are_out_of_stock(env: Environment, shop: Shop) -> None:
    run = env.run(order_fulfilment, order("OUT-OF-STOCK"))
    assert run.result.status == "refunded"
    assert run.result.reason == "fewer than 2 pieces of OUT-OF-STOCK in stock"
    assert [call.step for call in run.steps] == ["charge", "reserve", "refund"]
    assert [row["refunded"] for row in shop.rows("payments")] == [1]
    assert shop.rows("parcels") == []


def test_goods_and_money_go_back_when_the_carrier_refuses(env: Environment, shop: Shop) -> None:
    assert env.run(order_fulfilment, order("UNSHIPPABLE")).result.status == "refunded"
    assert [row["refunded"] for row in shop.rows("payments")] == [1]
    assert [row["released"] for row in shop.rows("reservations")] == [1]
    assert [row["pieces"] for row in shop.rows("stock")] == [FIRST_STOCK]


def test_a_large_order_waits_for_a_person_and_is_charged_after_the_yes(env: Environment, shop: Shop) -> None:
    unpaid = []
    env.when(waiting="approval").do(lambda: unpaid.append(shop.rows("payments")))
    env.when(waiting="approval").signal("approval", YES)
    assert env.run(order_fulfilment, order(price="500.01")).result.status == "shipped"
    assert unpaid == [[]]
    assert [row["amount"] for row in shop.rows("payments")] == ["1000.02"]


def test_an_order_of_exactly_the_limit_needs_nobody(env: Environment, shop: Shop) -> None:
    assert env.run(order_fulfilment, order(price="500.00")).result.status == "shipped"


def test_a_refused_order_is_never_charged(env: Environment, shop: Shop) -> None:
    run = env.start(order_fulfilment, order(price="600.00"))
    env.signal(run, "approval", Approval(approved=False, by="cfo", comment="too risky"))
    outcome = env.run_until(run).result
    assert (outcome.status, outcome.reason) == ("declined", "refused by cfo: too risky")
    assert shop.rows("payments") == []


def test_an_order_that_nobody_approves_is_declined_after_three_days(env: Environment, shop: Shop) -> None:
    run = env.start(order_fulfilment, order(price="600.00"))
    env.advance(timedelta(days=2, hours=23))
    assert "approval" in [one.name for one in run.waiting]
    env.advance(timedelta(hours=1))
    assert (run.result.status, run.result.reason) == ("declined", "nobody approved it within 3 days")
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
        ("INSERT ON payments", charge),
        ("INSERT ON reservations", reserve),
        ("INSERT ON parcels", ship),
    ],
)
def test_an_outage_pauses_the_order_and_a_resume_ships_it_for_the_first_charge(
    env: Environment, shop_folder: Path, shop: Shop, event: str, step: Step[..., Any]
) -> None:
    shop.rows("payments")  # makes the file
    with outage(shop_folder, event):
        run = env.run(order_fulfilment, order())
    assert (run.status, run.error and run.error.step) == ("FAILED", step.name)
    assert len(run.calls(step)) == step.retry.max_attempts
    assert not any(row["refunded"] for row in shop.rows("payments"))
    env.resume(run)
    assert env.run_until(run).result.status == "shipped"
    assert [row["refunded"] for row in shop.rows("payments")] == [0]
    assert [row["released"] for row in shop.rows("reservations")] == [0]


def test_an_outage_during_compensation_pauses_and_a_resume_goes_on_with_the_refund(
    env: Environment, shop_folder: Path, shop: Shop
) -> None:
    shop.rows("payments")
    with outage(shop_folder, "UPDATE ON payments"):
        run = env.run(order_fulfilment, order("UNSHIPPABLE"))
    assert (run.status, run.error and run.error.step) == ("FAILED", "refund")
    env.resume(run)
    assert env.run_until(run).result.status == "refunded"
    # What led to the refund stays decided: asking the carrier again might now bring a yes.
    assert [(call.attempt, call.generation) for call in (*run.calls(ship), *run.calls(release))] == [(1, 0)] * 2
    assert run.calls(refund)[-1].generation == 1
    assert [row["refunded"] for row in shop.rows("payments")] == [1]
    assert [row["pieces"] for row in shop.rows("stock")] == [FIRST_STOCK]


@pytest.mark.parametrize("sku", ["TEA", "UNSHIPPABLE"])
def test_a_crash_at_any_moment_neither_loses_the_order_nor_charges_it_twice(
    sku: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fulfilled(crash_at: int | None) -> list[str]:
        monkeypatch.setenv("ORDER_SHOP", str(tmp_path / f"shop-{crash_at}"))
        with Environment(order_fulfilment) as env:
            env.when(waiting="approval").signal("approval", YES)
            if crash_at is not None:
                env.crash(at=crash_at)
            outcome = env.run(order_fulfilment, order(sku, price="600.00")).result
        shop = Shop(tmp_path / f"shop-{crash_at}")
        assert outcome.status == ("shipped" if sku == "TEA" else "refunded")
        assert [(row["amount"], row["refunded"]) for row in shop.rows("payments")] == [("1200.00", sku != "TEA")]
        assert len(shop.rows("parcels")) == (sku == "TEA")
        assert [row["pieces"] for row in shop.rows("stock")] == [FIRST_STOCK - 2 * (sku == "TEA")]
        return env.points

    points = fulfilled(None)
    for number in range(len(points)):
        fulfilled(number)
