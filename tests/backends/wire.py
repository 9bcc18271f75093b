"""What goes over the wire: every call of a client, held against botocore's own model of the service.

moto takes many requests that AWS refuses, so parameters are checked here a second time: types and required members
by botocore, lengths, ranges, patterns and enumerations by what the model says of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.session import Session
from botocore.validate import ParamValidator

from bench.aws_units import Call, Meter
from tests.backends.cloud import TABLE, shared_client


class Wire(Meter):
    """A meter whose calls can be asked for and held against the model."""

    def __init__(self) -> None:
        super().__init__(_stored)

    def take(self) -> list[Call]:
        """The calls since the last time, all of them valid."""
        calls, self.calls = self.calls, []
        for call in calls:
            assert faults(call) == []
        return calls


def _stored(key: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (
        shared_client("dynamodb").get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
    )
    return found


@cache
def _model(service: str) -> Any:
    return Session().get_service_model(service)


def faults(call: Call) -> list[str]:
    """What AWS would refuse of a call's parameters, as far as the model of the service tells."""
    shape = _model(call.service).operation_model(call.operation).input_shape
    report = ParamValidator().validate(call.params, shape)
    found = [report.generate_report()] if report.has_errors() else []
    return [f"{call.operation}: {one}" for one in (*found, *_beyond(call.params, shape, ""))]


def _beyond(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Lengths, ranges, patterns and enumerations, which botocore leaves to the service."""
    told = shape.metadata
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from _beyond(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "map":
        for key, member in value.items():
            yield from _beyond(key, shape.key, f"{path}.{key}")
            yield from _beyond(member, shape.value, f"{path}.{key}")
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _beyond(member, shape.member, f"{path}[{number}]")
    size = value if shape.type_name in ("integer", "long", "float", "double") else None
    if isinstance(value, str | list | dict) and shape.type_name != "structure":
        size = len(value)
    if size is not None and not told.get("min", size) <= size <= told.get("max", size):
        yield f"{path}: {size} is not within {told.get('min')} and {told.get('max')}"
    if isinstance(value, str):
        if told.get("enum") and value not in told["enum"]:
            yield f"{path}: {value!r} is none of {told['enum']}"
        if told.get("pattern") and not re.search(_python(told["pattern"]), value):
            yield f"{path}: {value!r} does not match {told['pattern']}"


def _python(pattern: str) -> str:
    """A pattern of the models, which are written for Java, as Python's re takes it."""
    return pattern if pattern.startswith("^") else f"^(?:{pattern})$"
