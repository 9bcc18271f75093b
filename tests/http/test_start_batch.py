"""POST /v1/executions/batch: many starts in one request, each with its own outcome."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import workflow
from tests.http.serving import Api

PATH = "/v1/executions/batch"


@workflow("double")
async def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(double)
    return made


def test_a_thousand_starts_are_one_request_and_each_runs(api: Api) -> None:
    starts = [{"workflow": "double", "input": number, "execution_id": f"e-{number}"} for number in range(1000)]
    outcomes = api.ask("POST", PATH, {"starts": starts}).body["outcomes"]
    assert [outcome["execution_id"] for outcome in outcomes] == [start["execution_id"] for start in starts]
    assert all(outcome["created"] and outcome["problem"] is None for outcome in outcomes)
    assert api.ends(id="e-999")["result"] == 1998
    again = api.ask("POST", PATH, {"starts": starts}).body["outcomes"]
    assert [outcome["created"] for outcome in again] == [False] * 1000
    assert api.get("/v1/executions", query="total=true")["total"]["count"] == 1000


def test_each_start_has_its_own_outcome(api: Api) -> None:
    api.start("double", 1, "taken")
    starts = [
        {"workflow": "double", "input": 1, "execution_id": "taken"},
        {"workflow": "double", "input": 2, "execution_id": "taken"},
        {"workflow": "nobody", "input": 2, "execution_id": "unknown"},
        {"workflow": "double", "input": "two", "execution_id": "wrong"},
        {"workflow": "double", "input": 3, "execution_id": "fine", "labels": {"team": "fin"}},
        {"workflow": "double", "input": 4},
    ]
    answer = api.ask("POST", PATH, {"starts": starts})
    assert answer.status == 200
    problems = [outcome["problem"] and outcome["problem"]["status"] for outcome in answer.body["outcomes"]]
    assert problems == [None, 409, 404, 422, None, None]
    wrong = answer.body["outcomes"][3]
    assert (wrong["execution_id"], wrong["problem"]["errors"][0]["field"]) == ("wrong", "input")
    assert [outcome["created"] for outcome in answer.body["outcomes"]] == [False, False, False, False, True, True]
    assert api.ends(id="fine")["labels"] == {"team": "fin"}
    assert api.ends(id=answer.body["outcomes"][5]["execution_id"])["result"] == 8


def test_one_id_twice_in_a_batch_starts_once(api: Api) -> None:
    starts = [{"workflow": "double", "input": number, "execution_id": "same"} for number in (1, 1, 2)]
    outcomes = api.ask("POST", PATH, {"starts": starts}).body["outcomes"]
    assert [outcome["created"] for outcome in outcomes] == [True, False, False]
    assert outcomes[2]["problem"]["type"] == "urn:stepfast:problem:execution-conflict"


@pytest.mark.parametrize(
    ("starts", "field"),
    [
        ([], "starts"),
        ([{"workflow": "double", "input": 1}] * 1001, "starts"),
        ([{"workflow": "double"}, {"workflow": "double", "execution_id": "a b"}], "starts[1].execution_id"),
        ([{"workflow": "double"}, {"workflow": "double", "execution_id": ".."}], "starts[1].execution_id"),
        ([{"input": 1}], "starts[0].workflow"),
    ],
)
def test_a_request_that_cannot_be_read_starts_nothing(api: Api, starts: Any, field: str) -> None:
    answer = api.ask("POST", PATH, {"starts": starts})
    assert (answer.status, answer.fields) == (422, [field])
    assert api.get("/v1/executions")["executions"] == []


def test_an_execution_may_have_the_id_batch(api: Api) -> None:
    api.start("double", 1, "batch")
    assert api.ends(id="batch")["result"] == 2
