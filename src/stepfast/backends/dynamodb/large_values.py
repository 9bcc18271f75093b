"""Where the large values of items are: in the item while they are small, as blobs beyond that.

A value that was moved out is a map in its attribute's place: {"s3": key} for a text, {"s3b": key} for bytes, with its
bytes as "n" since version 0.2. Inputs and outputs of commands are read when they are looked at (`later`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from stepfast.backends.aws.s3 import Blobs
from stepfast.backends.dynamodb.typed_json import MAX_ITEM, Item, Value, int_in, number, size_of, size_of_value, text
from stepfast.errors import InvalidRequest
from stepfast.stored_text import StoredText

BLOB_BYTES = 200 * 1024
"""Bytes of one value from which on it is a blob."""
FULL = 350 * 1024
"""Bytes of an item from which on its largest values are blobs, too."""
MOVABLE = ("input", "output", "error", "causes", "past", "payload", "details", "order", "pack")
LATER = frozenset({"input", "output"})
"""The values of a command that may stay where they are until somebody looks at them."""
THREADS = 8
READ_AHEAD = 1024 * 1024
"""Bytes of the largest value that is read before somebody looks at it."""
CACHED = 16 * 1024 * 1024
"""Bytes of blobs and inputs that are kept in memory; they never change."""


class Texts:
    """Moves large values from items to the port Blobs, and brings them back. Each store has its own.

    note: called with the execution's id before a value of it is moved out, so that whoever deletes the execution
    knows that there are such values.
    """

    def __init__(self, blobs: Blobs, note: Callable[[str], None]) -> None:
        self._blobs, self._note = blobs, note
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached = 0
        self._lock = threading.Lock()

    def fit(self, execution_id: str, item: Item) -> Item:
        """The item, with what is too large for it put as blobs; InvalidRequest if it is too large all the same."""
        if sum(_length(value) for value in item.values()) < BLOB_BYTES // 4:
            return item  # the usual case: no character takes more than four bytes
        sizes = {name: size_of_value(item[name]) for name in MOVABLE if name in item and "M" not in item[name]}
        fitted = {
            **item,
            **{name: self._moved(execution_id, item[name]) for name, size in sizes.items() if size > BLOB_BYTES},
        }
        left = sorted((name for name, size in sizes.items() if size <= BLOB_BYTES), key=lambda name: -sizes[name])
        while left and size_of(fitted) > FULL:
            largest = left.pop(0)
            fitted[largest] = self._moved(execution_id, fitted[largest])
        if size_of(fitted) > MAX_ITEM:
            raise InvalidRequest(
                f"an item of {size_of(fitted) // 1024} KB is more than DynamoDB takes (400 KB): "
                "names, labels and ids must be shorter; inputs and results may be of any size"
            )
        return fitted

    def _moved(self, execution_id: str, value: Value) -> Value:
        kind, held = next(iter(value.items()))
        data = held.encode() if kind == "S" else held
        self._note(execution_id)
        where = self._blobs.put(execution_id, data)
        self.remember(where, data)
        return {"M": {"s3" if kind == "S" else "s3b": text(where), "n": number(len(data))}}

    def copied(self, execution_id: str, stored: StoredText) -> Value:
        """What stands for a value of another execution in an item of this one, which gets a copy of its own."""
        return self._moved(execution_id, text(stored.read()))

    def discard(self, item: Item) -> None:
        """Deletes the values of an item that was not written, and that no other item can have."""
        for _, (_, where) in _moved_in(item):
            self._blobs.discard(where)

    def fill(self, items: Iterable[Item], later: Collection[str] = ()) -> list[Item]:
        """The items with their values in place, but for those named `later`.

        Several blobs are fetched at the same time.
        """
        items = list(items)
        moved = [(item, name, *place) for item in items for name, place in _moved_in(item) if name not in later]
        if not moved:
            return items
        held = self._fetch({where for _, _, _, where in moved})
        filled = {id(item): dict(item) for item, *_ in moved}
        for item, name, kind, where in moved:
            filled[id(item)][name] = text(held[where].decode()) if kind == "s3" else {"B": held[where]}
        return [filled.get(id(item), item) for item in items]

    def later(self, value: Value) -> StoredText:
        """What stands for a text that was moved out, until somebody looks at it."""
        place: Item = value["M"]
        where = place["s3"]["S"]
        size = int_in(place, "n") if "n" in place else None
        return StoredText(partial(self._text, where), size, where.rpartition("/")[2], value, self._read_ahead)

    def _text(self, where: str) -> str:
        return self._fetch({where})[where].decode()

    def _read_ahead(self, texts: Sequence[StoredText]) -> None:
        """Fetches texts at the same time into the cache, as far as they are small."""
        small = [text for text in texts if text.size is not None and text.size <= READ_AHEAD]
        self._fetch({where for text in small for _, where in _places(cast(Value, text.place))})

    def _fetch(self, keys: set[str]) -> dict[str, bytes]:
        held = {key: data for key in keys if (data := self.recall(key)) is not None}
        missing = sorted(keys - held.keys())
        if len(missing) <= 1:
            fetched = [self._blobs.get(key) for key in missing]
        else:
            with ThreadPoolExecutor(THREADS, "stepfast-s3") as threads:
                fetched = list(threads.map(self._blobs.get, missing))
        for key, data in zip(missing, fetched, strict=True):
            self.remember(key, data)
        return held | dict(zip(missing, fetched, strict=True))

    def recall(self, key: str) -> bytes | None:
        """What was remembered under a key that can only ever mean these bytes."""
        with self._lock:
            data = self._cache.get(key)
            if data is not None:
                self._cache.move_to_end(key)
            return data

    def remember(self, key: str, data: bytes) -> None:
        with self._lock:
            if key in self._cache or len(data) > CACHED // 4:
                return
            self._cache[key] = data
            self._cached += len(data)
            while self._cached > CACHED:
                _, dropped = self._cache.popitem(last=False)
                self._cached -= len(dropped)


def has_moved(item: Item) -> bool:
    """True for an item that has values in the bucket."""
    return any(True for _ in _moved_in(item))


def _length(value: Value) -> int:
    kind, held = next(iter(value.items()))
    return size_of_value(value) if kind == "M" else len(held)


def _moved_in(item: Item) -> Iterator[tuple[str, tuple[str, str]]]:
    """(attribute, (kind, key)) of each value that was moved out."""
    for name in MOVABLE:
        value = item.get(name)
        if value is not None:
            for place in _places(value):
                yield name, place


def _places(value: Value) -> Iterator[tuple[str, str]]:
    """The kind and the key of a value that was moved out; nothing for another value."""
    for kind, where in value.get("M", {}).items():
        if kind in ("s3", "s3b"):
            yield kind, where["S"]
