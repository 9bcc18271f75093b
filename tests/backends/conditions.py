"""Which condition expressions there are, in the source and in calls, and which of them have refused what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.backends.cloud import TABLE, shared_client

SOURCE = Path(__file__).parents[2] / "src" / "stepfast"


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A condition as a call makes it. operation: within a transaction the action, as in TransactWriteItems.Put.

    item: the first part of its sort key.
    """

    operation: str
    item: str
    expression: str


class Refusals:
    """Watches clients: every use of a condition, and those that refused. What was refused must be as it was."""

    def __init__(self) -> None:
        self.used: set[Use] = set()
        self.refused: list[Use] = []

    def watch(self, client: Any) -> None:
        client.meta.events.register("provide-client-params", self._before)
        client.meta.events.register("after-call", self._after)

    def _before(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        found = [(use, key, _item(key)) for use, key in _uses(model.name, params)]
        context["stepfast_conditions"] = found
        self.used |= {use for use, _, _ in found if use is not None}

    def _after(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        found = context.get("stepfast_conditions", [])
        match parsed.get("Error", {}).get("Code"):
            case "ConditionalCheckFailedException":
                stopped = found
            case "TransactionCanceledException":
                codes = [one["Code"] for one in parsed["CancellationReasons"]]
                stopped = [one for one, code in zip(found, codes, strict=True) if code == "ConditionalCheckFailed"]
            case _:
                return
        self.refused += [use for use, _, _ in stopped]
        for use, key, before in found:
            assert _item(key) == before, f"{use} has refused, and was written all the same"


def in_source() -> set[str]:
    """Every condition expression that is written down anywhere in the package."""
    return {found for path in SOURCE.rglob("*.py") for found in _expressions(ast.parse(path.read_text("utf-8")))}


def _expressions(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {one.arg: one.value for one in node.keywords}
        value = given.get("ConditionExpression")
        if value is None and isinstance(node.func, ast.Name) and node.func.id == "Condition":
            value = given.get("expression", node.args[0] if node.args else None)
        if isinstance(value, ast.Constant):
            yield str(value.value)


def _uses(operation: str, params: dict[str, Any]) -> Iterator[tuple[Use | None, dict[str, Any]]]:
    """(use, key) of every write of a call; None for one without a condition."""
    actions = [(operation, params)]
    if operation == "TransactWriteItems":
        actions = [(f"{operation}.{kind}", one) for action in params["TransactItems"] for kind, one in action.items()]
    elif operation not in ("PutItem", "UpdateItem", "DeleteItem"):
        return
    for name, one in actions:
        key = {part: one.get("Key", one.get("Item"))[part] for part in ("pk", "sk")}
        expression = one.get("ConditionExpression")
        yield expression and Use(name, key["sk"]["S"].partition("#")[0], expression), key


def _item(key: dict[str, Any]) -> Any:
    return shared_client("dynamodb").get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
