"""What the steps hand to each other: validated on the way in and out, money always Decimal, never float."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, EmailStr, Field, model_validator

Quarter = Literal["Q1", "Q2", "Q3", "Q4"]
CostKind = Literal["cost of sales", "operating costs"]
Month = Annotated[int, Field(ge=1, le=12)]


class ReportInput(BaseModel):
    """The request of one report; refused before anything runs when it is not valid."""

    quarter: Quarter
    year: int = Field(ge=1900, le=9999)
    distribution_list: list[EmailStr] = Field(min_length=1)


class MonthAmount(BaseModel):
    """One month's net amount, credit notes already taken off."""

    month: Month
    amount: Decimal


class SalesLine(BaseModel):
    """Net sales of one product in one region over the whole quarter."""

    region: str
    product: str
    amount: Decimal


class CostLine(BaseModel):
    """Costs of one ledger account over the whole quarter; `category` is the account's name."""

    category: str
    kind: CostKind
    amount: Decimal


class Period(BaseModel):
    """Which part of which ledger the amounts are of."""

    quarter: Quarter
    year: int
    currency: str
    notice: str = Field(default="", description="the ledger's own remark on its data; printed on every page")

    @property
    def title(self) -> str:
        """Names the report in the PDF and in the mail's subject."""
        return f"Quarterly financial report {self.quarter} {self.year}"


class Sales(Period):
    """Result of `collect_sales`: sorted, so that the same ledger gives the same JSON."""

    lines: list[SalesLine]
    months: list[MonthAmount]


class Costs(Period):
    """Result of `collect_costs`: sorted, so that the same ledger gives the same JSON."""

    lines: list[CostLine]
    months: list[MonthAmount]


class MonthFigures(BaseModel):
    """One pair of bars in the chart."""

    month: Month
    sales: Decimal
    costs: Decimal


class Figures(Period):
    """Result of `summarise` and body of `POST /render`; totals that disagree with the lines are refused."""

    sales: list[SalesLine]
    costs: list[CostLine]
    months: list[MonthFigures] = Field(min_length=3, max_length=3)
    total_sales: Decimal
    cost_of_sales: Decimal
    gross_margin: Decimal
    operating_costs: Decimal
    operating_result: Decimal

    @model_validator(mode="after")
    def _totals_agree(self) -> Self:
        by_kind = {
            kind: sum((line.amount for line in self.costs if line.kind == kind), Decimal(0))
            for kind in ("cost of sales", "operating costs")
        }
        sales = sum((line.amount for line in self.sales), Decimal(0))
        expected = {
            "total_sales": sales,
            "cost_of_sales": by_kind["cost of sales"],
            "gross_margin": sales - by_kind["cost of sales"],
            "operating_costs": by_kind["operating costs"],
            "operating_result": sales - by_kind["cost of sales"] - by_kind["operating costs"],
        }
        for name, amount in expected.items():
            if getattr(self, name) != amount:
                raise ValueError(f"{name} is {getattr(self, name)}, but the lines add up to {amount}")
        return self


class Document(BaseModel):
    """Where the PDF is and how to recognise it; the bytes stay out of the records and the logs."""

    title: str
    path: Path
    sha256: str
    pages: int
    size: int = Field(description="bytes")


class Receipt(BaseModel):
    """What the mail server took: `message_id` is the same however often the step is repeated."""

    message_id: str
    sha256: str
    accepted: list[EmailStr]
    refused: dict[str, str] = Field(default_factory=dict, description="address to the server's reason")
