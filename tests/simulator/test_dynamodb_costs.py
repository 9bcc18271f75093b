"""What the simulation does faster than moto, it does as moto does: the same answers, with and without the patches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models.dynamo_type import Item

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


RANGES: list[tuple[str, tuple[str, ...]]] = [
    ("", ()),
    (" AND sk = :a", ("s#03",)),
    (" AND sk = :a", ("s#035",)),
    (" AND sk < :a", ("s#03",)),
    (" AND sk <= :a", ("s#03",)),
    (" AND sk > :a", ("s#03",)),
    (" AND sk >= :a", ("s#03",)),
    (" AND sk > :a", ("z",)),
    (" AND sk BETWEEN :a AND :b", ("s#02", "s#05")),
    (" AND sk BETWEEN :a AND :b", ("s#025", "s#045")),
    (" AND begins_with(sk, :a)", ("s#",)),
    (" AND begins_with(sk, :a)", ("s#0",)),
    (" AND begins_with(sk, :a)", ("nothing",)),
]
SORTS = ["meta", *(f"s#{number:02}" for number in (7, 1, 4, 2, 9, 3, 5)), "s#\U0001f600", "t#1"]


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


def filled(client: Any) -> None:
    """Items of one partition, written in no order; one is replaced, and two are gone again, one by a transaction."""
    for partition in ("p", "q"):
        for sort in SORTS:
            client.put_item(TableName="t", Item={"pk": {"S": partition}, "sk": {"S": sort}, "text": {"S": sort}})
    client.put_item(TableName="t", Item={"pk": {"S": "p"}, "sk": {"S": "s#04"}, "text": {"S": "new"}})
    client.delete_item(TableName="t", Key={"pk": {"S": "p"}, "sk": {"S": "s#01"}})
    gone = {"TableName": "t", "Key": {"pk": {"S": "p"}, "sk": {"S": "s#09"}}}
    client.transact_write_items(TransactItems=[{"Delete": gone}])


def refused(client: Any) -> None:
    """A transaction that writes, and is then taken back by a condition that does not hold."""
    added = {"TableName": "t", "Item": {"pk": {"S": "p"}, "sk": {"S": "s#045"}}}
    check = {"TableName": "t", "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}
    with pytest.raises(ClientError, match="TransactionCanceled"):
        client.transact_write_items(TransactItems=[{"Put": added}, {"ConditionCheck": check}])


def pages(client: Any, condition: str, values: tuple[str, ...], **options: Any) -> list[Any]:
    """The pages of a query, each with the count and the key at which the next begins."""
    named = {name: {"S": value} for name, value in zip((":a", ":b"), values, strict=False)}
    asked: dict[str, Any] = {
        "TableName": "t",
        "KeyConditionExpression": f"pk = :pk{condition}",
        "ExpressionAttributeValues": {":pk": {"S": "p"}, **named},
        **options,
    }
    found: list[Any] = []
    while True:
        answer = client.query(**asked)
        found.append((answer["Items"], answer["Count"], answer.get("LastEvaluatedKey")))
        if "LastEvaluatedKey" not in answer:
            return found
        asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def all_pages(client: Any) -> list[Any]:
    return [
        pages(client, condition, values, ScanIndexForward=forward, **limited)
        for condition, values in RANGES
        for forward in (True, False)
        for limited in ({}, {"Limit": 1}, {"Limit": 2}, {"Limit": 3})
    ]


def test_a_query_that_reads_only_its_range_answers_as_one_that_reads_everything() -> None:
    with table(patched=False) as client:
        filled(client)
        refused(client)
        expected = all_pages(client)
    with table(patched=True) as client:
        filled(client)
        refused(client)
        seen = all_pages(client)
    assert seen == expected
    assert any(len(each) > 2 for each in seen), "there are several pages"


def test_a_query_looks_at_the_items_of_its_range_and_at_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    sized: list[str] = []
    size = Item.size

    def counted(self: Item) -> int:
        sized.append(str(self.range_key))
        return size(self)

    with table(patched=True) as client:
        for number in range(200):
            client.put_item(TableName="t", Item={"pk": {"S": "p"}, "sk": {"S": f"s#{number:03}"}})
        monkeypatch.setattr(Item, "size", counted)
        pages(client, " AND sk BETWEEN :a AND :b", ("s#100", "s#104"))
        assert len(set(sized)) == 6
