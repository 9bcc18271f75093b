"""DELETE /v1/executions/{id}, and pages that end by bytes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.http.models import DeletedView
from tests.http.serving import Api
from tests.waiting import until

ONE = "/v1/executions/one"


@step(retry=Retry(max_attempts=1))
def fragile(value: str) -> str:
    if value == "bad":
        raise OSError("down")
    return value


@workflow("keeping")
async def keeping(value: str) -> str:
    return await fragile(value)


@workflow("waiting")
async def waiting() -> str:
    word: str = await signal("go", str)
    return word


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(keeping, waiting, steps=[fragile])
    return made


@pytest.mark.parametrize(("value", "status"), [("good", "SUCCEEDED"), ("bad", "FAILED")])
def test_an_execution_that_has_ended_is_deleted_for_good(api: Api, value: str, status: str) -> None:
    api.start("keeping", value)
    api.ends(status)
    answer = api.ask("DELETE", ONE)
    assert (answer.status, answer.body) == (200, {"execution_id": "one"})
    DeletedView.model_validate(answer.body, strict=True)
    for method, path in (("GET", ONE), ("GET", f"{ONE}/history"), ("DELETE", ONE), ("POST", f"{ONE}/resume")):
        gone = api.ask(method, path)
        assert (gone.status, gone.kind) == (404, "execution-not-found")
    assert api.get("/v1/executions")["executions"] == []
    assert api.get("/v1/dead-letters")["dead_letters"] == []


def test_a_running_execution_is_to_be_cancelled_first(api: Api) -> None:
    api.start("waiting")
    refused = api.ask("DELETE", ONE)
    assert (refused.status, refused.kind, refused.body["execution_status"]) == (409, "wrong-status", "RUNNING")
    assert "cancel it first" in refused.body["detail"]
    assert api.ask("POST", f"{ONE}/cancel").status == 200
    assert api.ask("DELETE", ONE).status == 200


def test_an_id_that_was_deleted_can_be_started_anew(api: Api) -> None:
    """With another input, and as if for the first time."""
    for value, status in (("bad", "FAILED"), ("good", "SUCCEEDED"), ("bad", "FAILED")):
        api.start("keeping", value)
        ended = api.ends(status)
        assert (ended["input"], ended["resumes"]) == (value, 0)
        again = api.ask("POST", "/v1/workflows/keeping/executions", {"input": value, "execution_id": "one"})
        assert again.status == 200
        assert api.ask("DELETE", ONE).status == 200


def test_a_resume_of_one_that_was_started_anew_is_counted_from_there(api: Api) -> None:
    for _ in range(2):
        api.start("keeping", "bad")
        api.ends("FAILED")
        assert api.ask("POST", f"{ONE}/resume").body["resumes"] == 1
        until(lambda: api.get(ONE)["status"] == "FAILED")
        assert api.get("/v1/dead-letters")["dead_letters"][0]["resumes"] == 1
        assert api.get("/v1/dead-letters/groups")["groups"][0]["again"] == 1
        api.ask("DELETE", ONE)


def test_the_result_of_a_step_that_still_runs_is_not_its_successors(serve: Any) -> None:
    """A `def` step cannot be stopped: its result comes when its execution is long deleted, and another has begun."""
    goes_on, entered, results = threading.Event(), threading.Event(), iter(["old", "new"])

    @step
    def slow() -> str:
        word = next(results)
        entered.set()
        if word == "old":
            goes_on.wait(20)
        return word

    @workflow("slow-flow")
    async def flow() -> str:
        return await slow()

    api: Api = serve(flow, steps=[slow])
    api.start("slow-flow")
    entered.wait(20)
    assert api.ask("POST", f"{ONE}/cancel").status == 200
    assert api.ask("DELETE", ONE).status == 200
    api.start("slow-flow")
    goes_on.set()
    assert api.ends()["result"] == "new"


# -- pages by bytes --------------------------------------------------------------------------------------


@pytest.fixture
def large(api: Api) -> Api:
    for number in range(6):
        api.start("keeping", "x" * 900_000, f"e{number}")  # and a result as long
        api.ends(id=f"e{number}")
    return api


def test_a_page_ends_before_it_is_more_than_four_megabytes(large: Api) -> None:
    sizes, ids = [], []
    cursor: str | None = ""
    while cursor is not None:
        page = large.get("/v1/executions", query=f"limit=50{cursor and '&cursor=' + cursor}")
        sizes.append(sum(len(execution["input"]) + len(execution["result"]) for execution in page["executions"]))
        ids += [execution["execution_id"] for execution in page["executions"]]
        cursor = page["next"]
    assert ids == ["e5", "e4", "e3", "e2", "e1", "e0"]
    assert sizes == [3_600_000] * 3


def test_a_page_without_values_is_not_cut_short(large: Api) -> None:
    assert len(large.get("/v1/executions", query="largest=0")["executions"]) == 6


def test_more_labels_than_an_execution_can_have_are_refused(api: Api) -> None:
    query = "&".join(f"label=k{number}:v" for number in range(900))
    answer = api.ask("GET", "/v1/executions", query=query)
    assert (answer.status, answer.fields) == (422, ["label"])
    assert "at most 20 labels" in answer.body["detail"]
    assert api.ask("GET", "/v1/executions", query="&".join(f"label=k{number}:v" for number in range(20))).status == 200


def test_a_label_that_no_execution_can_have_is_refused(api: Api) -> None:
    for label in ("x" * 129 + ":v", "k:" + "x" * 129):
        assert api.ask("GET", "/v1/executions", query=f"label={label}").fields == ["label"]
