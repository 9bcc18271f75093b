"""What answers about the items of maps hold."""

from __future__ import annotations

from pydantic import Field

from stepfast.http.models import ErrorView, Json, Shown
from stepfast.model import CommandStatus


class ItemView(Shown):
    item: int = Field(description="its position in the list, from 0, or the number of its line in the file, from 1")
    status: CommandStatus
    result: Json = Field(description="null until SUCCEEDED")
    error: ErrorView | None
    batch_id: str = Field(description="the execution of its batch")
    omitted: dict[str, int] = Field({}, description="the result, if `largest` left it out, with its bytes of JSON")
    command_id: str | None = Field(description="its command in the batch; null for an item that was never run")


class ItemList(Shown):
    items: list[ItemView] = Field(description="of one batch; there may be none")
    next: str | None = Field(description="the cursor of the next page; null for the last one")
