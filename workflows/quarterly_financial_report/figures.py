"""Pure arithmetic from ledger postings to the report's figures; credit notes reduce what they correct."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from .ledger import LedgerError, Posting, read_notice, read_postings
from .models import CostKind, CostLine, Costs, Figures, MonthAmount, MonthFigures, Quarter, Sales, SalesLine

CENT = Decimal("0.01")
COST_KINDS: dict[str, CostKind] = {"5": "cost of sales", "6": "operating costs", "7": "operating costs"}


def months_of(quarter: Quarter) -> tuple[int, int, int]:
    """Calendar quarters: Q1 is January to March."""
    first = 3 * int(quarter[1]) - 2
    return first, first + 1, first + 2


def sales_of(path: Path, quarter: Quarter, year: int) -> Sales:
    """Reads the ledger once; LedgerError when it has nothing of that quarter."""
    lines: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    months: dict[int, Decimal] = dict.fromkeys(months_of(quarter), Decimal(0))
    currency = ""
    for posting in _of_quarter(path, quarter, year):
        currency = posting.currency
        if posting.account.startswith("4"):
            # Sales stand on the credit side, so the sign turns.
            lines[posting.region or "No region", posting.product or "No product"] -= posting.amount
            months[posting.date.month] -= posting.amount
    return Sales(
        quarter=quarter,
        year=year,
        currency=currency,
        notice=read_notice(path),
        lines=[
            SalesLine(region=region, product=product, amount=amount.quantize(CENT))
            for (region, product), amount in sorted(lines.items())
        ],
        months=_month_amounts(months),
    )


def costs_of(path: Path, quarter: Quarter, year: int) -> Costs:
    """Reads the ledger once; LedgerError when it has nothing of that quarter."""
    lines: dict[tuple[CostKind, str], Decimal] = defaultdict(Decimal)
    months: dict[int, Decimal] = dict.fromkeys(months_of(quarter), Decimal(0))
    currency = ""
    for posting in _of_quarter(path, quarter, year):
        currency = posting.currency
        kind = COST_KINDS.get(posting.account[0])
        if kind:
            lines[kind, posting.account_name] += posting.amount
            months[posting.date.month] += posting.amount
    return Costs(
        quarter=quarter,
        year=year,
        currency=currency,
        notice=read_notice(path),
        lines=[
            CostLine(category=category, kind=kind, amount=amount.quantize(CENT))
            for (kind, category), amount in sorted(lines.items())
        ],
        months=_month_amounts(months),
    )


def figures_of(sales: Sales, costs: Costs) -> Figures:
    """ValueError when the two are not of the same quarter, year and currency."""
    period = (sales.quarter, sales.year, sales.currency)
    if period != (costs.quarter, costs.year, costs.currency):
        raise ValueError(f"sales of {period} do not go with costs of {costs.quarter, costs.year, costs.currency}")
    total = _sum(line.amount for line in sales.lines)
    direct = _sum(line.amount for line in costs.lines if line.kind == "cost of sales")
    operating = _sum(line.amount for line in costs.lines if line.kind == "operating costs")
    return Figures(
        quarter=sales.quarter,
        year=sales.year,
        currency=sales.currency,
        notice=sales.notice,
        sales=sales.lines,
        costs=costs.lines,
        months=[
            MonthFigures(month=sold.month, sales=sold.amount, costs=spent.amount)
            for sold, spent in zip(sales.months, costs.months, strict=True)
        ],
        total_sales=total,
        cost_of_sales=direct,
        gross_margin=total - direct,
        operating_costs=operating,
        operating_result=total - direct - operating,
    )


def _of_quarter(path: Path, quarter: Quarter, year: int) -> Iterator[Posting]:
    months = months_of(quarter)
    first = last = None
    has_postings = False
    for posting in read_postings(path):
        first = min(first or posting.date, posting.date)
        last = max(last or posting.date, posting.date)
        if posting.date.year == year and posting.date.month in months:
            has_postings = True
            yield posting
    if not has_postings:
        covers = f"it covers {first} to {last}" if first else "it is empty"
        raise LedgerError(f"{path} has no postings for {quarter} {year}: {covers}")


def _month_amounts(months: dict[int, Decimal]) -> list[MonthAmount]:
    return [MonthAmount(month=month, amount=amount.quantize(CENT)) for month, amount in months.items()]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal("0.00"))
