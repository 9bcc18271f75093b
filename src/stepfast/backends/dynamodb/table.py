"""The one table: its keys, its index and its stream, for whoever makes it."""

from __future__ import annotations

from typing import Any

LISTING = "listing"
"""The index behind pages and the sweep: status and shard, then by time."""
LISTED = ("flow", "labels", "fault")
"""What the index holds beside keys: only what pages are filtered and failures grouped by: a write to it stays small."""
EXPIRES = "expires"
"""Epoch seconds; DynamoDB's time to live deletes the meta of an execution that has long ended."""
STREAM_VIEW = "NEW_IMAGE"


def definition(name: str) -> dict[str, Any]:
    """What boto3's create_table takes; time to live is switched on by a call of its own, on EXPIRES."""
    keys = ("pk", "sk", "list_pk", "list_sk")
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": _schema("pk", "sk"),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": LISTING,
                "KeySchema": _schema("list_pk", "list_sk"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
            }
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": STREAM_VIEW},
    }


def _schema(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]
