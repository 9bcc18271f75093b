"""Paused workflows in the table: an item each, in one partition; and the notes of what is held with them.

| item | pk | sk | attributes |
|---|---|---|---|
| paused workflow | `paused` | `<workflow>` | at by why |
| note of a held execution | `paused#<workflow>#<shard>` | `<execution id>` | since |

A workflow has as many partitions of notes as the list of executions, since one partition takes 1,000 writes a second.
They are read consistently, as no index can be. None of these items has `wake`, so the stream leaves them out, and they
never expire: whoever lets an execution go deletes its note.
"""

from __future__ import annotations

from collections.abc import Mapping

from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.item_keys import FIRST_VERSION
from stepfast.backends.dynamodb.listing_keys import shard_of
from stepfast.backends.dynamodb.typed_json import Item, number, text, text_in
from stepfast.engine.workflow_pauses import HeldPage, HeldStart, WorkflowPause

PAUSED = "paused"
NOTES = "paused#"
"""What the partition keys of the notes begin with."""


class DynamoWorkflowPauses:
    """The WorkflowPauseStore on the table. shards: as of the listing; may grow, never shrink."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table, self._shards = table, shards

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

    async def note_held(self, held: HeldStart) -> None:
        await self._table.put({**self._note(held), "v": number(FIRST_VERSION), "since": number(held.at)})

    async def held(self, workflow: str, limit: int, cursor: str | None = None) -> HeldPage:
        shard, after = _place(cursor)
        notes = list[HeldStart]()
        while shard < self._shards:
            wanted, values = "pk = :pk", {":pk": _partition(workflow, shard)}
            if after:
                wanted, values = f"{wanted} AND sk > :after", {**values, ":after": text(after)}
            page = self._table.query_once(
                KeyConditionExpression=wanted,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                Limit=limit - len(notes),
            )
            notes += [HeldStart(workflow, str(item["sk"]["S"]), float(item["since"]["N"])) for item in page["Items"]]
            last = page.get("LastEvaluatedKey")
            shard, after = (shard, str(last["sk"]["S"])) if last else (shard + 1, "")
            if len(notes) >= limit:
                break
        return notes, f"{shard}|{after}" if shard < self._shards else None

    async def forget_held(self, held: HeldStart) -> None:
        self._table.delete(self._note(held), Condition("since = :since", {":since": number(held.at)}))

    def _note(self, held: HeldStart) -> Item:
        shard = shard_of(held.execution_id, self._shards)
        return {"pk": _partition(held.workflow, shard), "sk": text(held.execution_id)}


def _key(workflow: str) -> Item:
    return {"pk": text(PAUSED), "sk": text(workflow)}


def _partition(workflow: str, shard: int) -> Item:
    return text(f"{NOTES}{workflow}#{shard}")


def _place(cursor: str | None) -> tuple[int, str]:
    shard, _, after = (cursor or "0|").partition("|")
    return int(shard), after


def _pause_of(item: Item) -> WorkflowPause:
    return WorkflowPause(float(item["at"]["N"]), text_in(item, "by"), text_in(item, "why"))
