"""Paused workflows in the table: an item each, in one partition.

| item | pk | sk | attributes |
|---|---|---|---|
| paused workflow | `paused` | `<workflow>` | at by why |

None of these items has `wake`, so the stream leaves them out, and they never expire.
"""

from __future__ import annotations

from collections.abc import Mapping

from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.item_keys import FIRST_VERSION
from stepfast.backends.dynamodb.typed_json import Item, number, text, text_in
from stepfast.engine.workflow_pauses import WorkflowPause

PAUSED = "paused"


class DynamoWorkflowPauses:
    """The WorkflowPauseStore on the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def all(self, *, settled: bool = False) -> Mapping[str, WorkflowPause]:
        pages = self._table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(PAUSED)},
            ConsistentRead=settled,
        )
        return {item["sk"]["S"]: _pause_of(item) for page, _ in pages for item in page}

    async def pause(self, workflow: str, pause: WorkflowPause) -> WorkflowPause:
        item: Item = {**_key(workflow), "v": number(FIRST_VERSION), "at": number(pause.at)}
        item |= {name: text(value) for name, value in (("by", pause.by), ("why", pause.why)) if value is not None}
        stands = await self._table.put(item, ABSENT)
        return _pause_of(stands) if stands else pause

    async def unpause(self, workflow: str) -> bool:
        return self._table.remove(_key(workflow), Condition("attribute_exists(pk)"))


def _key(workflow: str) -> Item:
    return {"pk": text(PAUSED), "sk": text(workflow)}


def _pause_of(item: Item) -> WorkflowPause:
    return WorkflowPause(float(item["at"]["N"]), text_in(item, "by"), text_in(item, "why"))
