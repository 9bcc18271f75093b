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
    """Every operation with items in its answer, by the client's own parsers, errors too."""
    key = {"pk": ITEM["pk"], "sk": ITEM["sk"]}
    named: dict[str, Any] = {"TableName": "t", "ReturnConsumedCapacity": "TOTAL"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_item", {**named, "Key": key}),
        ("put_item", {**named, "Item": ITEM}),
        ("put_item", {**named, "Item": {**ITEM, "sk": {"S": "s#2"}}}),
        ("put_item", {**named, "Item": {**ITEM, "sk": {"S": "other"}}, "ReturnValues": "ALL_OLD"}),
        ("put_item", {**named, "Item": ITEM, "ReturnValues": "ALL_OLD"}),
        ("put_item", {**named, "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}),
        (
            "put_item",
            {
                **named,
                "Item": ITEM,
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        ),
        ("get_item", {"TableName": "t", "Key": key, "ConsistentRead": True}),
        (
            "get_item",
            {**named, "Key": key, "ProjectionExpression": "#t, flag", "ExpressionAttributeNames": {"#t": "text"}},
        ),
        (
            "query",
            {
                **named,
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
        ("scan", named),
        ("batch_get_item", {"RequestItems": {"t": {"Keys": [key]}}}),
        (
            "update_item",
            {
                **named,
                "Key": key,
                "UpdateExpression": "SET flag = :yes ADD #n :one",
                "ExpressionAttributeNames": {"#n": "number"},
                "ExpressionAttributeValues": {":yes": {"BOOL": True}, ":one": {"N": "1"}},
                "ReturnValues": "ALL_NEW",
            },
        ),
        ("transact_write_items", {"TransactItems": [{"Delete": {"TableName": "t", "Key": key}}]}),
        ("delete_item", {**named, "Key": key, "ReturnValues": "ALL_OLD"}),
        ("delete_item", {**named, "Key": {"pk": ITEM["pk"], "sk": {"S": "s#2"}}, "ReturnValues": "ALL_OLD"}),
        ("query", {"TableName": "missing", "KeyConditionExpression": "pk = :pk"}),
    ]
    for operation, parameters in calls:
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
