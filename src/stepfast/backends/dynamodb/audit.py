"""The audit list in the table: an item a line, in partitions by the day.

| item | pk | sk | attributes |
|---|---|---|---|
| line | `audit#<day>#<shard>` | its id | caller action xid target why count outcome status expires |

A line is put before the action that it is about, and updated after it: two writes of one unit each. A transaction with
the action's own writes would cost twice that, and the units of those writes once more. The items have no `wake`, so the
stream leaves them out, and `expires` is the table's TTL. A day has as many partitions as the list of executions, since
one partition takes 1,000 writes a second.
"""

from __future__ import annotations

import math
from typing import Any

from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table, changes_to
from stepfast.backends.dynamodb.item_keys import FIRST_VERSION
from stepfast.backends.dynamodb.listing_keys import shard_of
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.typed_json import Item, float_in, int_in, number, text, text_in
from stepfast.engine.audit_store import AUDIT_DAY_SECONDS, AuditLine, AuditPage, AuditQuery, place_at, time_of
from stepfast.engine.ports import Clock

AUDIT = "audit#"
"""What the partition keys of the list begin with."""
MOST_AUDIT_QUERIES = 64
"""Queries that one page makes; then it ends, with a `next`."""
_TEXTS = {"caller": "by", "action": "action", "xid": "execution_id", "target": "target", "why": "why"}
_EXISTS = Condition("attribute_exists(pk)", {})


class DynamoAudit:
    """The AuditStore on the table. shards: as of the listing; may grow, never shrink."""

    def __init__(self, table: Table, clock: Clock, shards: int) -> None:
        self._table, self._clock, self._shards = table, clock, shards

    async def note(self, line: AuditLine, expires: float) -> None:
        item = {**self._key(line.id), "v": number(FIRST_VERSION), EXPIRES: number(math.ceil(expires))}
        item["at"], item["outcome"] = number(line.at), text(line.outcome)
        item |= {name: text(value) for name, field in _TEXTS.items() if (value := getattr(line, field))}
        if line.count:
            item["count"] = number(line.count)
        await self._table.put(item, ABSENT)  # refused, it is there already: an answer was lost

    async def settle(self, line: AuditLine) -> None:
        sets: Item = {"outcome": text(line.outcome), "status": number(line.status)}
        if line.execution_id:
            sets["xid"] = text(line.execution_id)
        await self._table.update(self._key(line.id), changes_to(sets, []), _EXISTS)

    async def audit_page(self, query: AuditQuery, oldest: float) -> AuditPage:
        ends = ([query.cursor] if query.cursor else []) + ([place_at(query.until)] if query.until is not None else [])
        # The newest line may be some seconds ahead: clocks of functions differ.
        place = min(ends) if ends else place_at(self._clock.now() + AUDIT_DAY_SECONDS)
        lines, queries = list[AuditLine](), 0
        while len(lines) < query.limit and queries < MOST_AUDIT_QUERIES and place > place_at(oldest):
            day = _day_before(place)
            day_lines, place = self._of_day(query, day, place, place_at(max(oldest, day * AUDIT_DAY_SECONDS)))
            queries += self._shards
            lines += day_lines
        if len(lines) > query.limit:
            lines = lines[: query.limit]
            place = lines[-1].id
        return AuditPage(lines, place if place > place_at(oldest) else None)

    async def expire_audit(self, before: float) -> int:
        return 0

    def _of_day(self, query: AuditQuery, day: int, place: str, first: str) -> tuple[list[AuditLine], str]:
        """The lines of a day from before a place, the newest first, and the place up to which that is all of them."""
        candidates, complete = list[AuditLine](), first
        for shard in range(self._shards):
            page = self._table.query_once(
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :place",
                ScanIndexForward=False,
                **_filtered(query, {":pk": _partition(day, shard), ":first": text(first), ":place": text(place)}),
            )
            candidates += [_line(item) for item in page["Items"]]
            if "LastEvaluatedKey" in page:
                complete = max(complete, str(page["LastEvaluatedKey"]["sk"]["S"]))
        lines = [line for line in candidates if complete <= line.id < place]
        return sorted(lines, key=lambda line: line.id, reverse=True), complete

    def _key(self, id: str) -> Item:
        day = int(time_of(id) // AUDIT_DAY_SECONDS)
        return {"pk": _partition(day, shard_of(id, self._shards)), "sk": text(id)}


def _partition(day: int, shard: int) -> dict[str, str]:
    return text(f"{AUDIT}{day:06}#{shard}")


def _day_before(place: str) -> int:
    """The day of the last line that can stand before a place."""
    days = time_of(place) / AUDIT_DAY_SECONDS
    return int(days) if "-" in place else math.ceil(days) - 1


def _filtered(query: AuditQuery, values: Item) -> dict[str, Any]:
    wanted = {"xid": query.execution_id, "caller": query.by, "action": query.action}
    conditions, names = [], {}
    for name, value in wanted.items():
        if value is not None:
            conditions.append(f"#{name} = :{name}")
            names[f"#{name}"], values[f":{name}"] = name, text(value)
    if not conditions:
        # One more than wanted, since BETWEEN has the line at the place itself, too.
        return {"ExpressionAttributeValues": values, "Limit": query.limit + 1}
    expression = {"FilterExpression": " AND ".join(conditions), "ExpressionAttributeNames": names}
    return {**expression, "ExpressionAttributeValues": values}


def _line(item: Item) -> AuditLine:
    texts = {field: text_in(item, name) or "" for name, field in _TEXTS.items()}
    outcome: Any = text_in(item, "outcome") or "asked"
    return AuditLine(
        id=str(item["sk"]["S"]),
        at=float_in(item, "at") or 0.0,
        count=int_in(item, "count"),
        outcome=outcome,
        status=int_in(item, "status"),
        **texts,
    )
