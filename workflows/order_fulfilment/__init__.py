"""An order from approval to parcel, with compensation: charge, reserve, ship.

Two kinds of failure are kept apart:

- A business no (out of stock, carrier refuses) is an answer. The workflow takes back what it has
  done and *returns* an Outcome. It does not re-raise: a failed execution can be resumed, and a
  resume rewinds to just before the failure, where the customer would be sent goods whose payment
  has been given back.
- An outage (the warehouse does not answer after all retries) is let out. The execution pauses with
  its charge kept, and a resume goes on at the step that failed. Nothing is compensated, because
  nothing is decided yet.

No double charge: the payment provider recognises the step's idempotency key, which is the same in
every attempt and after a resume, so retrying is safe even when the first answer was lost. Start the
execution with the order's id as its execution id, and a second click is the same execution, too.
"""

from datetime import timedelta
from decimal import Decimal

import stepfast
from stepfast import Retry, StepFailed, current_step, step, workflow

from .models import Approval, Order, Outcome, Parcel, Payment, Reservation
from .settings import shop_folder
from .shop import NotShippable, OutOfStock, Rejected, Shop

APPROVAL_LIMIT = Decimal("1000.00")
APPROVAL_TIME = timedelta(days=3)

RETRY = Retry(max_attempts=4, initial=0.2, backoff=2.0, max_delay=60.0, give_up_on=(Rejected,))


@step(retry=RETRY, timeout=30)
def charge(order: Order) -> Payment:
    """Charges the total once, however often it is tried."""
    return Shop(shop_folder()).charge(current_step().idempotency_key, order.order_id, order.total)


@step(retry=RETRY, timeout=30)
def reserve(order: Order) -> Reservation:
    """Takes the goods out of the stock; fails with OutOfStock, and then nothing is taken."""
    return Shop(shop_folder()).reserve(current_step().idempotency_key, order.order_id, order.lines)


@step(retry=RETRY, timeout=30)
def ship(order: Order, reservation: Reservation) -> Parcel:
    """Hands the goods to the carrier; fails with NotShippable."""
    return Shop(shop_folder()).ship(current_step().idempotency_key, order.order_id, reservation.reservation_id)


@step(retry=RETRY, timeout=30)
def release(reservation: Reservation) -> None:
    """Undoes `reserve`; harmless when repeated."""
    Shop(shop_folder()).release(reservation.reservation_id)


@step(retry=RETRY, timeout=30)
def refund(payment: Payment) -> None:
    """Undoes `charge`; harmless when repeated."""
    Shop(shop_folder()).refund(payment.payment_id)


@workflow("order-fulfilment")
async def order_fulfilment(order: Order) -> Outcome:
    """Above 1000.00 a person decides first, by the signal "approval", within three days."""
    if order.total > APPROVAL_LIMIT and (objection := await _objection()):
        return Outcome(order_id=order.order_id, status="declined", total=order.total, reason=objection)
    payment = await charge(order)
    try:
        reservation = await reserve(order)
    except StepFailed as failure:
        _let_outage_out(failure, OutOfStock)
        await refund(payment)
        return Outcome(order_id=order.order_id, status="refunded", total=order.total, reason=failure.message)
    try:
        parcel = await ship(order, reservation)
    except StepFailed as failure:
        _let_outage_out(failure, NotShippable)
        await release(reservation)
        await refund(payment)
        return Outcome(order_id=order.order_id, status="refunded", total=order.total, reason=failure.message)
    return Outcome(order_id=order.order_id, status="shipped", total=order.total, tracking=parcel.tracking)


def _let_outage_out(failure: StepFailed, answer: type[Rejected]) -> None:
    # Only the expected no is compensated; everything else pauses the execution as it stands.
    if failure.error_type != answer.__name__:
        raise failure


async def _objection() -> str:
    """Why the order must not be charged, "" when it may."""
    try:
        approval = await stepfast.signal("approval", Approval, timeout=APPROVAL_TIME)
    except TimeoutError:
        return f"nobody approved it within {APPROVAL_TIME.days} days"
    if approval.approved:
        return ""
    return f"refused by {approval.by}" + (f": {approval.comment}" if approval.comment else "")
