"""What queries and updates take and answer, as JSON Schema: the same in both homes (rule *query*)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from stepfast import query, signal, update, workflow
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from tests.http.serving import event

Ask = Callable[[str], dict[str, Any]]
PATH = "/v1/executions/one/handlers"


class Parcel(BaseModel):
    to: str = Field(min_length=1)
    grams: int = 1


class Opaque:
    """Of no JSON form."""


@workflow("parcels")
async def parcels() -> None:
    @query
    def weight(to: str | None) -> int:
        return len(to or "")

    @query(name="any")
    def untyped(value):  # type: ignore[no-untyped-def]
        return value

    @update
    async def weight_of(parcel: Parcel) -> list[Parcel]:
        return [parcel]

    @update(name="weight")
    async def weigh() -> None:
        return None

    @update
    async def broken(value: Opaque) -> Opaque:
        return value

    await signal("open")

    @update
    async def later(number: int) -> int:
        return number

    await signal("end")


def _embedded() -> Iterator[tuple[Any, Ask]]:
    with Environment(parcels) as env:
        handle = build(env._stage.operations, Registry([parcels]), finished)

        def ask(path: str) -> dict[str, Any]:
            answer = handle(event("GET", path), None)
            assert answer["statusCode"] == 200, answer["body"]
            return dict(json.loads(answer["body"]))

        yield env, ask


def _cloud() -> Iterator[tuple[Any, Ask]]:
    with MotoCloud(parcels) as env:

        def ask(path: str) -> dict[str, Any]:
            answer = env.request("GET", path)
            assert answer.status == 200, answer.body
            return dict(json.loads(answer.body))

        yield env, ask


@pytest.fixture(params=[_embedded, _cloud], ids=["sqlite", "dynamodb"])
def home(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Ask]]:
    yield from request.param()


def test_each_one_is_listed_with_the_schemas_of_its_argument_and_result(home: tuple[Any, Ask]) -> None:
    env, ask = home
    env.start(parcels, execution_id="one")
    listed = ask(PATH)
    assert (listed["queries"], listed["updates"]) == (["any", "weight"], ["broken", "weight", "weight_of"])
    queries, updates = listed["schemas"]["queries"], listed["schemas"]["updates"]
    assert (list(queries), list(updates)) == (listed["queries"], listed["updates"])
    assert queries["weight"] == {
        "payload_schema": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "result_schema": {"type": "integer"},
    }
    assert queries["any"] == {"payload_schema": {}, "result_schema": {}}
    assert updates["weight"] == {"payload_schema": {"type": "null"}, "result_schema": {"type": "null"}}
    assert updates["weight_of"]["payload_schema"] == Parcel.model_json_schema()
    assert updates["weight_of"]["result_schema"]["items"] == {"$ref": "#/$defs/Parcel"}
    assert updates["broken"] == {"payload_schema": None, "result_schema": None}


def test_they_are_those_that_the_code_has_where_it_stands(home: tuple[Any, Ask]) -> None:
    env, ask = home
    run = env.start(parcels, execution_id="one")
    assert "later" not in ask(PATH)["schemas"]["updates"]
    env.signal(run, "open")
    env.run_until(lambda: "later" in ask(PATH)["updates"])
    assert ask(PATH)["schemas"]["updates"]["later"]["payload_schema"] == {"type": "integer"}
    env.signal(run, "end")
    env.run_until(run)
    ended = ask(PATH)
    assert (ended["updates"], ended["schemas"]["updates"]) == ([], {})
    assert set(ended["schemas"]["queries"]) == {"any", "weight"}
