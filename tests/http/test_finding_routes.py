"""Executions by what their id begins with, and POST /v1/executions/statuses."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.http.models import StatusList
from stepfast.http.page_models import ExecutionList
from tests.http.serving import Api

STATUSES = "/v1/executions/statuses"


@step(retry=Retry(max_attempts=1))
def fail() -> None:
    raise ConnectionError("down")


@workflow("failing")
async def failing() -> None:
    await fail()


@workflow("broken")
async def broken() -> None:
    raise KeyError("own")


@workflow("waiting")
async def waiting(n: int) -> None:
    await signal("go")


@workflow("ready")
async def ready(n: int) -> int:
    return n


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(failing, broken, waiting, ready, steps=[fail])
    for n, id in enumerate(["or", "order_1", "order_12", "orderx1", "order_13", "Order_1"]):
        made.start("ready" if n % 2 else "waiting", n, id, labels={"parity": str(n % 2)})
    return made


def page(api: Api, query: str) -> tuple[list[str], str | None]:
    answer = api.get("/v1/executions", query=query)
    ExecutionList.model_validate(answer, strict=True)
    return [execution["execution_id"] for execution in answer["executions"]], answer["next"]


def pages(api: Api, query: str) -> list[list[str]]:
    collected, cursor = [], ""
    while True:
        ids, following = page(api, f"{query}{cursor}")
        collected.append(ids)
        if following is None:
            return collected
        cursor = f"&cursor={following}"


# -- by prefix ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("prefix=order", ["order_13", "orderx1", "order_12", "order_1"]),
        ("prefix=order_", ["order_13", "order_12", "order_1"]),
        ("prefix=order_1", ["order_1", "order_13", "order_12"]),
        ("prefix=or", ["or", "order_13", "orderx1", "order_12", "order_1"]),
        ("prefix=O", ["Order_1"]),
        ("prefix=order_12", ["order_12"]),
        ("prefix=order_2", []),
        ("prefix=" + "x" * 128, []),
        ("prefix=order&workflow=waiting", ["order_13", "order_12"]),
        ("prefix=order&label=parity:1", ["orderx1", "order_1"]),
        ("prefix=order&status=FAILED", []),
        ("prefix=order_1&workflow=waiting", ["order_13", "order_12"]),
        ("prefix=order_1&label=parity:0", ["order_13", "order_12"]),
        ("prefix=order_1&label=parity:1", ["order_1"]),
        ("prefix=order_1&until=2000-01-01", []),
        ("prefix=order_1&since=4102444800", []),
        ("prefix=order_1&status=FAILED", []),
        ("prefix=order_1&largest=0", ["order_1", "order_13", "order_12"]),
    ],
)
def test_ids_are_found_by_what_they_begin_with(api: Api, query: str, expected: list[str]) -> None:
    assert page(api, query) == (expected, None)


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_of_a_prefix_hold_each_once_the_whole_id_first(api: Api, limit: int) -> None:
    id_pages = pages(api, f"prefix=order_1&limit={limit}")
    assert [id for page in id_pages for id in page] == ["order_1", "order_13", "order_12"]
    assert all(len(page) <= limit for page in id_pages)
    assert [id for page in pages(api, f"prefix=order&limit={limit}") for id in page] == [
        "order_13",
        "orderx1",
        "order_12",
        "order_1",
    ]


def test_a_whole_id_is_on_the_first_page_however_many_began_later(api: Api) -> None:
    for n in range(12):
        api.start("ready", n, f"order_1-{n:02}")
    assert page(api, "prefix=order_1&limit=3")[0] == ["order_1", "order_1-11", "order_1-10"]
    assert page(api, "prefix=order_1&limit=1")[0] == ["order_1"]


def test_a_whole_id_is_shown_without_its_values_like_the_others(api: Api) -> None:
    for execution in api.get("/v1/executions", query="prefix=order_1&largest=0")["executions"]:
        assert execution["input"] is None
        assert execution["omitted"]["input"] is None
    whole = api.get("/v1/executions", query="prefix=order_1")["executions"][0]
    assert (whole["execution_id"], whole["input"], whole["omitted"]) == ("order_1", 1, {})


@pytest.mark.parametrize("prefix", ["", "x" * 129, "a b", "a/b", "%C3%A9", "a%00", "%25", "a&prefix=b"])
def test_a_prefix_that_no_id_can_have_is_refused(api: Api, prefix: str) -> None:
    answer = api.ask("GET", "/v1/executions", query=f"prefix={prefix}")
    assert (answer.status, answer.kind, answer.fields) == (422, "invalid-request", ["prefix"])


def test_the_cursor_after_a_whole_id_is_nobodys_without_its_prefix(api: Api) -> None:
    _, cursor = page(api, "prefix=order_1&limit=1")
    answer = api.ask("GET", "/v1/executions", query=f"cursor={cursor}")
    assert (answer.status, answer.fields) == (422, ["cursor"])


# -- how they stand -------------------------------------------------------------------------------------


def test_statuses_come_in_the_order_asked_for_each_once_without_those_that_do_not_exist(api: Api) -> None:
    api.start("failing", id="f")
    api.start("broken", id="b")
    api.ends("FAILED", id="f")
    api.ends("FAILED", id="b")
    done = api.ends(id="order_1")
    assert api.ask("POST", "/v1/executions/f/resume").status == 200
    failed = api.ends("FAILED", id="f")
    asked = ["order_1", "nobody", "f", "or", "order_1", "b", "f"]
    answer = api.ask("POST", STATUSES, {"execution_ids": asked})
    assert answer.status == 200
    StatusList.model_validate(answer.body, strict=True)
    executions = answer.body["executions"]
    assert [execution["execution_id"] for execution in executions] == ["order_1", "f", "or", "b"]
    assert executions[0] == {
        "execution_id": "order_1",
        "workflow": "ready",
        "status": "SUCCEEDED",
        "generation": 0,
        "ended_at": done["ended_at"],
        "error": None,
    }
    assert executions[1] == {
        "execution_id": "f",
        "workflow": "failing",
        "status": "FAILED",
        "generation": 1,
        "ended_at": failed["ended_at"],
        "error": {"type": "ConnectionError", "step": "fail"},
    }
    assert (executions[2]["status"], executions[2]["ended_at"]) == ("RUNNING", None)
    assert executions[3]["error"] == {"type": "KeyError", "step": None}


def test_a_thousand_statuses_are_told_at_once(api: Api) -> None:
    answer = api.ask("POST", STATUSES, {"execution_ids": [*(f"no-{n}" for n in range(999)), "or"]})
    assert [execution["execution_id"] for execution in answer.body["executions"]] == ["or"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "execution_ids"),
        ({"execution_ids": []}, "execution_ids"),
        ({"execution_ids": ["x"] * 1001}, "execution_ids"),
        ({"execution_ids": "or"}, "execution_ids"),
        ({"execution_ids": None}, "execution_ids"),
        ({"execution_ids": ["or", "a b"]}, "execution_ids[1]"),
        ({"execution_ids": ["or", ""]}, "execution_ids[1]"),
        ({"execution_ids": [7]}, "execution_ids[0]"),
        ({"execution_ids": ["or"], "limit": 3}, "limit"),
    ],
)
def test_a_bad_request_for_statuses_names_its_field(api: Api, body: Any, field: str) -> None:
    answer = api.ask("POST", STATUSES, body)
    assert (answer.status, answer.kind, answer.fields) == (422, "invalid-request", [field])


def test_an_execution_may_be_called_like_the_route(api: Api) -> None:
    api.start("ready", 1, "statuses")
    assert api.get(STATUSES)["execution_id"] == "statuses"
    assert api.ask("POST", f"{STATUSES}/cancel").status in (200, 409)
    assert api.ask("POST", STATUSES, {"execution_ids": ["statuses"]}).body["executions"][0]["workflow"] == "ready"
