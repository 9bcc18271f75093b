"""A quarterly report from the general ledger, as PDF by mail: five steps, two of them in parallel.

To run it, start the two servers it needs and make a ledger (or set REPORT_LEDGER to your own):

    python -m workflows.quarterly_financial_report.make_ledger
    python -m workflows.quarterly_financial_report.pdf_service
    python -m workflows.quarterly_financial_report.mail_sink

Stop the PDF service and start one report: the collected figures stay recorded, `render_pdf` is
retried and then the execution pauses. Start the service and resume: only `render_pdf` and what
follows run. Start several reports while the service is down: after five failures the gate of its
limit closes, the reports wait, and they go on by themselves once a probe succeeds. Workers on
several machines need a REPORT_OUTPUT folder that all of them see.
"""

import asyncio
from pathlib import Path

from pydantic import EmailStr

from stepfast import Gate, GiveUp, Limit, Retry, current_step, step, workflow

from .figures import costs_of, figures_of, sales_of
from .mailing import send_report
from .models import Costs, Document, Figures, Quarter, Receipt, ReportInput, Sales
from .rendering import fetch_pdf, store_pdf
from .settings import PDF_PROBE, Settings

# A ledger that is not valid stays so (LedgerError is a ValueError). A disk or network error may pass.
LEDGER_RETRY = Retry(max_attempts=3, initial=0.5, give_up_on=(ValueError,))
RENDER_RETRY = Retry(max_attempts=4, initial=0.5, backoff=2.0, max_delay=60.0, jitter="full", give_up_on=(ValueError,))
MAIL_RETRY = Retry(max_attempts=4, initial=0.5, backoff=2.0, max_delay=60.0, give_up_on=(ValueError,))

# The timeouts of clients are shorter than those of the steps, so that the error names the slow service.
CLIENT_TIMEOUT = 20.0
STEP_TIMEOUT = 30

# The PDF service draws PDF_AT_ONCE reports at once. While it is down, reports wait for it instead of failing. One
# attempt each PDF_PROBE seconds finds out whether it is back, and those that wait go on at a growing rate.
PDF_AT_ONCE = 8
PDF_GATE = Gate(failures=5, window=2 * PDF_PROBE, probe=PDF_PROBE)
PDF_SERVICE = Limit("pdf-service", concurrency=PDF_AT_ONCE, gate=PDF_GATE)


@step(retry=LEDGER_RETRY, timeout=120)
def collect_sales(quarter: Quarter, year: int) -> Sales:
    """Net sales by region and product, from the ledger's accounts 4…"""
    return sales_of(_ledger(), quarter, year)


@step(retry=LEDGER_RETRY, timeout=120)
def collect_costs(quarter: Quarter, year: int) -> Costs:
    """Costs by category, from the ledger's accounts 5… to 7…"""
    return costs_of(_ledger(), quarter, year)


@step
def summarise(sales: Sales, costs: Costs) -> Figures:
    """Gross margin and operating result; pure arithmetic."""
    return figures_of(sales, costs)


@step(retry=RENDER_RETRY, timeout=STEP_TIMEOUT, pool="pdf", limits=[PDF_SERVICE])
def render_pdf(figures: Figures) -> Document:
    """Has the PDF service draw the report and keeps the file; a repeated attempt replaces it."""
    settings = Settings.from_environment()
    data, pages = fetch_pdf(figures, settings.pdf_url, CLIENT_TIMEOUT)
    return store_pdf(data, pages, figures, settings.output, current_step().execution_id)


@step(retry=MAIL_RETRY, timeout=STEP_TIMEOUT)
def distribute(document: Document, distribution_list: list[EmailStr]) -> Receipt:
    """Mails the PDF; the idempotency key becomes the Message-ID, so that a duplicate is recognised."""
    key = current_step().idempotency_key
    return send_report(document, distribution_list, key, Settings.from_environment(), CLIENT_TIMEOUT)


@workflow("quarterly-financial-report")
async def quarterly_financial_report(request: ReportInput) -> Receipt:
    """From the request to the mail server's receipt."""
    sales, costs = await asyncio.gather(
        collect_sales(request.quarter, request.year),
        collect_costs(request.quarter, request.year),
    )
    figures = await summarise(sales, costs)
    document = await render_pdf(figures)
    return await distribute(document, request.distribution_list)


def _ledger() -> Path:
    path = Settings.from_environment().ledger
    if not path.is_file():
        raise GiveUp(
            f"there is no ledger at {path}: set REPORT_LEDGER to your own, or generate one with "
            "python -m workflows.quarterly_financial_report.make_ledger"
        )
    return path
