"""Answer links in the table: the keys that sign them, and the last heartbeat of each link.

| item | pk | sk | attributes |
|---|---|---|---|
| keys | `links` | `keys` | ver keys |
| heartbeat | `x#<execution>` | `zl#<link>` | at progress expires |

`keys` is JSON. No item has a `wake`, so the stream leaves them out. A heartbeat goes with its execution; one that comes
late, after its execution was deleted, expires with its link.
"""

from __future__ import annotations

import math
import secrets

from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.item_keys import FIRST_VERSION
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.typed_json import Item, float_in, number, same, text, text_in
from stepfast.engine.link_store import Beat

LINKS = "links"
"""The partition of the keys."""
BEAT = "zl#"
"""What the sort keys of heartbeats begin with: behind all that a load of a first run reads."""


class DynamoLinks:
    """The LinkStore on the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def keys(self) -> tuple[str, str]:
        item = self._table.get(_KEYS)
        return ("", "") if item is None else (item["keys"]["S"], item["ver"]["S"])

    async def write_keys(self, text_of_keys: str, version: str) -> bool:
        item: Item = {**_KEYS, "v": number(FIRST_VERSION), "ver": text(secrets.token_hex(6))}
        item["keys"] = text(text_of_keys)
        condition = Condition("ver = :if_ver", {":if_ver": text(version)}) if version else ABSENT
        stored = await self._table.put(item, condition)
        return stored is None or same(stored, item)

    async def beat(self, execution_id: str, link: str, beat: Beat, keep_until: float) -> None:
        item: Item = item_keys.head(execution_id, BEAT + link, beat.at)
        item |= {"at": number(beat.at), EXPIRES: number(math.ceil(keep_until))}
        if beat.progress is not None:
            item["progress"] = text(beat.progress)
        await self._table.put(item)

    async def last_beat(self, execution_id: str, link: str) -> Beat | None:
        item = self._table.get(item_keys.key(execution_id, BEAT + link))
        return None if item is None else Beat(float_in(item, "at") or 0.0, text_in(item, "progress"))


_KEYS: Item = {"pk": text(LINKS), "sk": text("keys")}
