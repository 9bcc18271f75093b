"""The stream of a table: its records in shards, without what AWS would not have written; and TTL, which moto lacks."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import StreamShard, Table

from stepfast.simulator.clock import MICRO
from stepfast.simulator.lambdas import ACCOUNT, REGION
from stepfast.simulator.patching import Patches
from stepfast.simulator.world import World

Record = dict[str, Any]
TTL_USER = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def _as_json(value: Any) -> Any:
    """Binary values are base64 in an event."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _as_json(member) for name, member in value.items()}
    return [_as_json(member) for member in value] if isinstance(value, list) else value


class Reader(Protocol):
    """Someone to whom the stream's records are given, in their order, once."""

    def offer(self, record: Record) -> None: ...


class Stream:
    """The records of one table, read from moto as they are written, some time later given to readers."""

    def __init__(self, world: World, table: str, removed: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._world, self._table, self._remove = world, table, removed
        self._read = 0
        self._images: dict[str, Any] = {}
        self._expiring: set[str] = set()
        self._expired: set[str] = set()
        self.records: list[Record] = []
        self.readers: list[Reader] = []

    @property
    def table(self) -> Table:
        """moto replaces the object when it takes a transaction back."""
        return dynamodb_backends[ACCOUNT][REGION].tables[self._table]

    @property
    def arn(self) -> str:
        return f"{self.table.table_arn}/stream/{self.table.latest_stream_label}"

    def patch(self, patches: Patches) -> None:
        add, stream = StreamShard.add, self

        def added(self: StreamShard, old: Any, new: Any) -> None:
            add(self, old, new)
            if self.table.name == stream._table:
                stream._world.soon(stream.collect, stream._world.rules.stream)

        patches.put(StreamShard, "add", added)

    def collect(self) -> None:
        """Reads what has been written since the last time."""
        shard = self.table.stream_shard
        items = shard.items if shard is not None else []
        while self._read < len(items):
            record = self._as_lambda_has_it(items[self._read].record)
            self._read += 1
            if record is not None:
                self.records.append(record)
                for reader in self.readers:
                    reader.offer(record)

    def _as_lambda_has_it(self, written: Record) -> Record | None:
        """None for a write that changed nothing, of which a stream has no record."""
        dynamodb: dict[str, Any] = {name: _as_json(value) for name, value in written["dynamodb"].items()}
        image, key = dynamodb.get("NewImage"), str(sorted(dynamodb["Keys"].items()))
        before = self._images.get(key)
        if image is not None and image == before:
            return None
        if image is None:
            self._images.pop(key, None)
        else:
            self._images[key] = image
            self._watch_expiry(key, dynamodb["Keys"], image)
        created: datetime = dynamodb["ApproximateCreationDateTime"]
        dynamodb["ApproximateCreationDateTime"] = float(int(created.replace(tzinfo=UTC).timestamp()))
        record = {**written, "awsRegion": REGION, "eventVersion": "1.1", "eventSourceARN": self.arn}
        record["dynamodb"] = dynamodb
        if image is None and key in self._expired:
            self._expired.discard(key)
            record["userIdentity"] = TTL_USER
        return record

    def shard_of(self, record: Record) -> int:
        """By the partition key: of one key, all records are in one shard, in the order of their writes."""
        partition = record["dynamodb"]["Keys"][self.table.hash_key_attr]
        return zlib.crc32(str(partition).encode()) % self._world.rules.shards

    # -- TTL ---------------------------------------------------------------------------------------------------

    def _watch_expiry(self, key: str, keys: Mapping[str, Any], image: Mapping[str, Any]) -> None:
        at = self._expiry(image)
        if at is not None and key not in self._expiring:
            self._expiring.add(key)
            due = int((at + self._world.rules.expiry) * MICRO)
            self._world.agenda.put(max(due, self._world.clock.micros), lambda: self._expire(key, keys), idle=True)

    def _expiry(self, image: Mapping[str, Any]) -> float | None:
        ttl = self.table.ttl
        if ttl.get("TimeToLiveStatus") != "ENABLED":
            return None
        number = image.get(ttl.get("AttributeName", ""), {}).get("N")  # anything else than a number never expires
        return float(number) if number else None

    def _expire(self, key: str, keys: Mapping[str, Any]) -> None:
        """Deletes an item whose time has passed by what it says now."""
        self._expiring.discard(key)
        self.collect()
        image = self._images.get(key)
        at = self._expiry(image) if image is not None else None
        if image is None or at is None:
            return
        if at > self._world.clock.now:
            self._watch_expiry(key, keys, image)
            return
        self._expired.add(key)
        self._remove(self._table, keys)
