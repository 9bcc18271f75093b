"""A workflow that asks by a link, whose addresses stand in the result of a step."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field

from stepfast import callback, step, workflow


class Approval(BaseModel):
    """Shall the quarterly report go out?

    It goes to the 14 people on the list as soon as you agree.
    """

    approved: bool = Field(title="Send it to everybody on the list?")
    tone: Literal["short", "detailed"] = Field("short", title="Covering letter")
    comment: str = Field("", description="The people on the list do not see it.")


@step
def mail(whole: str, yes: str) -> list[str]:
    return [whole, yes]


@workflow("approving")
async def approving() -> str:
    async with callback("approved", Approval, timeout=timedelta(days=3)) as link:
        await mail(link.url, link.url_for(Approval(approved=True, comment="by the button")))
        approval = await link.answer()
    return f"{approval.approved} {approval.tone} {approval.comment}"
