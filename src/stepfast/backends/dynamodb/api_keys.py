"""API keys in the table: `sf_<key id>_<secret>`, of which only the secret's SHA-256 is stored.

An item holds: name, scopes, created, until (the expiry, if any), hash (gone once revoked), revoked, and
`expires`, the table's TTL. They are listed by the table's index, under a partition of their own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from stepfast.backends.aws.errors import CONDITION, code_of, translated
from stepfast.backends.dynamodb.typed_json import Item, float_in, number, text, text_in
from stepfast.errors import InvalidRequest

SCOPES = ("read", "run", "operate")
LISTED = "keys"
"""The index partition of all keys; those of executions begin with a status."""
SHOWN_AFTER = 30 * 86400.0
"""Seconds that a key which no longer works stays in the list."""
_TOKEN = re.compile(r"sf_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NOBODY = b"\0" * 32

State = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; times in seconds since the epoch. The secret is not, once it was shown."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    until: float | None = None
    revoked_at: float | None = None

    def state(self, now: float) -> State:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.until is not None and now >= self.until else "active"


class ApiKeys:
    """The keys of one table. Raises Unavailable, or StartupError when the table cannot be had."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def create(self, name: str, scopes: Collection[str], now: float, until: float | None = None) -> tuple[ApiKey, str]:
        """Makes a key; the text returned with it is shown nowhere else, ever. InvalidRequest for bad arguments."""
        _check(name, scopes, now, until)
        ordered = tuple(scope for scope in SCOPES if scope in scopes)
        key = ApiKey(secrets.token_hex(8), name, ordered, now, until)
        secret = secrets.token_urlsafe(32)
        item: Item = {
            **_key_of(key.key_id),
            "list_pk": text(LISTED),
            "list_sk": text(f"{now:017.6f}#{key.key_id}"),
            "name": text(name),
            "scopes": text(" ".join(ordered)),
            "created": number(now),
            "hash": {"B": _hash(secret)},
        }
        if until is not None:
            item |= {"until": number(until), "expires": number(int(until + SHOWN_AFTER))}
        with self._translated():
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        return key, f"sf_{key.key_id}_{secret}"

    def find(self, token: str, now: float) -> ApiKey | None:
        """The key that a caller's text is, if it works now; what is wrong with it does not even show in the time."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        with self._translated():
            answer = self._client.get_item(TableName=self._table, Key=_key_of(parts[1]), ConsistentRead=True)
        item: Item = answer.get("Item", {})
        stored = item.get("hash", {}).get("B", _NOBODY)
        # It is compared also where there is no such key, with a text that no secret has as its hash: the time that an
        # answer takes must not tell which keys exist.
        right = hmac.compare_digest(_hash(parts[2]), bytes(stored))
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


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


def _read(item: Item) -> ApiKey:
    return ApiKey(
        key_id=(text_in(item, "pk") or "").removeprefix("k#"),
        name=text_in(item, "name") or "",
        scopes=tuple((text_in(item, "scopes") or "").split()),
        created_at=float_in(item, "created") or 0.0,
        until=float_in(item, "until"),
        revoked_at=float_in(item, "revoked"),
    )


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + 100] for start in range(0, len(ids), 100))


def _check(name: str, scopes: Collection[str], now: float, until: float | None) -> None:
    if not (1 <= len(name) <= 64 and name.isprintable()):
        raise InvalidRequest("a key's name is 1 to 64 printable characters: it shows who uses the key")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        names = ", ".join(repr(scope) for scope in unknown) or "none"
        raise InvalidRequest(f"a key's scopes are some of {', '.join(SCOPES)}, not {names}")
    if until is not None and until <= now:
        raise InvalidRequest("a key's expiry lies in the future")
