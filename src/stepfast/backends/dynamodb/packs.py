"""The records that a fork has taken over, packed into few items: ten thousand of them need no more than a few writes.

A pack is zlib of a JSON list of items of commands, without their keys. A large pack is in the bucket. Packs never
change. A record of a pack has revision 0, as one that is absent: whoever writes it puts an item of its own if there is
none. That item then stands in the place of the packed record.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.attempts import json_text
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.large_values import LATER, Texts
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, size_of, text
from stepfast.engine.record_reader import PAGE_BYTES, RecordPage, RecordQuery
from stepfast.model import Execution, Record
from stepfast.stored_text import StoredText, bytes_of

PACKED_BYTES = 16_000_000
"""Bytes of the items of a pack before they are compressed."""
KEPT_FORKS = 4
"""Forks at most whose packed records a process keeps in memory."""
KEPT_BYTES = 8_000_000
"""Bytes of packed records, without compression, up to which a process keeps them."""
_KEYS = frozenset({"pk", "sk", "v", "wrote"})


class Packs:
    """Packs records, and finds them again."""

    def __init__(self, table: Table, texts: Texts) -> None:
        self._table, self._texts = table, texts
        self._kept: OrderedDict[tuple[str, str, float], Mapping[str, Record]] = OrderedDict()
        self._lock = threading.Lock()

    def items(self, execution: Execution, records: Sequence[Record], now: float) -> Iterator[Item]:
        """The packs of a new execution. Large values are copied into the bucket first, and so are large packs."""
        packed: list[Item] = []
        kids: list[str] = []
        room, place = PACKED_BYTES, 0
        for record in records:
            item = self._packed(execution, record, now)
            size = size_of(item)
            if packed and size > room:
                yield self._pack(execution, place, packed, kids, now)
                packed, kids, room, place = [], [], PACKED_BYTES, place + 1
            packed.append(item)
            kids += record.children
            room -= size
        if packed:
            yield self._pack(execution, place, packed, kids, now)

    def _packed(self, execution: Execution, record: Record, now: float) -> Item:
        item = items.record_item(execution.run_id, record, now)
        for name in LATER:
            value = getattr(record, name)
            if isinstance(value, StoredText):
                item[name] = self._texts.copied(execution.run_id, value)
        return {name: value for name, value in item.items() if name not in _KEYS} | {"id": text(record.id)}

    def _pack(self, execution: Execution, place: int, packed: list[Item], kids: Sequence[str], now: float) -> Item:
        item = item_keys.head(execution.run_id, f"{item_keys.PACK}{place:06}", now)
        item |= {"gen": number(execution.generation), "n": number(len(packed))}
        item["pack"] = {"B": zlib.compress(json_text(packed).encode())}
        if kids:
            item["kids"] = text(json_text(list(kids)))
        return self._texts.fit(execution.run_id, item)

    def of(self, execution: Execution) -> Mapping[str, Record]:
        """The packed records of the run of an execution, by their ids."""
        if execution.forked is None or execution.run > 1:
            return {}
        name = (execution.execution_id, execution.forked.request, execution.forked.at)
        with self._lock:
            if (kept := self._kept.get(name)) is not None:
                self._kept.move_to_end(name)
                return kept
        pages = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": text(item_keys.partition(execution.execution_id)),
                ":sk": text(item_keys.PACK),
            },
            ConsistentRead=True,
        )
        return self.unpacked(execution, [item for page, _ in pages for item in page])

    def count(self, run_id: str) -> int:
        """How many records the packs of a run hold, at the price of a query that finds nothing for most runs."""
        page = self._table.query_once(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": item_keys.key(run_id, "")["pk"],
                ":sk": text(item_keys.in_run(run_id, item_keys.PACK)),
            },
            ProjectionExpression="n",
        )
        return sum(int_in(item, "n") for item in page["Items"])

    def unpacked(self, execution: Execution, packs: Iterable[Item]) -> Mapping[str, Record]:
        """The records of packs as they stand in the table."""
        if execution.forked is None or execution.run > 1:
            return {}
        name = (execution.execution_id, execution.forked.request, execution.forked.at)
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None:
            return kept
        records: dict[str, Record] = {}
        size = 0
        for pack in self._texts.fill(packs):
            item_keys.checked(pack)
            written = zlib.decompress(pack["pack"]["B"])
            size += len(written)
            for packed in json.loads(written):
                record = items.record_of({**packed, "rev": number(0)}, self._texts.later)
                records[record.id] = record
        with self._lock:
            if size > KEPT_BYTES:
                return records
            self._kept[name] = records
            while len(self._kept) > KEPT_FORKS:
                self._kept.popitem(last=False)
        return records


def merged(
    page: RecordPage,
    query: RecordQuery,
    packed: Mapping[str, Record],
    overwritten: Callable[[Sequence[str]], Collection[str]],
) -> RecordPage:
    """A page of the records in items of their own, with the packed records that belong between them.

    overwritten: those of these ids that have an item of their own.
    """
    places = sorted((item_keys.command_sort(id)[len(item_keys.COMMAND) :].encode(), id) for id in packed)
    first, last = query.after.encode(), None if page.next is None else page.next.encode()
    between = [(place, id) for place, id in places if place > first and (last is None or place <= last)]
    wanted = [(place, id) for place, id in between if query.takes(packed[id])]
    shown = [(item_keys.command_sort(record.id)[len(item_keys.COMMAND) :].encode(), record) for record in page.records]
    missing = query.limit + 1
    while wanted and missing > 0:
        some, wanted = wanted[:missing], wanted[missing:]
        gone = overwritten([id for _, id in some])
        shown += [(place, packed[id]) for place, id in some if id not in gone]
        missing -= sum(id not in gone for _, id in some)
    shown.sort(key=itemgetter(0))
    room, kept = PAGE_BYTES, 0
    for _, record in shown[: query.limit]:
        sizes = [bytes_of(value) for value in (record.input, record.output)]
        room -= sum(size for size in sizes if query.largest is None or size <= query.largest)
        if kept and room < 0:
            break
        kept += 1
    following = page.next if kept == len(shown) else shown[kept - 1][0].decode()
    return RecordPage(tuple(record for _, record in shown[:kept]), following)
