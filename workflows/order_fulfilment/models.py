"""The values that the steps exchange. Amounts are Decimal with at most two decimals."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, EmailStr, Field

Sku = Annotated[str, Field(min_length=1, max_length=64)]


class OrderLine(BaseModel):
    """A line of an order. unit_price: the price that the customer has seen, which is not looked up again."""

    sku: Sku
    quantity: int = Field(gt=0, le=1_000_000)
    unit_price: Decimal = Field(ge=0, max_digits=12, decimal_places=2)


class Order(BaseModel):
    """The workflow's input; refused before anything runs when it is not valid."""

    order_id: str = Field(min_length=1, max_length=64)
    customer_email: EmailStr
    lines: list[OrderLine] = Field(min_length=1)

    @property
    def total(self) -> Decimal:
        """The amount to charge, in the currency of the shop."""
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal("0.00"))


class Approval(BaseModel):
    """Payload of the signal "approval"."""

    approved: bool
    by: str = Field(min_length=1)
    comment: str = ""


class Payment(BaseModel):
    """A charge that has succeeded."""

    payment_id: str
    amount: Decimal


class Reservation(BaseModel):
    """Goods that are reserved for one order."""

    reservation_id: str


class Parcel(BaseModel):
    """Goods that were handed to the carrier."""

    tracking: str


class Outcome(BaseModel):
    """How the order ended; all three are ends in good order, so the execution SUCCEEDED.

    shipped: paid and sent. refunded: paid, could not be fulfilled, everything taken back.
    declined: not approved; nothing was charged.
    """

    order_id: str
    status: Literal["shipped", "refunded", "declined"]
    total: Decimal
    reason: str = ""
    tracking: str = ""
