"""`largest`: values that a caller is spared, in lists, executions and commands."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import signal, step, workflow
from stepfast.http.page_models import ExecutionDetail, ExecutionList
from tests.http.serving import Api
from tests.waiting import until

TEXT = "é" * 10
BYTES = 22
"""Of TEXT as JSON: two for each character, and the quotes."""


@step
def double(text: str) -> str:
    return text * 2


@workflow("doubling")
async def doubling(text: str) -> str:
    return await double(text)


@workflow("waiting")
async def waiting(text: str) -> None:
    await signal("go")


@pytest.fixture
def api(serve: Any) -> Api:
    """Execution `one` has doubled TEXT; `two` waits for a signal."""
    made: Api = serve(doubling, waiting, steps=[double])
    made.start("doubling", TEXT)
    made.ends()
    made.start("waiting", TEXT, "two")
    until(lambda: made.command("signal:go", "two"))
    return made


def values(view: Any, *names: str) -> list[Any]:
    return [view[name] for name in names]


def test_without_a_limit_everything_is_there_and_nothing_omitted(api: Api) -> None:
    shown = api.get("/v1/executions/one")
    assert (shown["input"], shown["result"], shown["omitted"]) == (TEXT, TEXT * 2, {})
    assert shown["commands"][0]["omitted"] == {}
    for shown in (*api.get("/v1/executions")["executions"], api.get("/v1/executions/one", query="commands=false")):
        assert (shown["input"], shown["omitted"]) == (TEXT, {})


@pytest.mark.parametrize(
    ("largest", "omitted"),
    [
        (2 * BYTES, {}),
        (2 * BYTES - 2, {}),
        (2 * BYTES - 3, {"result": 2 * BYTES - 2}),
        (BYTES, {"result": 2 * BYTES - 2}),
        (BYTES - 1, {"input": BYTES, "result": 2 * BYTES - 2}),
        (1, {"input": BYTES, "result": 2 * BYTES - 2}),
        (0, {"input": BYTES, "result": 2 * BYTES - 2}),
        (1_000_000_000, {}),
    ],
)
def test_a_value_of_more_bytes_than_asked_for_is_left_out_and_named_with_its_length(
    api: Api, largest: int, omitted: dict[str, int]
) -> None:
    whole = {"input": TEXT, "result": TEXT * 2}
    for query in (f"largest={largest}", f"largest={largest}&commands=false"):
        shown = api.get("/v1/executions/one", query=query)
        assert shown["omitted"] == omitted
        assert {name: shown[name] for name in whole} == whole | dict.fromkeys(omitted)


def test_values_of_commands_are_left_out_as_well(api: Api) -> None:
    shown = api.get("/v1/executions/one", query=f"largest={2 * BYTES - 3}")
    ExecutionDetail.model_validate(shown, strict=True)
    (command,) = shown["commands"]
    assert (command["input"], command["output"]) == ({"text": TEXT}, None)
    assert command["omitted"] == {"output": 2 * BYTES - 2}
    (command,) = api.get("/v1/executions/one", query="largest=5")["commands"]
    assert (command["input"], command["output"]) == (None, None)
    assert command["omitted"] == {"input": BYTES + len('{"text":}'), "output": 2 * BYTES - 2}


def test_what_is_not_there_is_not_named(api: Api) -> None:
    shown = api.get("/v1/executions/two", query="largest=0")
    assert shown["omitted"] == {"input": BYTES}
    (command,) = shown["commands"]
    assert (command["input"], command["output"], command["omitted"]) == (None, None, {})


def test_a_list_leaves_out_what_is_too_large(api: Api) -> None:
    answer = api.get("/v1/executions", query=f"largest={BYTES}")
    ExecutionList.model_validate(answer, strict=True)
    two, first = answer["executions"]
    assert (two["input"], two["omitted"]) == (TEXT, {})
    assert (first["input"], first["result"], first["omitted"]) == (TEXT, None, {"result": 2 * BYTES - 2})


def test_a_list_without_values_does_not_know_their_lengths(api: Api) -> None:
    answer = api.get("/v1/executions", query="largest=0")
    ExecutionList.model_validate(answer, strict=True)
    two, first = answer["executions"]
    assert values(two, "input", "result", "omitted") == [None, None, {"input": None}]
    assert values(first, "input", "result", "omitted") == [None, None, {"input": None, "result": None}]
    whole = api.get("/v1/executions")["executions"]
    same = ("execution_id", "workflow", "status", "error", "labels", "created_at", "ended_at", "generation")
    assert [values(view, *same) for view in (two, first)] == [values(view, *same) for view in whole]


def test_what_starts_resumes_and_cancels_says_that_nothing_is_omitted(api: Api) -> None:
    assert api.start("waiting", TEXT, "three")["omitted"] == {}
    assert api.ask("POST", "/v1/executions/three/cancel").body["omitted"] == {}


@pytest.mark.parametrize("path", ["/v1/executions", "/v1/executions/one"])
@pytest.mark.parametrize("largest", ["-1", "1000000001", "many", "", "1.5", "9" * 5000, "1&largest=2"])
def test_a_limit_that_is_none_is_refused(api: Api, path: str, largest: str) -> None:
    answer = api.ask("GET", path, query=f"largest={largest}")
    assert (answer.status, answer.kind, answer.fields) == (422, "invalid-request", ["largest"])
