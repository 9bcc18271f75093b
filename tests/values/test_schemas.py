"""The walk over pydantic-core's schemas knows every kind of node; `.ci/pythons` asks the newest pydantic."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from datetime import datetime, time
from typing import Annotated, Any, Literal, get_args, get_type_hints

import pytest
from pydantic import BaseModel, Field, JsonValue, TypeAdapter
from pydantic_core import core_schema
from typing_extensions import TypedDict

from stepfast.values import schemas


class Model(BaseModel):
    made: list[int] = Field(default_factory=list)


class Row(TypedDict):
    type: str


@dataclasses.dataclass
class Point:
    x: int = 0


def kinds_of_pydantic() -> set[str]:
    """What `type` may be in the nodes that the installed pydantic-core describes, serializers included."""
    nodes = [node for name, node in vars(core_schema).items() if name.endswith(("Schema", "Field"))]
    described = [get_type_hints(node).get("type") for node in nodes if isinstance(node, type)]
    return {str(kind) for literal in described for kind in _literals(literal)}


def _literals(hint: Any) -> Iterator[Any]:
    """The values of a Literal, also within Required[...]."""
    for part in get_args(hint):
        yield from [part] if isinstance(part, str) else _literals(part)


def kinds_in(schema: Any) -> set[str]:
    return {node["type"] for node in schemas.nodes_of(schema)}


def test_every_kind_that_pydantic_describes_is_known() -> None:
    described = kinds_of_pydantic()
    assert len(described) > 50, "pydantic-core describes its nodes in another way: this test finds too few"
    new = sorted(described - schemas.KNOWN)
    assert not new, f"say in values/schemas.py what becomes of values of the kinds {new}, and add the kinds to KNOWN"


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Model, "model"),
        (Model, "default"),
        (Row, "typed-dict"),
        (Row, "typed-dict-field"),
        (Point, "dataclass"),
        (set[int], "set"),
        (frozenset[int], "frozenset"),
        (Generator[int, None, None], "generator"),
        (datetime, "datetime"),
        (time, "time"),
        (JsonValue, "json-or-python"),
        (list[int], "list"),
        (tuple[int, ...], "tuple"),
        (dict[str, int], "dict"),
        (int | str, "union"),
        (int | None, "nullable"),
        (Any, "any"),
        (Annotated[float, Field()], "float"),
        (Literal["a"], "literal"),
    ],
)
def test_a_type_has_the_kind_by_which_the_walk_knows_it(annotation: Any, kind: str) -> None:
    schema = TypeAdapter(annotation).core_schema
    assert kind in kinds_in(schema)
    assert kind in schemas.KNOWN


def test_a_json_value_is_known_by_its_reference() -> None:
    assert kinds_in(schemas.stored(TypeAdapter(JsonValue).core_schema)) <= {"any", "definitions", "definition-ref"}


def test_a_field_or_a_default_that_looks_like_a_node_is_none() -> None:
    class Confusing(BaseModel):
        type: str = "set"
        kept: dict[str, Any] = {"type": "set"}

    assert "set" not in kinds_in(TypeAdapter(Confusing).core_schema)


def test_the_walk_changes_a_copy() -> None:
    adapter = TypeAdapter(dict[str, set[int]])
    before = repr(adapter.core_schema)
    for walk in (schemas.stored, schemas.closed, schemas.without_factories, schemas.failing_fast):
        walk(adapter.core_schema)
    assert repr(adapter.core_schema) == before
