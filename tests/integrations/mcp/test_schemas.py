"""The names and schemas of tools, for workflows of every kind."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from stepfast.errors import InvalidRequest
from stepfast.integrations.mcp import failures, tools


def test_names_that_clients_would_refuse_are_changed_and_stay_distinct() -> None:
    names = tools.names_of(["a.b", "a_b", "plain", "x.y", "x-y", "stepfast_list", "n" * 64])
    assert {name: workflow for name, workflow in names.items() if name == workflow} == {
        name: name for name in ("a_b", "plain", "x-y", "n" * 64)
    }
    assert names["x_y"] == "x.y"
    assert sorted(names.values()) == sorted(["a.b", "a_b", "plain", "x.y", "x-y", "stepfast_list", "n" * 64])
    assert all(len(name) <= 64 and name.replace("_", "").replace("-", "").isalnum() for name in names)
    assert not any(name.startswith("stepfast_") for name in names)


def test_a_name_depends_only_on_the_workflows_that_share_it() -> None:
    alone = tools.names_of(["a.b", "a_b"])
    assert tools.names_of(["other", "a_b", "a.b", "z.z"]).items() >= alone.items()
    long = "n" * 62
    shared = tools.names_of([f"{long}.a", f"{long}_a"])
    assert len(shared) == 2
    assert all(len(name) <= 64 for name in shared)


def schema_of(input_schema: dict[str, Any]) -> dict[str, Any]:
    return tools.workflow_tool("t", {"name": "t", "input_schema": input_schema}, 20).input_schema


TREE = {"$defs": {"Tree": {"type": "object", "properties": {"kids": {"items": {"$ref": "#/$defs/Tree"}}}}}}


@pytest.mark.parametrize(
    ("schema", "fits", "unfit"),
    [
        ({"type": "string"}, {"input": "x"}, {"input": 1}),
        ({**TREE, "$ref": "#/$defs/Tree"}, {"input": {"kids": [{"kids": []}]}}, {"input": {"kids": [1]}}),
        ({"type": "integer"}, {"input": 3, "wait_seconds": 0, "execution_id": "a"}, {}),
        ({"type": "null"}, {}, {"input": None}),
        ({}, {}, {"inputs": 1}),
    ],
)
def test_the_arguments_are_an_object_around_any_input(
    schema: dict[str, Any], fits: dict[str, Any], unfit: dict[str, Any]
) -> None:
    made = schema_of(schema)
    assert jsonschema_rs.meta.is_valid(made)
    validator = jsonschema_rs.Draft202012Validator(made)
    assert validator.is_valid(fits)
    assert not validator.is_valid(unfit)


def test_the_schema_of_the_api_is_left_as_it_is() -> None:
    schema = {**TREE, "$ref": "#/$defs/Tree"}
    schema_of(schema)
    assert "$defs" in schema


def test_many_faults_of_an_input_are_listed_and_counted() -> None:
    error = InvalidRequest("does not fit", tuple((f"f{number}", "wrong") for number in range(100)), 250)
    lines = failures.text_of(error, "http://x", "").splitlines()
    assert lines[0] == "does not fit"
    assert lines[1] == "- f0: wrong"
    assert lines[-1] == "- and 230 more"
    assert len(lines) == 22
