"""POST /v1/workflows/{workflow}/executions."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from stepfast import step, workflow

PATH = "/v1/workflows/report/executions"


class Order(BaseModel):
    quarter: Literal["Q1", "Q2"]
    year: int
    readers: list[str] = []


@step
def length(order: Order) -> int:
    return len(order.readers)


@workflow("report")
async def report(order: Order) -> int:
    return await length(order)


@workflow("other")
async def other() -> None:
    return None


INPUT = {"quarter": "Q1", "year": 2026}


@pytest.fixture
def api(serve: Any) -> Any:
    return serve(report, other)


def test_a_new_execution_is_created_and_says_where_it_is(api: Any) -> None:
    answer = api.ask("POST", PATH, {"input": INPUT, "execution_id": "one", "labels": {"team": "fin"}})
    assert answer.status == 201
    assert answer.headers["Location"] == "/v1/executions/one"
    assert {key: answer.body[key] for key in ("execution_id", "workflow", "status", "labels", "generation")} == {
        "execution_id": "one",
        "workflow": "report",
        "status": "RUNNING",
        "labels": {"team": "fin"},
        "generation": 0,
    }
    assert answer.body["input"] == {**INPUT, "readers": []}
    assert answer.body["result"] is answer.body["error"] is answer.body["ended_at"] is None
    assert api.ends()["result"] == 0


def test_without_an_id_every_start_is_another_execution(api: Any) -> None:
    first, second = (api.ask("POST", PATH, {"input": INPUT}) for _ in range(2))
    assert first.status == second.status == 201
    assert first.body["execution_id"] != second.body["execution_id"]


def test_the_same_start_again_returns_the_execution_there_is(api: Any) -> None:
    first = api.start("report", INPUT)
    api.ends()
    again = api.ask("POST", PATH, {"input": {**INPUT, "readers": []}, "execution_id": "one"})
    assert again.status == 200
    assert again.body["created_at"] == first["created_at"]
    assert again.body["status"] == "SUCCEEDED"


def test_the_idempotency_key_header_is_the_id(api: Any) -> None:
    first = api.ask("POST", PATH, {"input": INPUT}, headers={"Idempotency-Key": "key-1"})
    again = api.ask("POST", PATH, {"input": INPUT, "execution_id": "key-1"}, headers={"idempotency-key": "key-1"})
    assert (first.status, again.status) == (201, 200)
    assert first.body["execution_id"] == again.body["execution_id"] == "key-1"


def test_two_different_ids_are_refused(api: Any) -> None:
    answer = api.ask("POST", PATH, {"input": INPUT, "execution_id": "a"}, headers={"Idempotency-Key": "b"})
    assert answer.kind == "invalid-request"
    assert answer.fields == ["execution_id", "idempotency-key"]
    assert api.get("/v1/executions")["executions"] == []


@pytest.mark.parametrize(
    ("path", "input"),
    [(PATH, {**INPUT, "year": 2027}), ("/v1/workflows/other/executions", None)],
    ids=["other input", "other workflow"],
)
def test_a_taken_id_conflicts(api: Any, path: str, input: Any) -> None:
    api.start("report", INPUT)
    answer = api.ask("POST", path, {"input": input, "execution_id": "one"})
    assert (answer.status, answer.kind) == (409, "execution-conflict")
    assert "one" in answer.body["detail"]


def test_an_unknown_workflow_is_not_found_and_the_known_are_named(api: Any) -> None:
    answer = api.ask("POST", "/v1/workflows/nope/executions", {"input": INPUT})
    assert (answer.status, answer.kind) == (404, "unknown-workflow")
    assert "other, report" in answer.body["detail"]


@pytest.mark.parametrize(
    ("input", "fields"),
    [
        ({"quarter": "Q9", "year": "soon", "readers": [1, "a", None]}, ["quarter", "year", "readers[0]", "readers[2]"]),
        ({}, ["quarter", "year"]),
        ("text", [""]),
        (None, [""]),
        ([], [""]),
    ],
)
def test_bad_input_names_its_fields(api: Any, input: Any, fields: list[str]) -> None:
    answer = api.ask("POST", PATH, {"input": input})
    assert (answer.status, answer.kind) == (422, "invalid-request")
    below = [f"input{'.' if path else ''}{path}" for path in fields]
    assert answer.fields == below
    assert all(error["message"] for error in answer.body["errors"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": INPUT, "labels": {f"k{n}": "v" for n in range(21)}}, "labels"),
        ({"input": INPUT, "labels": {"k" * 129: "v"}}, "labels"),
        ({"input": INPUT, "labels": {"k": "v" * 129}}, "labels.k"),
        ({"input": INPUT, "labels": {"k": 1}}, "labels.k"),
        ({"input": INPUT, "labels": {"k:x": "v"}}, "labels"),
        ({"input": INPUT, "labels": {"": "v"}}, "labels"),
        ({"input": INPUT, "labels": {"k": "a\x00b"}}, "labels.k"),
        ({"input": INPUT, "labels": ["k"]}, "labels"),
        ({"input": INPUT, "execution_id": "a/b"}, "execution_id"),
        ({"input": INPUT, "execution_id": "ümlaut"}, "execution_id"),
        ({"input": INPUT, "execution_id": "x" * 129}, "execution_id"),
        ({"input": INPUT, "execution_id": "x\n"}, "execution_id"),
        ({"input": INPUT, "execution_id": ""}, "execution_id"),
        ({"input": INPUT, "execution_id": 7}, "execution_id"),
        ({"input": INPUT, "execution_id": ".."}, "execution_id"),
        ({"input": INPUT, "exection_id": "typo"}, "exection_id"),
    ],
)
def test_a_bad_body_names_its_field(api: Any, body: Any, field: str) -> None:
    answer = api.ask("POST", PATH, body)
    assert (answer.status, answer.kind) == (422, "invalid-request")
    assert any(name.startswith(field) for name in answer.fields), answer.fields


def test_labels_at_the_limits_are_taken(api: Any) -> None:
    labels = {f"{n:0128}": "v" * 128 for n in range(20)}
    assert api.start("report", INPUT, labels=labels)["labels"] == labels


def test_of_fifty_starts_at_once_with_one_id_one_creates(api: Any) -> None:
    with ThreadPoolExecutor(50) as threads:
        body = {"input": INPUT, "execution_id": "one"}
        answers = list(threads.map(lambda _: api.ask("POST", PATH, body), range(50)))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 49}
    assert len({answer.body["created_at"] for answer in answers}) == 1
    assert len(api.get("/v1/executions")["executions"]) == 1


def test_a_workflow_without_an_argument_needs_no_input(api: Any) -> None:
    assert api.ask("POST", "/v1/workflows/other/executions", {}).status == 201
    assert api.ask("POST", "/v1/workflows/other/executions", {"input": {"a": 1}}).fields == ["input"]
