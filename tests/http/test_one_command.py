"""One command of an execution, and what a command tells beyond its record: its key, its payload's schema."""

from __future__ import annotations

import asyncio
import threading
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel

from stepfast import Retry, current_step, signal, step, workflow
from stepfast.http.page_models import ExecutionDetail
from tests.http.serving import Api
from tests.waiting import until

seen: list[str] = []
mended = threading.Event()


class Approval(BaseModel):
    by: str
    on: date


@step(retry=Retry(max_attempts=2, initial=0.001))
def charge(amount: int, currency: str = "EUR") -> int:
    seen.append(current_step().idempotency_key)
    if not mended.is_set():
        raise ConnectionError("down")
    return amount


@step
def plain() -> str:
    return current_step().idempotency_key


@workflow("paying")
async def paying(amount: int) -> str:
    await asyncio.gather(charge(amount), charge(amount + 1))
    return await plain()


@workflow("approving")
async def approving() -> None:
    async with asyncio.timeout(3600):
        await asyncio.gather(signal("approve", Approval), signal("anything"), signal("next", int))


@pytest.fixture
def failed(serve: Any) -> Api:
    """An execution whose two charges have failed."""
    seen.clear()
    mended.clear()
    api: Api = serve(paying, approving, steps=[charge, plain])
    api.start("paying", 5)
    api.ends("FAILED")
    return api


def one(api: Api, id: str, more: str = "") -> Any:
    answer = api.get("/v1/executions/one", query=f"command={quote(id, safe='')}{more}")
    ExecutionDetail.model_validate(answer, strict=True)
    return answer


# -- one of them --------------------------------------------------------------------------------------


def test_asked_for_one_command_an_execution_shows_that_alone(failed: Api) -> None:
    whole = failed.get("/v1/executions/one")
    assert len(whole["commands"]) == 2
    for command in whole["commands"]:
        assert one(failed, command["id"]) == {**whole, "commands": [command]}


def test_one_command_with_the_values_left_out(failed: Api) -> None:
    shown = one(failed, "charge#2", "&largest=3")
    (command,) = shown["commands"]
    assert (command["id"], command["input"], set(command["omitted"])) == ("charge#2", None, {"input"})
    assert (shown["input"], shown["omitted"]) == (5, {})


@pytest.mark.parametrize("id", ["charge#3", "Charge", "charge ", "x" * 4096, "\N{MONKEY}"])
def test_a_command_that_is_not_there_is_not_found(failed: Api, id: str) -> None:
    answer = failed.ask("GET", "/v1/executions/one", query=f"command={quote(id, safe='')}")
    assert (answer.status, answer.kind) == (404, "command-not-found")
    assert "'one'" in answer.body["detail"]


def test_of_an_execution_that_is_not_there_no_command_is_missed(failed: Api) -> None:
    answer = failed.ask("GET", "/v1/executions/nobody", query="command=charge")
    assert (answer.status, answer.kind) == (404, "execution-not-found")


@pytest.mark.parametrize(
    "query", ["command=", "command=charge&command=plain", "command=" + "x" * 4097, "command=charge&commands=false"]
)
def test_a_command_that_cannot_be_is_refused(failed: Api, query: str) -> None:
    answer = failed.ask("GET", "/v1/executions/one", query=query)
    assert (answer.status, answer.kind, answer.fields) == (422, "invalid-request", ["command"])


# -- its key ------------------------------------------------------------------------------------------


def test_a_step_is_shown_with_the_key_that_it_has_itself(failed: Api) -> None:
    keys = {command["id"]: command["idempotency_key"] for command in failed.get("/v1/executions/one")["commands"]}
    assert set(keys.values()) == set(seen)
    assert len(set(keys.values())) == 2
    mended.set()
    assert failed.ask("POST", "/v1/executions/one/resume").status == 200
    state = failed.ends()
    after = {command["id"]: command["idempotency_key"] for command in state["commands"]}
    assert after == keys | {"plain": state["result"]}


def test_timers_and_signals_have_no_key(failed: Api) -> None:
    failed.start("approving", id="two")
    until(lambda: failed.command("signal#3/signal:next", "two") or failed.command("signal:next", "two"))
    commands = failed.get("/v1/executions/two")["commands"]
    assert {command["kind"] for command in commands} == {"timer", "signal"}
    assert [command["idempotency_key"] for command in commands] == [None] * len(commands)


# -- a signal's payload -------------------------------------------------------------------------------


def test_a_signal_that_is_waited_for_tells_what_it_takes(failed: Api) -> None:
    failed.start("approving", id="two")
    until(lambda: len(failed.get("/v1/executions/two")["commands"]) == 4)
    schemas = {command["name"]: command["payload_schema"] for command in failed.get("/v1/executions/two")["commands"]}
    assert schemas["approve"]["properties"]["on"] == {"format": "date", "title": "On", "type": "string"}
    assert (schemas["anything"], schemas["next"]) == ({}, {"type": "integer"})
    timers = [command for command in failed.get("/v1/executions/two")["commands"] if command["kind"] == "timer"]
    assert [timer["payload_schema"] for timer in timers] == [None]


def test_a_signal_that_has_been_taken_tells_no_schema_and_steps_have_none(failed: Api) -> None:
    failed.start("approving", id="two")
    assert failed.ask("POST", "/v1/executions/two/signals/next", {"payload": 3}).status == 202

    def taken() -> Any:
        commands = failed.get("/v1/executions/two")["commands"]
        return next(
            (command for command in commands if command["name"] == "next" and command["status"] == "SUCCEEDED"), None
        )

    assert until(taken)["payload_schema"] is None
    assert {command["payload_schema"] for command in failed.get("/v1/executions/one")["commands"]} == {None}


def test_without_its_code_a_signal_tells_no_schema(serve: Any) -> None:
    first: Api = serve(approving)
    first.start("approving")
    until(lambda: len(first.get("/v1/executions/one")["commands"]) == 4)
    first.ask("POST", "/v1/executions/one/cancel")
    first.close()
    commands = serve(paying, steps=[charge, plain], path=first.path).get("/v1/executions/one")["commands"]
    assert commands
    assert {command["payload_schema"] for command in commands} == {None}
