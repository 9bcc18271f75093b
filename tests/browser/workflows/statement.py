"""A statement for a customer: two steps side by side, then two that fail while a test lets their service be out."""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from stepfast import Retry, step, workflow

QUICK = Retry(max_attempts=2, initial=0.05, backoff=1.0, jitter="none")


def _down(service: str) -> bool:
    """True while a test lets this service be out."""
    return (Path(os.environ["OUTAGES"]) / service).exists()


class Statement(BaseModel):
    """What a statement is made for."""

    customer: str = Field(min_length=1, max_length=64)
    quarter: Literal["Q1", "Q2", "Q3", "Q4"] = "Q1"
    year: int = Field(default=2026, ge=1900, le=9999)
    copies: list[Annotated[str, Field(min_length=3)]] = Field(default_factory=list, description="e-mail addresses")
    urgent: bool = False
    note: str | None = None


@step
def collect_sales(statement: Statement) -> int:
    """Sums the sales."""
    time.sleep(0.05)
    return 1200


@step
def collect_costs(statement: Statement) -> int:
    time.sleep(0.1)
    return 700


@step(retry=QUICK, timeout=10, pool="pdf")
def render(sales: int, costs: int) -> str:
    """Draws the PDF; fails while the service `pdf` is out."""
    time.sleep(0.03)
    if _down("pdf"):
        raise ConnectionError("the PDF service does not answer")
    return f"statement of {sales - costs}"


@step(retry=QUICK)
def send(document: str, to: str) -> str:
    """Mails it; fails while the service `mail` is out."""
    if _down("mail"):
        raise TimeoutError("the mail server took longer than 20 s")
    return f"{document} sent to {to}"


@workflow("statement")
async def make_statement(statement: Statement) -> str:
    """Collects, renders and sends a customer's statement."""
    sales, costs = await asyncio.gather(collect_sales(statement), collect_costs(statement))
    document = await render(sales, costs)
    return await send(document, statement.customer)
