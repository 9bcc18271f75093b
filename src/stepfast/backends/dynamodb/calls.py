"""The calls that are made of the table: conditional writes and consistent reads, with our errors for AWS's.

A refused condition is an answer, not an error. A write that meets a transaction on the same item is tried again
a few times; everything else that passes has been tried again by botocore, as the client was configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from botocore.exceptions import ClientError

from stepfast.backends.aws.errors import CANCELLED, CONDITION, CONFLICT, Misconfigured, code_of, translated
from stepfast.backends.dynamodb.typed_json import Item
from stepfast.engine.ports import Clock
from stepfast.errors import Unavailable
from stepfast.records import dataclass

PAUSES = (0.02, 0.05, 0.1, 0.2)
"""Seconds before each further try of a write that met a transaction, or of a read that was not complete."""
GET_BATCH = 100
"""Keys of one BatchGetItem; DynamoDB takes no more."""
TRANSACTION = 100
"""Items of one transaction; DynamoDB takes no more."""
TRANSACTION_BYTES = 3_500_000
"""Bytes of one transaction; DynamoDB takes 4 MB, however it counts them."""
_BUSY = frozenset(
    {
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottledError",
    }
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition expression and its values."""

    expression: str
    values: Item = field(default_factory=dict)


ABSENT = Condition("attribute_not_exists(pk)")


def _conditional(condition: Condition, values: Item | None = None) -> dict[str, Any]:
    merged = {**(values or {}), **condition.values}
    parameters: dict[str, Any] = {"ConditionExpression": condition.expression}
    return parameters | ({"ExpressionAttributeValues": merged} if merged else {})


