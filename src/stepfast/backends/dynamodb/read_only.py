"""The table of a deployment, read by somebody who must change nothing in it: `stepfast verify` and `stepfast pull`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from stepfast.backends.aws.errors import Misconfigured
from stepfast.backends.aws.s3 import Blobs
from stepfast.backends.dynamodb.deletion import Deleting
from stepfast.backends.dynamodb.reads import DynamoReads
from stepfast.backends.dynamodb.typed_json import Item
from stepfast.engine.messages import Message
from stepfast.engine.ports import Clock, Query

READS = frozenset({"get_item", "batch_get_item", "query"})
"""The calls that are made of DynamoDB; they are all that the caller's role must allow."""


class ReadOnlyStore(DynamoReads):
    """What DynamoStore reads, with a client that refuses every other call. Leftovers of deleted executions stay."""

    def __init__(self, client: Any, table: str, blobs: Blobs, clock: Clock, *, listing_shards: int = 8) -> None:
        super().__init__(_ReadingClient(client), table, _QueueOfNobody(), blobs, clock, listing_shards=listing_shards)
        self.deleting: Deleting = _NothingDeleted(self._table, blobs, clock, listing_shards)

    def ids(self, query: Query) -> tuple[list[str], str | None]:
        """The ids of a page, and the cursor of the next; of the executions themselves nothing is read.

        The index follows the table with a delay, so an id may stand there under an earlier status.
        """
        return self._listing.page(query)


class NoBucket:
    """Stands for the bucket where nobody has named it."""

    def put(self, execution_id: str, data: bytes) -> str:
        raise Misconfigured("a store that is only read puts nothing")

    def get(self, key: str) -> bytes:
        raise Misconfigured(
            "a large value is in the bucket of the deployment: name it with --bucket or STEPFAST_BUCKET"
        )

    def discard(self, key: str) -> None:
        raise Misconfigured("a store that is only read deletes nothing")

    def delete(self, execution_id: str) -> None:
        raise Misconfigured("a store that is only read deletes nothing")


class _ReadingClient:
    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if name not in READS:
            raise Misconfigured(f"the table is only read here: {name} is not called")
        return getattr(self._client, name)


class _NothingDeleted(Deleting):
    def remove(self, left: Sequence[Item], until: float = math.inf) -> bool:
        return False


class _QueueOfNobody:
    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        raise Misconfigured("a store that is only read sends nothing")
