"""Items of starts in the table: who holds the key of a singleton, and the line of each key.

| item | pk | sk | attributes |
|---|---|---|---|
| key | `h#<workflow>#<n>` | `h#<key>` | ver holder |
| entry of a line | that of its key | `w#<key>#<999 - priority>#<since>#<execution id>` | prio since id |

A start that was turned away stands in the partition that its execution would have: see items.py. A key that nobody
holds has no item. None of these items has `wake`, so the stream leaves them out. Keys are spread over partitions and
written into sort keys as those of limits are.
"""

from __future__ import annotations

import math
import secrets
import zlib
from typing import Any

from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table, changes_to
from stepfast.backends.dynamodb.item_keys import FIRST_VERSION
from stepfast.backends.dynamodb.limits import PARTITIONS, part_of_key
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, text, text_in
from stepfast.engine.ports import Clock
from stepfast.engine.start_items import Hold, LinePlace, StartKey, TurnedAway, key_of, place_of
from stepfast.model import Execution
from stepfast.standing import StartInfo

_END = "\x7f"
"""Sorts behind all that a part of a sort key can begin with."""
HOLDS = "h#"
"""What the partition keys of holds and of their lines begin with."""
AWAY = "away"
_FREE = "attribute_not_exists(pk) OR stat = :deleted"


class DynamoStarts:
    """The StartStore on the table. retention: seconds that the answer to a start is kept, None for ever."""

    def __init__(self, table: Table, clock: Clock, retention: float | None) -> None:
        self._table, self._clock, self._retention = table, clock, retention

    async def hold(self, id: StartKey) -> Hold:
        item = self._table.get(_key(id))
        return Hold(id) if item is None else Hold(id, text_in(item, "ver") or "", text_in(item, "holder") or "")

    async def pass_on(self, hold: Hold, heir: str) -> bool:
        if not heir:
            return not hold.version or self._table.remove(_key(hold.id), _stands(hold))
        return await self._table.put(_held(hold.id, heir), _stands(hold)) is None

    async def first(self, id: StartKey) -> LinePlace | None:
        line = _line(id)
        page = self._table.query_once(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
            ExpressionAttributeValues={":pk": text(_partition(id)), ":start": text(line), ":end": text(line + _END)},
            Limit=1,
            ConsistentRead=True,
        )
        for item in page["Items"]:
            return LinePlace(int_in(item, "prio"), float(item["since"]["N"]), item["id"]["S"])
        return None

    async def leave(self, id: StartKey, place: LinePlace) -> None:
        self._table.delete(
            {"pk": text(_partition(id)), "sk": text(_sort(id, place))}, Condition("attribute_exists(pk)")
        )

    async def turned_away(self, execution_id: str) -> TurnedAway | None:
        item = self._table.get(item_keys.key(execution_id, AWAY))
        if item is None:
            return None
        into: Any = item["into"]["S"]
        return TurnedAway(
            execution_id, item["flow"]["S"], into, item["became"]["S"], item["sent"]["S"], float(item["at"]["N"])
        )

    async def turn_away(self, turned: TurnedAway, hold: Hold) -> bool:
        check = self._table.check_action(_key(hold.id), _stands(hold))
        return await self._table.transact([*self._away(turned), check]) is None

    def _away(self, turned: TurnedAway) -> list[dict[str, Any]]:
        """The actions that record a start that creates nothing, if its id is free."""
        id, now = turned.execution_id, self._clock.now()
        item = item_keys.head(id, AWAY, now) | {"flow": text(turned.workflow), "into": text(turned.into)}
        item |= {"became": text(turned.became), "sent": text(turned.sent), "at": number(turned.at)}
        if self._retention is not None:
            item[EXPIRES] = number(math.ceil(now + self._retention))
        free = Condition(_FREE, {":deleted": text(item_keys.DELETED)})
        check = self._table.check_action(item_keys.key(id, item_keys.META), free)
        return [self._table.put_action(item, ABSENT), check]

    # -- parts of the writes of executions -----------------------------------------------------------------------

    def take(self, hold: Hold, execution_id: str) -> dict[str, Any]:
        """The action by which an execution takes a key, if it stands as it did."""
        return self._table.put_action(_held(hold.id, execution_id), _stands(hold))

    def create(self, execution: Execution, put: dict[str, Any], hold: Hold | None) -> list[dict[str, Any]]:
        """The actions that create an execution in its turn. put: that of its meta, which comes first."""
        id, place = key_of(execution), place_of(execution)
        if hold is not None:
            turn = self.take(hold, execution.execution_id)
        else:
            assert id is not None
            entry = {"pk": text(_partition(id)), "sk": text(_sort(id, place)), "v": number(FIRST_VERSION)}
            entry |= {"prio": number(place.priority), "since": number(place.since), "id": text(place.execution_id)}
            turn = {"Put": {"TableName": self._table.name, "Item": entry}}
        if execution.sent is None:
            return [put, turn]  # A start without an id was not made before.
        return [put, turn, self._table.check_action(item_keys.key(execution.execution_id, AWAY), ABSENT)]

    async def fold(self, execution: Execution, start: StartInfo, input: Item, turned: TurnedAway | None) -> bool:
        """input: its attribute, in the place where it stands."""
        sets = input | {"turn": items.start_value(start), "wrote": number(self._clock.now())}
        change = self._table.update_action(_meta(execution), changes_to(sets, items.MARKS), _as_read(execution))
        return await self._table.transact([change, *(self._away(turned) if turned is not None else ())]) is None

    async def begin(self, execution: Execution, start: StartInfo) -> bool:
        wanted = items.start_value(start)
        sets: Item = {"turn": wanted, "wrote": number(self._clock.now())}
        changes = changes_to(sets, items.MARKS) if start.waits else changes_to(sets | {"wake": number(1)}, [items.CAME])
        stored = await self._table.update(_meta(execution), changes, _as_read(execution))
        # A write whose answer was lost is sent again, and meets itself.
        return stored is None or text_in(stored, "turn") == wanted["S"]


def _meta(execution: Execution) -> Item:
    return item_keys.key(execution.execution_id, item_keys.META)


def _as_read(execution: Execution) -> Condition:
    """The execution is RUNNING, and its start stands as it was read."""
    before = {":if_start": items.start_value(execution.start), ":if_stat": text("RUNNING")}
    return Condition("stat = :if_stat AND turn = :if_start", before)


def _stands(hold: Hold) -> Condition:
    return Condition("ver = :if_ver", {":if_ver": text(hold.version)}) if hold.version else ABSENT


def _partition(id: StartKey) -> str:
    return f"{HOLDS}{id.workflow}#{zlib.crc32(part_of_key(id.key).encode()) % PARTITIONS}"


def _key(id: StartKey) -> Item:
    return {"pk": text(_partition(id)), "sk": text(f"h#{part_of_key(id.key)}")}


def _held(id: StartKey, holder: str) -> Item:
    return {**_key(id), "v": number(FIRST_VERSION), "ver": text(secrets.token_hex(6)), "holder": text(holder)}


def _line(id: StartKey) -> str:
    return f"w#{part_of_key(id.key)}#"


def _sort(id: StartKey, place: LinePlace) -> str:
    return f"{_line(id)}{999 - place.priority:03}#{place.since:017.6f}#{place.execution_id}"
