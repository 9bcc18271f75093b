"""Both example workflows through the real functions, with their real servers."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast.testing import MotoCloud
from tests.cloud.conftest import MakeCloud
from tests.examples.conftest import (  # noqa: F401
    ledger,
    mail_sink,
    pdf_service,
    report_settings,
    shop_folder,
)
from tests.examples.processes import MailSink, PdfService
from workflows.order_fulfilment import order_fulfilment
from workflows.order_fulfilment.models import Approval
from workflows.order_fulfilment.shop import FIRST_STOCK, Shop
from workflows.quarterly_financial_report import collect_sales, quarterly_financial_report, render_pdf
from workflows.quarterly_financial_report.models import ReportInput
from workflows.quarterly_financial_report.settings import Settings

REQUEST = ReportInput(quarter="Q3", year=2026, distribution_list=["cfo@example.com", "board@example.com"])


def order(sku: str = "TEA", price: str = "9.95") -> dict[str, Any]:
    line = {"sku": sku, "quantity": 2, "unit_price": price}
    return {"order_id": "o-1", "customer_email": "mia@example.com", "lines": [line]}


@pytest.fixture
def orders(make_cloud: MakeCloud, shop_folder: Path) -> MotoCloud:  # noqa: F811
    return make_cloud(order_fulfilment)


def test_an_order_is_charged_once_and_shipped(orders: MotoCloud, shop_folder: Path) -> None:  # noqa: F811
    assert orders.run(order_fulfilment, order()).result.status == "shipped"
    assert [row["refunded"] for row in Shop(shop_folder).rows("payments")] == [0]


def test_goods_and_money_go_back_when_the_carrier_refuses(orders: MotoCloud, shop_folder: Path) -> None:  # noqa: F811
    assert orders.run(order_fulfilment, order("UNSHIPPABLE")).result.status == "refunded"
    assert [row["refunded"] for row in Shop(shop_folder).rows("payments")] == [1]
    assert [row["pieces"] for row in Shop(shop_folder).rows("stock")] == [FIRST_STOCK]


def test_a_large_order_waits_for_a_person(orders: MotoCloud, shop_folder: Path) -> None:  # noqa: F811
    orders.when(waiting="approval", delay=timedelta(days=1)).signal("approval", Approval(approved=True, by="cfo"))
    assert orders.run(order_fulfilment, order(price="600.00")).result.status == "shipped"


def test_an_order_that_nobody_approves_is_declined_after_three_days(
    orders: MotoCloud,
    shop_folder: Path,  # noqa: F811
) -> None:
    start = orders.now
    run = orders.run(order_fulfilment, order(price="600.00"))
    assert (run.result.status, run.result.reason) == ("declined", "nobody approved it within 3 days")
    assert timedelta(days=3) <= orders.now - start < timedelta(days=3, minutes=2)
    assert Shop(shop_folder).rows("payments") == []


@pytest.fixture
def reports(make_cloud: MakeCloud, report_settings: Settings) -> MotoCloud:  # noqa: F811
    return make_cloud(quarterly_financial_report)


def test_the_report_is_rendered_and_mailed(reports: MotoCloud, mail_sink: MailSink) -> None:  # noqa: F811
    run = reports.run(quarterly_financial_report, REQUEST)
    assert run.result.accepted == REQUEST.distribution_list
    (message,) = mail_sink.messages()
    assert message["Message-ID"] == run.result.message_id
    assert sorted(one.step for one in run.steps) == sorted(
        ["collect_sales", "collect_costs", "summarise", "render_pdf", "distribute"]
    )


def test_an_outage_of_the_pdf_service_is_mended_by_a_redrive(
    reports: MotoCloud,
    pdf_service: PdfService,  # noqa: F811
    mail_sink: MailSink,  # noqa: F811
) -> None:
    pdf_service.stop()
    run = reports.run(quarterly_financial_report, REQUEST)
    assert (run.status, run.error and run.error.step) == ("FAILED", "render_pdf")
    reports.advance(timedelta(minutes=10))
    assert len(reports.dead_letters) == 1
    pdf_service.start()
    reports.redrive()
    reports.run_until(lambda: run.status == "SUCCEEDED")
    assert len(run.calls(collect_sales)) == 1
    assert len(run.calls(render_pdf)) == 5
    assert len(mail_sink.messages()) == 1
