"""The items of one partition key in moto's table, with their sort keys in order, so that a query reads only its range.

By itself, moto sorts all items of a partition for each query, and adds up the size of each, also of those outside the
range that is asked for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Self

from moto.dynamodb.models.dynamo_type import DynamoType, Item

_RANGES = frozenset({"=", "<", "<=", ">", ">=", "BEGINS_WITH", "BETWEEN"})


class SortedPartition(dict[DynamoType, Item]):
    """Items by sort key, as moto keeps them. moto adds and replaces items by `[]`, and removes them by `pop`."""

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[DynamoType] = []

    def __setitem__(self, key: DynamoType, item: Item) -> None:
        if key not in self:
            insort(self._sorted, key)
        super().__setitem__(key, item)

    def pop(self, key: DynamoType) -> Item:  # type: ignore[override]
        item = super().pop(key)
        del self._sorted[bisect_left(self._sorted, key)]
        return item

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = type(self)()
        for key in self._sorted:
            made[key] = deepcopy(self[key], memo)
        return made

    def asked(
        self,
        comparison: str | None,
        values: Sequence[DynamoType],
        start: Mapping[str, Any] | None = None,
        limit: int | None = None,
        forward: bool = True,
    ) -> list[Item]:
        """The items that a query has to look at, in ascending order of their sort keys, and one that follows them.

        start: the sort key, in wire form, behind which the query begins. limit: the most items that it returns.
        By the item that follows, moto knows that it has more.
        """
        first, end = self._bounds(comparison, values)
        if start is not None:
            from_key = DynamoType(dict(start))
            if forward:
                first = max(first, bisect_left(self._sorted, from_key))
            else:
                end = min(end, bisect_right(self._sorted, from_key))
        # The item at `start` was returned by the page before: it is one more than the limit.
        room = None if limit is None else limit + (start is not None)
        if forward:
            end = end if room is None else min(end, first + room)
            end += 1
        else:
            first = first if room is None else max(first, end - room)
            first -= 1
        return [self[key] for key in self._sorted[max(0, first) : max(0, end)]]

    def _bounds(self, comparison: str | None, values: Sequence[DynamoType]) -> tuple[int, int]:
        """The positions from which and before which the sort keys fit; all of them for any other comparison."""
        keys, everything = self._sorted, (0, len(self._sorted))
        if comparison not in _RANGES:
            return everything
        low = values[0]
        if comparison == "BEGINS_WITH":
            above = DynamoType({low.type: low.value + chr(0x10FFFF)}) if isinstance(low.value, str) else None
            return (bisect_left(keys, low), bisect_right(keys, above)) if above is not None else everything
        if comparison in ("=", "BETWEEN"):
            return bisect_left(keys, low), bisect_right(keys, values[-1])
        if comparison in ("<", "<="):
            return 0, (bisect_left if comparison == "<" else bisect_right)(keys, low)
        return (bisect_left if comparison == ">=" else bisect_right)(keys, low), len(keys)
