"""What is explored: both examples, one of them with an outage, and a flow with a bit of everything, also cancelled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from stepfast.testing import MotoCloud
from stepfast.testing.runs import Run
from tests.cloud.clients import cancelled, signalled
from tests.cloud.exploration import Example, environment
from tests.cloud.flows import Answer, mixed
from tests.examples.processes import MailSink, PdfService
from workflows.order_fulfilment import order_fulfilment
from workflows.order_fulfilment.models import Approval
from workflows.order_fulfilment.shop import FIRST_STOCK, Shop
from workflows.quarterly_financial_report import quarterly_financial_report, render_pdf
from workflows.quarterly_financial_report.make_ledger import ledger_csv


def _order(sku: str) -> dict[str, Any]:
    line = {"sku": sku, "quantity": 2, "unit_price": "600.00"}
    return {"order_id": "o-1", "customer_email": "mia@example.com", "lines": [line]}


def _approve(cloud: MotoCloud) -> None:
    cloud.when(waiting="approval").do(lambda: signalled(cloud, "approval", Approval(approved=True, by="cfo")))


def _answer(cloud: MotoCloud) -> None:
    cloud.when(waiting="answer").do(lambda: signalled(cloud, "answer", Answer(yes=True)))


def _shop(run: Run[Any], folder: Path) -> Any:
    shop = Shop(folder)
    return (
        run.result.status,
        [(row["amount"], row["refunded"]) for row in shop.rows("payments")],
        len(shop.rows("parcels")),
        [FIRST_STOCK - row["pieces"] for row in shop.rows("stock")],
    )


def _nothing(cloud: MotoCloud) -> None: ...


@contextmanager
def _office() -> Iterator[None]:
    """A ledger, and the servers of the report, for as many runs as there are."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder, "ledger.csv")
        ledger.write_bytes(ledger_csv(year=2026, lines=1000, seed=7))
        pdf, mail = PdfService(), MailSink(Path(folder, "mail"))
        pdf.start()
        mail.start()
        try:
            with environment(
                REPORT_LEDGER=str(ledger),
                REPORT_PDF_URL=pdf.url,
                REPORT_SMTP_HOST=mail.host,
                REPORT_SMTP_PORT=str(mail.port),
                REPORT_OUTPUT=str(Path(folder, "reports")),  # its path is input of a step
                REPORT_SENDER="controlling@example.com",
            ):
                yield
        finally:
            pdf.stop()
            mail.stop()


def _report(run: Run[Any], folder: Path) -> Any:
    """A mail that is sent again has the same id and the same attachment, by which the server knows it."""
    return run.result


def _outage(cloud: MotoCloud) -> None:
    cloud.fail(render_pdf, times=None, error=ConnectionError("no answer"))


def _redriven(cloud: MotoCloud, run: Run[Any]) -> None:
    """The outage is over when the execution has failed; the operator redrives until it goes on.

    Where crashes made it try more often, the gate of the step may have closed: then it waits, and nobody redrives it.
    """
    for _ in range(10):
        cloud.advance(timedelta(minutes=1))
        if run.status == "FAILED":
            break
    cloud.restore(render_pdf)
    for _ in range(15):
        cloud.advance(timedelta(minutes=1))
        if run.status != "FAILED":
            break
        cloud.redrive()
    cloud.run_until(run)


def _result(run: Run[Any], folder: Path) -> Any:
    return run.result


def _cancel(cloud: MotoCloud) -> None:
    cloud.when(waiting="answer").do(lambda: cancelled(cloud))


def _steps(run: Run[Any], folder: Path) -> Any:
    return sorted({one.step for one in run.steps})


REPORT = {"quarter": "Q3", "year": 2026, "distribution_list": ["cfo@example.com"]}


EXAMPLES = {
    one.name: one
    for one in (
        Example("order shipped", order_fulfilment, _order("TEA"), _approve, _shop),
        Example("order refunded", order_fulfilment, _order("UNSHIPPABLE"), _approve, _shop),
        Example("report", quarterly_financial_report, REPORT, _nothing, _report, _office),
        Example("report redriven", quarterly_financial_report, REPORT, _outage, _result, _office, _redriven),
        Example("mixed", mixed, "tea", _answer, _result),
        Example("mixed cancelled", mixed, "tea", _cancel, _steps, status="CANCELLED"),
    )
}
