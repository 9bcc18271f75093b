"""The key store of a deployment: a table of its own without backups, so that a deleted key is in no copy.

| item | attributes |
|---|---|
| data key | pk (the execution's id), sk (the key's name), wrapped, made (when) |
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from stepfast.backends.aws.errors import translated
from stepfast.backends.dynamodb.typed_json import Item, number, text
from stepfast.engine.data_keys import KeyEntry
from stepfast.values.encryption import KeyId


def definition(name: str) -> dict[str, Any]:
    """What `create_table` takes, as the stack makes the table. It has no stream, and no point-in-time recovery."""
    return {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


class DynamoDataKeys:
    """The DataKeyStore in a table. client: a DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._name = client, table

    async def put(self, entry: KeyEntry) -> None:
        item = _key(entry.id) | {"wrapped": text(entry.wrapped), "made": number(entry.made_at)}
        with self._translated():
            self._client.put_item(TableName=self._name, Item=item)

    def get(self, id: KeyId) -> str | None:
        with self._translated():
            answer = self._client.get_item(TableName=self._name, Key=_key(id), ConsistentRead=True)
        item: Mapping[str, Any] = answer.get("Item") or {}
        return str(item["wrapped"]["S"]) if item else None

    async def destroy(self, ids: Sequence[KeyId]) -> None:
        for id in ids:
            with self._translated():
                self._client.delete_item(TableName=self._name, Key=_key(id))

    def of(self, execution_id: str) -> list[KeyEntry]:
        """All data keys that were made for an execution of this id."""
        with self._translated():
            answer = self._client.query(
                TableName=self._name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": text(execution_id)},
                ConsistentRead=True,
            )
        return [_entry(item) for item in answer["Items"]]

    async def page(self, after: str, limit: int) -> tuple[Sequence[KeyEntry], str]:
        start = {"ExclusiveStartKey": json.loads(after)} if after else {}
        names = {"#pk": "pk", "#sk": "sk", "#made": "made"}
        with self._translated():
            answer = self._client.scan(
                TableName=self._name,
                Limit=limit,
                ProjectionExpression=", ".join(names),
                ExpressionAttributeNames=names,
                **start,
            )
        entries = [_entry(item) for item in answer["Items"]]
        last = answer.get("LastEvaluatedKey")
        return entries, json.dumps(last) if last else ""

    def close(self) -> None:
        """There is nothing to close: connections end with the process."""

    @contextmanager
    def _translated(self) -> Iterator[None]:
        check = "look at STEPFAST_KEY_TABLE, the region and the role's dynamodb: permissions for it"
        with translated(f"the key store {self._name!r}", check):
            yield


def _key(id: KeyId) -> Item:
    return {"pk": text(id.execution_id), "sk": text(id.name)}


def _entry(item: Item) -> KeyEntry:
    return KeyEntry(KeyId(item["pk"]["S"], item["sk"]["S"]), "", float(item["made"]["N"]))
