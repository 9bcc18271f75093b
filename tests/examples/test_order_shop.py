"""The make-believe shop: once per key, all or nothing, also with many threads at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from workflows.order_fulfilment.models import OrderLine
from workflows.order_fulfilment.shop import FIRST_STOCK, KeyReused, NotShippable, OutOfStock, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


def lines(**quantities: int) -> list[OrderLine]:
    return [OrderLine(sku=sku, quantity=pieces, unit_price=Decimal("9.90")) for sku, pieces in quantities.items()]


def pieces(shop: Shop, sku: str) -> int:
    (found,) = (row["pieces"] for row in shop.rows("stock") if row["sku"] == sku)
    assert isinstance(found, int)
    return found


def in_threads(call: Callable[[int], object], times: int = 24) -> list[object]:
    with ThreadPoolExecutor(12) as threads:
        return list(threads.map(call, range(times)))


def test_one_key_charges_once_however_many_threads_try(tmp_path: Path) -> None:
    answers = in_threads(lambda _: Shop(tmp_path / "new").charge("key", "o-1", Decimal("19.80")))
    assert len({str(answer) for answer in answers}) == 1
    (payment,) = Shop(tmp_path / "new").rows("payments")
    assert (payment["order_id"], payment["amount"], payment["refunded"]) == ("o-1", "19.80", 0)


def test_a_key_with_another_amount_or_order_is_refused(shop: Shop) -> None:
    shop.charge("key", "o-1", Decimal("1.00"))
    assert shop.charge("key", "o-1", Decimal("1.0"))  # the same amount, written otherwise
    for order, amount in (("o-1", Decimal("2.00")), ("o-2", Decimal("1.00"))):
        with pytest.raises(KeyReused):
            shop.charge("key", order, amount)
    assert len(shop.rows("payments")) == 1


def test_the_last_pieces_are_sold_once(shop: Shop) -> None:
    def buy(number: int) -> bool:
        try:
            shop.reserve(f"key-{number}", f"o-{number}", lines(TEA=10))
        except OutOfStock:
            return False
        return True

    assert sum(map(bool, in_threads(buy))) == FIRST_STOCK // 10
    assert pieces(shop, "TEA") == 0


def test_a_repeated_reservation_takes_the_goods_once(shop: Shop) -> None:
    in_threads(lambda _: shop.reserve("key", "o-1", lines(TEA=3, CUP=2)))
    assert pieces(shop, "TEA") == FIRST_STOCK - 3
    assert len(shop.rows("reserved")) == 2


def test_a_reservation_takes_all_lines_or_none(shop: Shop) -> None:
    shop.reserve("first", "o-1", lines(TEA=1))
    with pytest.raises(OutOfStock, match="fewer than 1 pieces of OUT-OF-STOCK in stock"):
        shop.reserve("key", "o-2", lines(TEA=3, **{"OUT-OF-STOCK": 1}))
    assert pieces(shop, "TEA") == FIRST_STOCK - 1
    assert len(shop.rows("reservations")) == 1


def test_goods_go_back_once_however_often_they_are_released(shop: Shop) -> None:
    twice = [*lines(TEA=3), *lines(TEA=4)]
    reservation = shop.reserve("key", "o-1", twice)
    assert pieces(shop, "TEA") == FIRST_STOCK - 7
    in_threads(lambda _: shop.release(reservation.reservation_id))
    assert pieces(shop, "TEA") == FIRST_STOCK
    assert [row["released"] for row in shop.rows("reservations")] == [1]


def test_one_key_ships_one_parcel_and_the_carrier_may_refuse(shop: Shop) -> None:
    good = shop.reserve("good", "o-1", lines(TEA=1))
    bad = shop.reserve("bad", "o-2", lines(UNSHIPPABLE=1))
    answers = in_threads(lambda _: shop.ship("key", "o-1", good.reservation_id))
    assert len({str(answer) for answer in answers}) == 1
    with pytest.raises(NotShippable):
        shop.ship("other", "o-2", bad.reservation_id)
    assert [row["order_id"] for row in shop.rows("parcels")] == ["o-1"]
