"""Counts what AWS calls are billed by: DynamoDB's write and read units, and requests of the other services.

Units follow from item sizes by AWS's rules: 1 KB for a write unit, 4 KB for a consistent read, half of that for
one that need not be; transactions double; every entry of an index that changes is a write of its own. Calls are
seen through botocore's events, so any client can be watched, with moto or AWS behind it.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepfast.backends.dynamodb.table import LISTED
from stepfast.backends.dynamodb.typed_json import Item, size_of

WRITE_UNIT, READ_UNIT, SQS_REQUEST = 1024, 4096, 64 * 1024
_INDEXED = ("pk", "sk", "list_pk", "list_sk", *LISTED)
_UNTOLD = 200
"""Bytes taken for an index entry that a filter has read and left out."""


@dataclass(slots=True)
class Call:
    """One call as it was made. `refused` is the error code that it got, if any."""

    service: str
    operation: str
    params: dict[str, Any]
    write_units: float = 0.0
    read_units: float = 0.0
    requests: int = 1
    refused: str | None = None


@dataclass(slots=True)
class Meter:
    """Watches clients and keeps their calls in order.

    read: gives an item by its key without being watched; needed where clients update or delete items.
    """

    read: Callable[[Item], Item | None]
    calls: list[Call] = field(default_factory=list)

    def watch(self, client: Any) -> None:
        client.meta.events.register("before-parameter-build", self._before)
        client.meta.events.register("after-call", self._after)

    def names(self) -> list[str]:
        """The operations that were called, in order."""
        return [call.operation for call in self.calls]

    def write_units(self) -> float:
        return sum(call.write_units for call in self.calls)

    def read_units(self) -> float:
        return sum(call.read_units for call in self.calls)

    def requests(self) -> Counter[str]:
        """Billed requests by operation; SQS bills every 64 KB as one."""
        total: Counter[str] = Counter()
        for call in self.calls:
            total[call.operation] += call.requests
        return total

    # -- botocore's events -------------------------------------------------------------------------------

    def _before(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        call = Call(str(model.service_model.service_name), str(model.name), copy.deepcopy(params))
        context["stepfast_call"] = call
        context["stepfast_before"] = {str(key): self.read(key) for key in _keys_written(call)}
        self.calls.append(call)

    def _after(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        call, before = context["stepfast_call"], context["stepfast_before"]
        call.refused = parsed.get("Error", {}).get("Code")
        call.write_units = sum(self._write_units(call, before))
        call.read_units = _read_units(call, parsed)
        if call.operation == "SendMessageBatch":
            size = sum(len(entry["MessageBody"].encode()) for entry in call.params["Entries"])
            call.requests = math.ceil(size / SQS_REQUEST)

    def _write_units(self, call: Call, before: Mapping[str, Item | None]) -> Iterator[float]:
        times = 2 if call.operation == "TransactWriteItems" else 1
        for key in _keys_written(call):
            old, new = before[str(key)], self.read(key)
            yield times * _units(max(_size(old), _size(new)), WRITE_UNIT)
            yield _index_units(_entry(old), _entry(new))


def _keys_written(call: Call) -> list[Item]:
    if call.operation == "TransactWriteItems":
        actions: Iterable[dict[str, Any]] = (next(iter(action.values())) for action in call.params["TransactItems"])
    elif call.operation in ("PutItem", "UpdateItem", "DeleteItem"):
        actions = [call.params]
    else:
        actions = ()
    return [
        action["Key"] if "Key" in action else {name: action["Item"][name] for name in ("pk", "sk")}
        for action in actions
    ]


def _size(item: Item | None) -> int:
    return size_of(item) if item else 0


def _units(size: float, unit: int) -> int:
    return max(1, math.ceil(size / unit))


def _entry(item: Item | None) -> Item | None:
    """What the index holds of an item."""
    if not item or "list_pk" not in item:
        return None
    return {name: item[name] for name in _INDEXED if name in item}


def _index_units(old: Item | None, new: Item | None) -> float:
    if old == new:
        return 0
    if old is None or new is None:
        return _units(_size(old or new), WRITE_UNIT)
    if all(old[name] == new[name] for name in ("list_pk", "list_sk")):
        return _units(max(_size(old), _size(new)), WRITE_UNIT)
    return _units(_size(old), WRITE_UNIT) + _units(_size(new), WRITE_UNIT)  # another place: one goes, one comes


def _read_units(call: Call, parsed: dict[str, Any]) -> float:
    if "Error" in parsed:
        return 0.0
    if call.operation == "GetItem":
        return _units(_size(parsed.get("Item")), READ_UNIT) * _share(call.params)
    if call.operation == "BatchGetItem":
        ((table, asked),) = call.params["RequestItems"].items()
        items = parsed["Responses"].get(table, [])
        missing = len(asked["Keys"]) - len(items)
        return (missing + sum(_units(_size(item), READ_UNIT) for item in items)) * _share(asked)
    if call.operation == "Query":
        untold = parsed.get("ScannedCount", 0) - parsed.get("Count", 0)
        return _units(sum(map(size_of, parsed["Items"])) + untold * _UNTOLD, READ_UNIT) * _share(call.params)
    return 0.0


def _share(params: Mapping[str, Any]) -> float:
    return 1.0 if params.get("ConsistentRead") else 0.5
