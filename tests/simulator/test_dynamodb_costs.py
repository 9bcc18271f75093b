"""What the simulation does faster than moto, it does as moto does: the same answers, with and without the patches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from stepfast.simulator import dynamodb_costs
from stepfast.simulator.patching import Patches

ITEM = {
    "pk": {"S": "p"},
    "sk": {"S": "s#1"},
    "text": {"S": "ä \u2028 \U0001f600"},
    "number": {"N": "12345678901234567890.5"},
    "binary": {"B": b"\x00\xff"},
    "flag": {"BOOL": False},
    "nothing": {"NULL": True},
    "list": {"L": [{"S": ""}, {"M": {"deep": {"B": b"\x01"}}}]},
    "map": {"M": {}},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "binaries": {"BS": [b"\x02", b"\x03"]},
}


KEY = {"pk": ITEM["pk"], "sk": ITEM["sk"]}
NAMED: dict[str, Any] = {"TableName": "t", "ReturnConsumedCapacity": "TOTAL"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("get_item", {**NAMED, "Key": KEY}),
    ("put_item", {**NAMED, "Item": ITEM}),
    ("put_item", {**NAMED, "Item": {**ITEM, "sk": {"S": "s#2"}}}),
    ("put_item", {**NAMED, "Item": {**ITEM, "sk": {"S": "other"}}, "ReturnValues": "ALL_OLD"}),
    ("put_item", {**NAMED, "Item": ITEM, "ReturnValues": "ALL_OLD"}),
    ("put_item", {**NAMED, "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}),
    (
        "put_item",
        {
            **NAMED,
            "Item": ITEM,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ),
    ("get_item", {"TableName": "t", "Key": KEY, "ConsistentRead": True}),
    (
        "get_item",
        {**NAMED, "Key": KEY, "ProjectionExpression": "#t, flag", "ExpressionAttributeNames": {"#t": "text"}},
    ),
    (
        "query",
        {
            **NAMED,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
            "ExpressionAttributeValues": {":pk": ITEM["pk"], ":sk": {"S": "s#"}},
        },
    ),
    (
        "query",
        {
            "TableName": "t",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": ITEM["pk"]},
            "Limit": 1,
            "ScanIndexForward": False,
        },
    ),
    (
        "query",
        {
            "TableName": "t",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "nobody"}},
        },
    ),
    ("scan", NAMED),
    ("batch_get_item", {"RequestItems": {"t": {"Keys": [KEY]}}}),
    (
        "update_item",
        {
            **NAMED,
            "Key": KEY,
            "UpdateExpression": "SET flag = :yes ADD #n :one",
            "ExpressionAttributeNames": {"#n": "number"},
            "ExpressionAttributeValues": {":yes": {"BOOL": True}, ":one": {"N": "1"}},
            "ReturnValues": "ALL_NEW",
        },
    ),
    ("transact_write_items", {"TransactItems": [{"Delete": {"TableName": "t", "Key": KEY}}]}),
    ("delete_item", {**NAMED, "Key": KEY, "ReturnValues": "ALL_OLD"}),
    ("delete_item", {**NAMED, "Key": {"pk": ITEM["pk"], "sk": {"S": "s#2"}}, "ReturnValues": "ALL_OLD"}),
    ("query", {"TableName": "missing", "KeyConditionExpression": "pk = :pk"}),
]
"""Every operation with items in its answer, and calls that are refused."""


@contextmanager
def table(patched: bool) -> Iterator[Any]:
    patches = Patches()
    if patched:
        dynamodb_costs.patch(patches)
    try:
        with mock_aws():
            client = boto3.client(
                "dynamodb", region_name="eu-west-1", aws_access_key_id="key", aws_secret_access_key="secret"
            )
            client.create_table(
                TableName="t",
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
            )
            yield client
    finally:
        patches.undo()


def answers(client: Any) -> Iterator[Any]:
    """What comes back of each call, by the client's own parsers."""
    for operation, parameters in CALLS:
        try:
            answer = getattr(client, operation)(**parameters)
        except ClientError as error:
            answer = error.response
        status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
        yield operation, status, answer


def test_every_answer_is_the_one_that_moto_gives() -> None:
    with table(patched=False) as client:
        expected = list(answers(client))
    with table(patched=True) as client:
        seen = list(answers(client))
    assert seen == expected
    assert json.dumps([one for _, _, one in seen], default=repr, sort_keys=True).count("12345678901234567890") > 5
