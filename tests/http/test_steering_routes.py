"""POST /v1/executions/{id}/resume, /cancel and /signals/{name}."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import Retry, signal, step, workflow
from stepfast.http.models import ExecutionView, SignalView
from tests.http.serving import Api
from tests.waiting import until

SIGNAL = "/v1/executions/one/signals/approved"


class Approval(BaseModel):
    by: str
    amount: int


@workflow("approving")
async def approving() -> str:
    return (await signal("approved", Approval)).by


@pytest.fixture
def waiting(serve: Any) -> Any:
    api: Api = serve(approving)
    api.start("approving")
    until(lambda: api.command("signal:approved"))
    return api


@pytest.fixture
def failing(serve: Any) -> Any:
    """An execution that has failed, and the switch that mends it."""
    mended, ran = threading.Event(), []

    @step
    def first() -> int:
        ran.append("first")
        return 1

    @step(retry=Retry(max_attempts=1))
    def second(n: int) -> int:
        ran.append("second")
        if not mended.is_set():
            raise OSError("down")
        return n + 1

    @workflow("failing")
    async def flow() -> int:
        return await second(await first())

    api: Api = serve(flow, steps=[first, second])
    api.start("failing")
    api.ends("FAILED")
    return api, mended, ran


# -- resume -----------------------------------------------------------------------------------------------


def test_resume_goes_on_from_the_failed_step(failing: Any) -> None:
    api, mended, ran = failing
    mended.set()
    answer = api.ask("POST", "/v1/executions/one/resume")
    assert answer.status == 200
    ExecutionView.model_validate(answer.body, strict=True)
    assert (answer.body["status"], answer.body["generation"], answer.body["error"]) == ("RUNNING", 1, None)
    assert api.ends()["result"] == 2
    assert ran == ["first", "second", "second"]


@pytest.fixture
def unmended(serve: Any) -> tuple[Api, list[str]]:
    """An execution that failed with no failed step behind it; and the steps that ran."""
    ran: list[str] = []

    @step
    def read() -> int:
        ran.append("read")
        return len(ran) - 1

    @workflow("unmended")
    async def flow() -> int:
        return 6 // await read()

    api: Api = serve(flow, steps=[read])
    api.start("unmended")
    api.ends("FAILED")
    return api, ran


def test_an_execution_says_what_a_resume_runs_again(failing: Any) -> None:
    api, mended, _ = failing
    assert api.get("/v1/executions/one")["reopens"] == ["second"]
    assert api.get("/v1/executions/one", query="commands=false")["reopens"] == ["second"]
    assert [execution["reopens"] for execution in api.get("/v1/executions")["executions"]] == [["second"]]
    mended.set()
    answer = api.ask("POST", "/v1/executions/one/resume").body
    assert (answer["reopens"], answer["reopened"], answer["notice"]) == (None, ["second"], None)


def test_a_failure_that_no_step_stands_behind_says_so_before_and_when_it_is_resumed(unmended: Any) -> None:
    api, ran = unmended
    assert api.get("/v1/executions/one")["reopens"] == []
    answer = api.ask("POST", "/v1/executions/one/resume")
    assert answer.status == 200
    assert answer.body["reopened"] == []
    assert "no failed step stood behind the failure" in answer.body["notice"]
    assert "name it" in answer.body["notice"]
    api.ends("FAILED")
    assert ran == ["read"]
    replayed = api.ask("POST", "/v1/dead-letters/replay", {"execution_ids": ["one"]}).body
    assert "no failed step stood behind" in replayed["results"][0]["notice"]


def test_a_resume_runs_the_step_that_is_named(unmended: Any) -> None:
    api, ran = unmended
    answer = api.ask("POST", "/v1/executions/one/resume", {"steps": ["read"]})
    assert (answer.status, answer.body["reopened"], answer.body["notice"]) == (200, ["read"], None)
    assert api.ends()["result"] == 6
    assert ran == ["read", "read"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"steps": ["nope"]}, "steps[0]"), ({"steps": "read"}, "steps"), ({"steps": [""]}, "steps[0]"), ({"x": 1}, "x")],
)
def test_a_command_that_is_not_there_is_refused(unmended: Any, body: Any, field: str) -> None:
    api, _ = unmended
    answer = api.ask("POST", "/v1/executions/one/resume", body)
    assert (answer.status, answer.kind) == (422, "invalid-request")
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert api.get("/v1/executions/one")["status"] == "FAILED"


def test_what_is_not_failed_cannot_be_resumed(waiting: Api) -> None:
    answer = waiting.ask("POST", "/v1/executions/one/resume")
    assert (answer.status, answer.kind) == (409, "wrong-status")
    assert answer.body["execution_status"] == "RUNNING"
    assert "RUNNING" in answer.body["detail"]


# -- cancel -----------------------------------------------------------------------------------------------


def test_cancel_ends_a_running_execution_once(waiting: Api) -> None:
    answer = waiting.ask("POST", "/v1/executions/one/cancel")
    assert (answer.status, answer.body["status"]) == (200, "CANCELLED")
    assert answer.body["ended_at"] is not None
    again = waiting.ask("POST", "/v1/executions/one/cancel")
    assert (again.status, again.body["execution_status"]) == (409, "CANCELLED")


@pytest.mark.parametrize("action", ["resume", "cancel", "signals/x"])
def test_nobody_is_not_found(waiting: Api, action: str) -> None:
    answer = waiting.ask("POST", f"/v1/executions/nobody/{action}", {})
    assert (answer.status, answer.kind) == (404, "execution-not-found")


# -- signals ----------------------------------------------------------------------------------------------


def test_a_signal_is_taken_once(waiting: Api) -> None:
    body = {"payload": {"by": "Ada", "amount": 5}, "signal_id": "s1"}
    first, again = waiting.ask("POST", SIGNAL, body), waiting.ask("POST", SIGNAL, body)
    assert (first.status, again.status) == (202, 200)
    assert first.body == again.body
    SignalView.model_validate(first.body, strict=True)
    assert first.body["signal_id"] == "s1"
    assert waiting.ends()["result"] == "Ada"
    after = waiting.ask("POST", SIGNAL, body)
    assert (after.status, after.body) == (200, first.body)


def test_a_signal_id_used_for_something_else_conflicts(waiting: Api) -> None:
    waiting.ask("POST", "/v1/executions/one/signals/other", {"payload": 1, "signal_id": "s1"})
    again = waiting.ask("POST", "/v1/executions/one/signals/other", {"payload": 1.0, "signal_id": "s1"})
    assert again.status == 200
    for name, payload in (("other", 2), ("other", True), ("another", 1)):
        answer = waiting.ask("POST", f"/v1/executions/one/signals/{name}", {"payload": payload, "signal_id": "s1"})
        assert (answer.status, answer.kind) == (409, "execution-conflict")


def test_a_payload_that_does_not_fit_what_is_awaited_names_its_fields(waiting: Api) -> None:
    answer = waiting.ask("POST", SIGNAL, {"payload": {"by": 1, "amount": "much"}})
    assert (answer.status, answer.kind) == (422, "invalid-request")
    assert answer.fields == ["payload.by", "payload.amount"]
    assert waiting.get("/v1/executions/one")["status"] == "RUNNING"


def test_a_signal_that_nobody_waits_for_is_kept(waiting: Api) -> None:
    answer = waiting.ask("POST", "/v1/executions/one/signals/later", {"payload": [1, None, "x"]})
    assert (answer.status, answer.body["payload"]) == (202, [1, None, "x"])


def test_an_ended_execution_takes_no_signals(waiting: Api) -> None:
    waiting.ask("POST", "/v1/executions/one/cancel")
    answer = waiting.ask("POST", SIGNAL, {"payload": {"by": "Ada", "amount": 5}})
    assert (answer.status, answer.kind, answer.body["execution_status"]) == (409, "wrong-status", "CANCELLED")


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("x" * 65, {}, "name"),
        ("ja!", {}, "name"),
        ("ok", {"signal_id": "a b"}, "signal_id"),
        ("ok", {"payload": 1, "id": "x"}, "id"),
    ],
)
def test_a_bad_signal_is_named(waiting: Api, name: str, body: Any, field: str) -> None:
    answer = waiting.ask("POST", f"/v1/executions/one/signals/{name}", body)
    assert (answer.status, answer.fields) == (422, [field])
