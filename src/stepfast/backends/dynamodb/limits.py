"""Items of limits in the table: one for each key in use, and one for each step that waits in its line.

| item | pk | sk | attributes |
|---|---|---|---|
| key | `l#<limit>#<n>` | `i#<key>#<shard>` | ver moment held turn gate key shard changed front putoff, expires |
| entry of a line | that of its key | `w#<key>#<shard>#<turn>#<999 - priority>#<since>#<step>` | body rev lease turn \
prio since step, expires |
| numbers | `l#<limit>` | `numbers` | numbers by |

The keys of a limit are spread over partitions, so that one partition's throughput does not bound them all. A key or a
step that does not fit into a sort key stands there as a digest. `held` is JSON: by step its token, since when, and for
how many seconds. Idle items expire: memory and cost go by the keys in use. None of these items has `wake`, so the
stream leaves them out.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepfast.backends.aws.messages import body_of, posted_in
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.item_keys import FIRST_VERSION
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.typed_json import Item, float_in, int_in, number, same, text, text_in
from stepfast.engine.arguments import foreign_cursor
from stepfast.engine.limit_items import Holder, LimitId, LimitItem, Waiter, numbers_in, numbers_text
from stepfast.engine.ports import Clock
from stepfast.language.limits import Numbers

LIMITS = "l#"
"""What the partition keys of limits begin with."""
PARTITIONS = 16
"""Over which the keys of a limit are spread. It never changes."""
IDLE_KEY_SECONDS = 86400.0
"""Seconds that an item is kept once it is idle."""
MOST_MEANWHILE = 100
"""Moments that others may reserve between a read of an item and a reservation."""
LINE_KEPT_SECONDS = 15 * 86400.0
"""Seconds that an entry of a line is kept: longer than SQS keeps the message that stands behind it."""
LONGEST_SORT = 1000
"""Characters of a sort key that a cursor may name; DynamoDB takes 1,024 bytes."""
_PLAIN = re.compile(r"[A-Za-z0-9._:@/+=-]{0,200}")
_END = "\x7f"
"""Sorts behind all that a part of a sort key can begin with."""


class DynamoLimits:
    """The LimitStore on the table."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock

    async def read(self, id: LimitId) -> LimitItem:
        item = self._table.get(_key(id))
        return LimitItem(id) if item is None else _item_of(item, id.name)

    async def write(self, item: LimitItem, version: str) -> LimitItem | None:
        item = replace(item, version=secrets.token_hex(6))
        stored = _stored(item, self._clock.now())
        condition = Condition("ver = :if_ver", {":if_ver": text(version)}) if version else ABSENT
        held = await self._table.put(stored, condition)
        return item if held is None or same(held, stored) else None

    async def reserve(self, item: LimitItem, interval: float, least: float, now: float) -> LimitItem | None:
        sets: Item = {"v": number(FIRST_VERSION), "ver": text(secrets.token_hex(6)), "changed": number(now)}
        if item.id.key:
            sets["key"] = text(item.id.key)
        if item.id.shard:
            sets["shard"] = number(item.id.shard)
        if item.moment >= least:
            # The item has to be kept until after its moment, which others may put off in the meantime.
            latest = max(item.moment, now) + MOST_MEANWHILE * interval
            sets[EXPIRES] = number(math.ceil(latest + IDLE_KEY_SECONDS))
            bounds = {":least": number(least), ":latest": number(latest)}
            condition = Condition("moment >= :least AND moment < :latest", bounds)
            stored = await self._table.shift(_key(item.id), ("moment", number(interval)), sets, condition)
        else:
            moment = now + interval
            sets |= {"moment": number(moment), EXPIRES: number(math.ceil(moment + IDLE_KEY_SECONDS))}
            condition = Condition("attribute_not_exists(moment) OR moment < :least", {":least": number(least)})
            stored = await self._table.shift(_key(item.id), None, sets, condition)
        return None if stored is None else _item_of(stored, item.id.name)

    # -- lines ---------------------------------------------------------------------------------------------------

    async def join(self, id: LimitId, waiter: Waiter) -> None:
        now = self._clock.now()
        item: Item = {"pk": text(_partition(id)), "sk": text(_place(id, waiter)), "v": number(FIRST_VERSION)}
        item |= {"body": text(body_of(waiter.message, None, now)), "rev": number(waiter.revision)}
        item |= {"lease": number(waiter.lease), "prio": number(waiter.priority), "since": number(waiter.since)}
        item |= {"step": text(waiter.step), EXPIRES: number(math.ceil(now + LINE_KEPT_SECONDS))}
        if waiter.turn:
            item["turn"] = text(waiter.turn)
        self._table.put_plain(item)

    async def leave(self, id: LimitId, waiter: Waiter) -> None:
        key = {"pk": text(_partition(id)), "sk": text(_place(id, waiter))}
        self._table.delete(key, Condition("attribute_exists(pk)"))

    async def first(self, id: LimitId, after: str | None = None) -> Waiter | None:
        start = _line(id) if after is None else f"{_line(id)}{part_of_key(after)}#{_END}"
        entries = self._entries(id, start, 1)
        return entries[0] if entries else None

    async def line(self, id: LimitId, limit: int) -> Sequence[Waiter]:
        return self._entries(id, _line(id), limit)

    def _entries(self, id: LimitId, start: str, limit: int) -> list[Waiter]:
        values = {":pk": text(_partition(id)), ":start": text(start), ":end": text(_line(id) + _END)}
        page = self._table.query_once(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
            ExpressionAttributeValues=values,
            Limit=limit,
            ConsistentRead=True,
        )
        return [_waiter_of(item) for item in page["Items"]]

    # -- looking, and numbers --------------------------------------------------------------------------------------

    async def items(self, name: str, limit: int, after: str = "") -> tuple[Sequence[LimitItem], str]:
        first, sort = _position(after)
        listed = list[LimitItem]()
        for partition in range(first, PARTITIONS):
            values = {
                ":pk": text(f"{LIMITS}{name}#{partition}"),
                ":start": text(f"i#{sort}"),
                ":end": text("i#" + _END),
            }
            parameters: dict[str, Any] = {
                "KeyConditionExpression": "pk = :pk AND sk BETWEEN :start AND :end",
                "ExpressionAttributeValues": values,
                "Limit": limit - len(listed),
            }
            page = self._table.query_once(**parameters)
            listed += [_item_of(item, name) for item in page["Items"]]
            sort = ""
            if "LastEvaluatedKey" in page:
                return listed, f"{partition}|{page['LastEvaluatedKey']['sk']['S'][2:]}!"
            if len(listed) >= limit:
                return listed, f"{partition + 1}|" if partition + 1 < PARTITIONS else ""
        return listed, ""

    async def numbers(self, name: str) -> tuple[Numbers, str] | None:
        item = self._table.get(_numbers_key(name))
        return None if item is None else (numbers_in(item["numbers"]["S"]), text_in(item, "by") or "")

    async def set_numbers(self, name: str, numbers: Numbers | None, by: str = "") -> None:
        if numbers is None:
            self._table.delete(_numbers_key(name), Condition("attribute_exists(pk)"))
            return
        item = {**_numbers_key(name), "v": number(FIRST_VERSION), "numbers": text(numbers_text(numbers))}
        self._table.put_plain(item | ({"by": text(by)} if by else {}))


