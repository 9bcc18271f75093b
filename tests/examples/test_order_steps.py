"""The order's steps as plain functions against the shop's file, and its input."""

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from stepfast.testing import step_context
from workflows.order_fulfilment import charge, order_fulfilment, refund, release, reserve, ship
from workflows.order_fulfilment.models import Order
from workflows.order_fulfilment.shop import FIRST_STOCK, OutOfStock, Shop

TEA = {"sku": "TEA", "quantity": 2, "unit_price": "9.95"}


def order(**changes: object) -> Order:
    right: dict[str, object] = {"order_id": "o-1", "customer_email": "mia@example.com", "lines": [TEA]}
    return Order.model_validate(right | changes)


def test_a_repeated_charge_takes_the_total_once(shop_folder: Path) -> None:
    with step_context(charge, idempotency_key="charge-key"):
        assert charge.function(order()) == charge.function(order())
    (payment,) = Shop(shop_folder).rows("payments")
    assert (payment["key"], payment["amount"]) == ("charge-key", "19.90")


def test_shipping_and_compensation_leave_the_shop_as_told(shop_folder: Path) -> None:
    with step_context():
        payment = charge.function(order())
        reservation = reserve.function(order())
        assert ship.function(order(), reservation).tracking.startswith("trk-")
        release.function(reservation)
        refund.function(payment)
    shop = Shop(shop_folder)
    assert [row["refunded"] for row in shop.rows("payments")] == [1]
    assert [row["pieces"] for row in shop.rows("stock")] == [FIRST_STOCK]
    assert [row["order_id"] for row in shop.rows("parcels")] == ["o-1"]


def test_an_article_out_of_stock_is_a_business_answer_that_is_not_retried(shop_folder: Path) -> None:
    with step_context(reserve), pytest.raises(OutOfStock):
        reserve.function(order(lines=[TEA | {"sku": "OUT-OF-STOCK"}]))
    assert issubclass(OutOfStock, reserve.retry.give_up_on)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": []},
        {"lines": [TEA | {"quantity": 0}]},
        {"lines": [TEA | {"unit_price": "-1"}]},
        {"lines": [TEA | {"unit_price": "1.005"}]},
        {"customer_email": "mia"},
        {"order_id": ""},
    ],
)
def test_a_wrong_order_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        order(**wrong)


def test_the_total_is_exact() -> None:
    cents = [{"sku": f"S{number}", "quantity": 3, "unit_price": "0.10"} for number in range(10)]
    assert order(lines=cents).total == Decimal("3.00")


def test_the_workflow_has_the_name_that_deployments_use() -> None:
    assert order_fulfilment.name == "order-fulfilment"