def _adding(counts: Item, sets: Item, more: Item | None = None) -> dict[str, Any]:
    """An update that adds to some attributes and sets others; `more` are values of its condition."""
    expression = "ADD " + ", ".join(f"#a{place} :a{place}" for place in range(len(counts)))
    expression += " SET " + ", ".join(f"#{name} = :{name}" for name in sets)
    names = {f"#a{place}": name for place, name in enumerate(counts)} | {f"#{name}": name for name in sets}
    values = {f":a{place}": value for place, value in enumerate(counts.values())}
    values |= {f":{name}": value for name, value in sets.items()} | (more or {})
    return {
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


class Table:
    """One table. Writes are coroutines, since they may have to wait; reads are plain calls."""

    def __init__(self, client: Any, name: str, clock: Clock) -> None:
        self._client, self.name, self._clock = client, name, clock
        self._resource = f"the table {name!r}"

    # -- reading -----------------------------------------------------------------------------------------

    def get(self, key: Item, consistent: bool = True) -> Item | None:
        """One item as it stands; with consistent=False perhaps as it stood a moment ago, for half the price."""
        with self._translated():
            answer = self._client.get_item(TableName=self.name, Key=key, ConsistentRead=consistent)
            item: Item | None = answer.get("Item")
            return item

    def exists(self, key: Item) -> bool:
        """Whether there is an item, by a read that may be a moment old and costs half of a consistent read."""
        with self._translated():
            return "Item" in self._client.get_item(TableName=self.name, Key=key, ProjectionExpression="pk")

    def get_many(self, keys: Sequence[Item], names: Sequence[str] = (), consistent: bool = True) -> list[Item]:
        """Those of the items that exist, each as it stands, in no order; Unavailable if not all can be read.

        names: the attributes wanted, if not all of them. consistent: as of `get`.
        """
        held: list[Item] = []
        projection = projected(names) if names else {}
        for start in range(0, len(keys), GET_BATCH):
            asked: Any = {self.name: {"Keys": list(keys[start : start + GET_BATCH]), "ConsistentRead": consistent}}
            asked[self.name] |= projection
            fruitless = 0
            while asked:
                with self._translated():
                    answer = self._client.batch_get_item(RequestItems=asked)
                got = answer["Responses"].get(self.name, [])
                held += got
                asked = answer.get("UnprocessedKeys")
                fruitless = 0 if got else fruitless + 1
                if asked and fruitless == len(PAUSES):
                    raise Unavailable(f"{self._resource} gives no more items just now; try again later")
        return held

    def query(self, **parameters: Any) -> Iterator[tuple[list[Item], bool]]:
        """The pages of a query, each with whether another follows."""
        while True:
            page = self.query_once(**parameters)
            last = page.get("LastEvaluatedKey")
            yield page["Items"], last is not None
            if last is None:
                return
            parameters["ExclusiveStartKey"] = last

    def query_once(self, **parameters: Any) -> dict[str, Any]:
        """One page of a query, as boto3 gives it."""
        with self._translated():
            page: dict[str, Any] = self._client.query(TableName=self.name, **parameters)
            return page

    # -- writing -----------------------------------------------------------------------------------------

    async def put(self, item: Item, condition: Condition | None = None) -> Item | None:
        """Puts an item; None when it is written, else the item that is there ({} for none)."""
        return await self._write("put_item", condition, {"Item": item})

    async def update(self, key: Item, changes: dict[str, Any], condition: Condition) -> Item | None:
        """Updates an item, `changes` being what `changes_to` gives; None when it is written, else what is there."""
        return await self._write("update_item", condition, {"Key": key, **changes})

    async def add(self, key: Item, counts: Item, sets: Item) -> None:
        """Adds to numbers of an item, which is made if there is none. Tried again, it may add twice."""
        await self._write("update_item", None, {"Key": key, **_adding(counts, sets)})

    async def count(self, key: Item, adds: Item, sets: Item, condition: Condition) -> Item | None:
        """Adds to numbers of an item and gives the item as it is then; None where the condition does not hold.

        Tried again, it may add twice.
        """
        return await self._new(key, _adding(adds, sets, condition.values), condition)

    async def shift(self, key: Item, by: tuple[str, Item] | None, sets: Item, condition: Condition) -> Item | None:
        """Sets attributes, and adds to the number that `by` names; gives the item as it is then, and makes it if it is
        absent. None where the condition does not hold. Tried again, it may add twice.
        """
        changes = changes_to(sets, ())
        if by is not None:
            changes["UpdateExpression"] += f", {by[0]} = {by[0]} + :by"
            changes["ExpressionAttributeValues"][":by"] = by[1]
        changes["ExpressionAttributeValues"] |= condition.values
        return await self._new(key, changes, condition)

    async def _new(self, key: Item, changes: dict[str, Any], condition: Condition) -> Item | None:
        parameters = changes | {"ConditionExpression": condition.expression}
        for pause in (*PAUSES, None):
            with self._translated():
                try:
                    answer = self._client.update_item(
                        TableName=self.name, Key=key, ReturnValues="ALL_NEW", **parameters
                    )
                    item: Item = answer["Attributes"]
                    return item
                except ClientError as error:
                    if code_of(error) == CONDITION:
                        return None
                    if code_of(error) != CONFLICT or pause is None:
                        raise
            await self._clock.sleep(pause)
        raise AssertionError("unreachable")

    def put_plain(self, item: Item) -> None:
        """Puts an item whatever is there."""
        with self._translated():
            self._client.put_item(TableName=self.name, Item=item)

    def delete(self, key: Item, condition: Condition) -> None:
        """Deletes an item if the condition holds, and else leaves it."""
        self.remove(key, condition)

    def remove(self, key: Item, condition: Condition) -> bool:
        """Deletes an item if the condition holds; False if it does not."""
        with self._translated():
            try:
                self._client.delete_item(TableName=self.name, Key=key, **_conditional(condition))
            except ClientError as error:
                if code_of(error) != CONDITION:
                    raise
                return False
            return True

    async def _write(self, operation: str, condition: Condition | None, parameters: dict[str, Any]) -> Item | None:
        if condition is not None:
            parameters |= _conditional(condition, parameters.get("ExpressionAttributeValues"))
            parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        for pause in (*PAUSES, None):
            with self._translated():
                try:
                    getattr(self._client, operation)(TableName=self.name, **parameters)
                    return None
                except ClientError as error:
                    if code_of(error) == CONDITION:
                        item: Item = error.response.get("Item", {})
                        return item
                    if code_of(error) != CONFLICT or pause is None:
                        raise
            await self._clock.sleep(pause)
        raise AssertionError("unreachable")

    async def transact(self, actions: Sequence[dict[str, Any]]) -> list[str] | None:
        """Writes all of the actions or none; None when they are written, else the code of each that was refused.

        An action that was not at fault has the code "None". Throttling and conflicts with other transactions
        are tried again, then Unavailable.
        """
        for pause in (*PAUSES, None):
            with self._translated():
                try:
                    self._client.transact_write_items(TransactItems=list(actions))
                    return None
                except ClientError as error:
                    if code_of(error) != CANCELLED:
                        raise
                    codes = [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())]
            if "ConditionalCheckFailed" in codes:
                return codes
            at_fault = sorted({code for code in codes if code != "None"})
            if not _BUSY.issuperset(at_fault):
                raise Misconfigured(f"{self._resource} refuses a transaction: {', '.join(at_fault)}")
            if pause is not None:
                await self._clock.sleep(pause)
        raise Unavailable(f"{self._resource} is busy with other transactions on the same items; try again later")

    def put_action(self, item: Item, condition: Condition) -> dict[str, Any]:
        return {"Put": {"TableName": self.name, "Item": item, **_conditional(condition)}}

    def update_action(self, key: Item, changes: dict[str, Any], condition: Condition) -> dict[str, Any]:
        changes = {**changes, **_conditional(condition, changes.get("ExpressionAttributeValues"))}
        return {"Update": {"TableName": self.name, "Key": key, **changes}}

    def check_action(self, key: Item, condition: Condition) -> dict[str, Any]:
        return {"ConditionCheck": {"TableName": self.name, "Key": key, **_conditional(condition)}}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(self._resource, "look at STEPFAST_TABLE, the region and the role's dynamodb: permissions"):
            yield


def projected(names: Sequence[str]) -> dict[str, Any]:
    """What a read is given to answer these attributes alone."""
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in names),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
    }


def changes_to(sets: Item, removes: Sequence[str], copies: Mapping[str, str] | None = None) -> dict[str, Any]:
    """An update that sets and removes attributes; each is named by a placeholder, as many names are reserved.

    copies: attributes that get what another attribute, which is set too, has before the update.
    """
    copied = [f"#{name} = #{source}" for name, source in (copies or {}).items()]
    expression = "SET " + ", ".join([*copied, *(f"#{name} = :{name}" for name in sets)])
    if removes:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
    return {
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {f"#{name}": name for name in (*sets, *removes, *(copies or ()))},
        "ExpressionAttributeValues": {f":{name}": value for name, value in sets.items()},
    }
