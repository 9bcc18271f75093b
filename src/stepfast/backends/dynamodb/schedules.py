"""Items of schedules in the table: one for each schedule that has been due, paused or started by hand.

| item | pk | sk | attributes |
|---|---|---|---|
| schedule | `schedule#<name>` | `state` | ver state |

`state` is JSON. The item has no `wake`, so the stream leaves it out, and it never expires: it holds the pause.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.item_keys import FIRST_VERSION
from stepfast.backends.dynamodb.typed_json import Item, number, same, text
from stepfast.engine.schedule_items import ScheduleItem, item_of, state_text

SCHEDULES = "schedule#"
"""What the partition keys of schedules begin with."""


class DynamoSchedules:
    """The ScheduleStore on the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def read(self, name: str) -> ScheduleItem:
        item = self._table.get(_key(name))
        return ScheduleItem(name) if item is None else item_of(name, item["ver"]["S"], item["state"]["S"])

    async def write(self, item: ScheduleItem, version: str) -> ScheduleItem | None:
        written = replace(item, version=secrets.token_hex(6))
        stored: Item = {**_key(item.name), "v": number(FIRST_VERSION), "ver": text(written.version)}
        stored["state"] = text(state_text(item))
        condition = Condition("ver = :if_ver", {":if_ver": text(version)}) if version else ABSENT
        stored_before = await self._table.put(stored, condition)
        return written if stored_before is None or same(stored_before, stored) else None


def _key(name: str) -> Item:
    return {"pk": text(SCHEDULES + name), "sk": text("state")}
