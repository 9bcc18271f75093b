"""A cart that others look into and fill."""

import asyncio

from pydantic import BaseModel, Field

from stepfast import UpdateRefused, query, step, update, workflow


class Wrapping(BaseModel):
    paper: str = Field(min_length=1)
    ribbon: bool = False


@step
def reserve(name: str) -> str:
    return name


@workflow("cart")
async def cart(limit: int) -> list[str]:
    """A cart with a query and updates."""
    items: list[str] = []
    paid = asyncio.Event()

    @query
    def held() -> list[str]:
        return items

    @update
    async def add(name: str) -> int:
        items.append(await reserve(name))
        return len(items)

    @add.check
    def _(name: str) -> None:
        if len(items) >= limit:
            raise UpdateRefused("the cart is full")

    @update
    async def wrap(wrapping: Wrapping) -> str:
        return f"{len(items)} in {wrapping.paper}{' with a ribbon' if wrapping.ribbon else ''}"

    @update
    async def pay() -> None:
        paid.set()

    await paid.wait()
    return items
