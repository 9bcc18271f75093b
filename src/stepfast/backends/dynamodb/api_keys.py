"""API keys in the table: `sf_<key id>_<secret>`, of which only the secret's SHA-256 is stored.

An item holds: name, scopes (a limited key has limited_scopes instead, and limited), created, until (the expiry, if
any), hash (gone once revoked), revoked, and `expires`, the table's TTL. They are listed by the table's index, under a
partition of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from botocore.exceptions import ClientError

from stepfast import api_key
from stepfast.api_key import SCOPES as SCOPES
from stepfast.api_key import ApiKey as ApiKey
from stepfast.backends.aws.errors import CONDITION, code_of, translated
from stepfast.backends.dynamodb.typed_json import Item, float_in, number, text, text_in
from stepfast.restriction import NONE, Restriction, read, text_of

LISTED = "keys"
"""The index partition of all keys; those of executions begin with a status."""
SHOWN_AFTER = 30 * 86400.0
"""Seconds that a key which no longer works stays in the list."""


class ApiKeys:
    """The keys of one table. Raises Unavailable, or StartupError when the table cannot be had."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def create(
        self,
        name: str,
        scopes: Collection[str],
        now: float,
        until: float | None = None,
        restriction: Restriction = NONE,
        noted: Callable[[ApiKey], object] = lambda key: None,
    ) -> tuple[ApiKey, str]:
        """Makes a key; the text returned with it is shown nowhere else, ever. InvalidRequest for bad arguments.

        noted: called before the key is stored; if it raises, no key is made.
        """
        key, shown, digest = api_key.new(name, scopes, now, until, restriction)
        item: Item = {
            **_key_of(key.key_id),
            "list_pk": text(LISTED),
            "list_sk": text(f"{now:017.6f}#{key.key_id}"),
            "name": text(name),
            # A version that knows no limits must not take a limited key for one without: it finds no scopes.
            "scopes" if not restriction else "limited_scopes": text(" ".join(key.scopes)),
            "created": number(now),
            "hash": {"B": digest},
        }
        if restriction:
            item["limited"] = text(text_of(restriction))
        if until is not None:
            item |= {"until": number(until), "expires": number(int(until + SHOWN_AFTER))}
        noted(key)
        with self._translated():
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        return key, shown

    def find(self, token: str, now: float) -> ApiKey | None:
        """The key that a caller's text is, if it works now; what is wrong with it does not even show in the time."""
        parts = api_key.parts_of(token)
        if parts is None:
            return None
        with self._translated():
            answer = self._client.get_item(TableName=self._table, Key=_key_of(parts[0]), ConsistentRead=True)
        item: Item = answer.get("Item", {})
        stored = item.get("hash", {}).get("B")
        right = api_key.is_right(parts[1], None if stored is None else bytes(stored))
        key = _read(item) if "hash" in item else None
        return key if right and key is not None and key.state(now) == "active" else None

    def list(self) -> list[ApiKey]:
        """Every key, newest first; one that was made this second may be missing."""
        keys = [_read(item) for ids in _batches(list(self._ids())) for item in self._items(ids)]
        return sorted(keys, key=lambda key: (key.created_at, key.key_id), reverse=True)

    def revoke(self, key_id: str, now: float) -> bool:
        """Ends a key for good and at once; False when no key has this id, or it was revoked before."""
        with self._translated():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key_of(key_id),
                    # The TTL's name is a reserved word of DynamoDB's expressions, and so is the hash's.
                    UpdateExpression="SET revoked = :now, #expires = :later REMOVE #hash",
                    ConditionExpression="attribute_exists(#hash)",
                    ExpressionAttributeNames={"#expires": "expires", "#hash": "hash"},
                    ExpressionAttributeValues={":now": number(now), ":later": number(int(now + SHOWN_AFTER))},
                )
            except ClientError as error:
                if code_of(error) == CONDITION:
                    return False
                raise
        return True

    def _ids(self) -> Iterator[str]:
        asked: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "listing",
            "KeyConditionExpression": "list_pk = :keys",
            "ExpressionAttributeValues": {":keys": text(LISTED)},
        }
        while True:
            with self._translated():
                page = self._client.query(**asked)
            yield from (item["pk"]["S"].removeprefix("k#") for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _items(self, ids: Collection[str]) -> Iterator[Item]:
        asked = {self._table: {"Keys": [_key_of(id) for id in ids]}}
        while asked:
            with self._translated():
                answer = self._client.batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(self._table, ())
            asked = answer.get("UnprocessedKeys", {})

    def _translated(self) -> Any:
        return translated(f"the table {self._table!r}", "check its name, the region, and what this role may do")


def _key_of(key_id: str) -> Item:
    return {"pk": text(f"k#{key_id}"), "sk": text("key")}


def _read(item: Item) -> ApiKey:
    limited = text_in(item, "limited")
    return ApiKey(
        key_id=(text_in(item, "pk") or "").removeprefix("k#"),
        name=text_in(item, "name") or "",
        scopes=tuple((text_in(item, "limited_scopes" if limited else "scopes") or "").split()),
        created_at=float_in(item, "created") or 0.0,
        until=float_in(item, "until"),
        revoked_at=float_in(item, "revoked"),
        restriction=read(limited) if limited else NONE,
    )


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + 100] for start in range(0, len(ids), 100))
