"""A payment that waits for somebody's approval."""

from datetime import timedelta

from pydantic import BaseModel, Field

import stepfast
from stepfast import step, workflow


class Approval(BaseModel):
    approved: bool
    by: str = Field(min_length=1)


@step
def pay(amount: int) -> int:
    return amount


@workflow("payment")
async def payment(amount: int) -> str:
    """Waits for an approval, then pays."""
    answer = await stepfast.signal("approval", Approval, timeout=timedelta(days=3))
    return f"{await pay(amount)} by {answer.by}" if answer.approved else "refused"
