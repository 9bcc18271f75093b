"""What an agent's steps take: JSON objects, with all that pydantic-ai needs to run the operation in another process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic_ai.durable_exec import JSON_CODEC
from pydantic_core import PydanticSerializationError

from stepfast.errors import NotStorable


class AgentCall(BaseModel):
    """The argument of an agent's step.

    label: what the call is about, for people.
    identity: what the call is about, for replays. Two calls with one identity are the same call: instructions, tool
    descriptions, settings and the version of pydantic-ai may change while an execution is running.
    body: the parameters of the operation, as its transport has written them.
    """

    label: str
    identity: str
    body: dict[str, JsonValue]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AgentCall) and other.identity == self.identity

    def __hash__(self) -> int:
        return hash(self.identity)


def label_of(call: AgentCall) -> str:
    return call.label


def dumped(where: str, kind: Any, value: Any) -> Any:
    """Plain JSON values of a value. Sets become sorted lists, so that each replay makes the same text.

    where: how the error calls the value. Raises NotStorable for a value without JSON form.
    """
    try:
        return _sorted_sets(value, JSON_CODEC.dump(kind, value))
    except (PydanticSerializationError, TypeError, ValueError) as error:
        raise NotStorable(f"{where} cannot be stored as JSON: {str(error).splitlines()[0]}") from error


def loaded(kind: Any, value: Any) -> Any:
    return JSON_CODEC.load(kind, value)


def text_of(value: Any) -> str:
    """JSON text in one form, for identities."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _sorted_sets(value: Any, plain: Any) -> Any:
    """`plain`, which is the JSON form of `value`, with the lists that were sets in sorted order."""
    if isinstance(value, AbstractSet) and isinstance(plain, list):
        return sorted(plain, key=text_of)
    if isinstance(plain, dict):
        parts: Mapping[Any, Any] = (
            value
            if isinstance(value, Mapping)
            else {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
            if dataclasses.is_dataclass(value)
            else {}
        )
        return {key: _sorted_sets(parts.get(key), item) for key, item in plain.items()}
    if isinstance(plain, list) and isinstance(value, list | tuple) and len(value) == len(plain):
        return [_sorted_sets(part, item) for part, item in zip(value, plain, strict=True)]
    return plain