def part_of_key(value: str) -> str:
    """A text within a sort key: itself where nothing in it could be taken for the key's own signs."""
    return value if _PLAIN.fullmatch(value) else f"~{hashlib.sha256(value.encode()).hexdigest()[:40]}"


def _own(id: LimitId) -> str:
    return f"{part_of_key(id.key)}#{id.shard:02}"


def _partition(id: LimitId) -> str:
    return f"{LIMITS}{id.name}#{zlib.crc32(_own(id).encode()) % PARTITIONS}"


def _key(id: LimitId) -> Item:
    return {"pk": text(_partition(id)), "sk": text(f"i#{_own(id)}")}


def _line(id: LimitId) -> str:
    return f"w#{_own(id)}#"


def _place(id: LimitId, waiter: Waiter) -> str:
    turn, priority, since, step = waiter.place
    return f"{_line(id)}{part_of_key(turn)}#{999 + priority:03}#{since:017.6f}#{part_of_key(step)}"


def _position(cursor: str) -> tuple[int, str]:
    """The partition and the sort key that a page goes on from. Raises InvalidRequest for any other text."""
    partition, bar, sort = cursor.partition("|")
    try:
        sort.encode()  # DynamoDB takes only texts that are valid UTF-8
        if cursor and not (bar and partition.isdecimal() and int(partition) < PARTITIONS and len(sort) < LONGEST_SORT):
            raise ValueError("not a position")
        return int(partition or 0), sort
    except ValueError as error:
        raise foreign_cursor() from error


def _numbers_key(name: str) -> Item:
    return {"pk": text(f"{LIMITS}{name}"), "sk": text("numbers")}


def _stored(item: LimitItem, now: float) -> Item:
    stored: Item = {**_key(item.id), "v": number(FIRST_VERSION), "ver": text(item.version)}
    stored["changed"] = number(item.changed_at)
    if item.id.key:
        stored["key"] = text(item.id.key)
    if item.id.shard:
        stored["shard"] = number(item.id.shard)
    if item.moment:
        stored["moment"] = number(item.moment)
    if item.holders:
        held = {
            step: [holder.token, round(holder.since, 3), round(holder.lease - holder.since, 3)]
            for step, holder in item.holders.items()
        }
        stored["held"] = text(json.dumps(held, separators=(",", ":")))
    if item.turn:
        stored["turn"] = text(item.turn)
    if item.gate:
        stored["gate"] = text(item.gate)
    if item.put_off:
        stored |= {"front": number(item.front), "putoff": number(item.put_off)}
    idle_at = item.idle_at(now)
    if idle_at < float("inf"):
        stored[EXPIRES] = number(math.ceil(idle_at + IDLE_KEY_SECONDS))
    return stored


def _item_of(item: Item, name: str) -> LimitItem:
    held = json.loads(text_in(item, "held") or "{}")
    return LimitItem(
        LimitId(name, text_in(item, "key") or "", int_in(item, "shard")),
        text_in(item, "ver") or "",
        float_in(item, "moment") or 0.0,
        {step: Holder(token, since, since + seconds) for step, (token, since, seconds) in held.items()},
        text_in(item, "turn") or "",
        text_in(item, "gate") or "",
        float_in(item, "changed") or 0.0,
        float_in(item, "front") or 0.0,
        float_in(item, "putoff") or 0.0,
    )


def _waiter_of(item: Item) -> Waiter:
    return Waiter(
        text_in(item, "turn") or "",
        int_in(item, "prio"),
        float(item["since"]["N"]),
        item["step"]["S"],
        posted_in(item["body"]["S"]).message,
        int_in(item, "rev"),
        float(item["lease"]["N"]),
    )
