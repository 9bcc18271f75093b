"""What pydantic raises in a user's code is recorded without the refused value and the link, in both homes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from stepfast import Retry, query, signal, step, update, workflow
from stepfast.engine.recorded_json import record_from
from stepfast.error_text import message_of, without_values
from stepfast.errors import Refused, StepFailed
from stepfast.replay.failures import describe_error
from stepfast.testing import Environment, MotoCloud
from stepfast.update_errors import QueryFailed, UpdateRefused

SECRET = "hunter2"
TRACES = (SECRET, "errors.pydantic.dev", "input_value", "[type=")
SAID = "1 validation error for Card\nnumber\n  Input should be a valid integer, unable to parse string as an integer"


class Card(BaseModel):
    number: int


@step(retry=Retry(max_attempts=1))
def read_card() -> int:
    return Card.model_validate({"number": SECRET}).number


@workflow("reads-in-a-step")
async def reads_in_a_step() -> int:
    return await read_card()


@workflow("reads-in-code")
async def reads_in_code() -> int:
    with pytest.raises(StepFailed) as failed:
        await read_card()
    assert failed.value.message == SAID
    return Card.model_validate({"number": SECRET}).number


@pytest.mark.parametrize("home", [Environment, MotoCloud])
@pytest.mark.parametrize("flow", [reads_in_a_step, reads_in_code])
def test_the_recorded_error_has_no_value_and_no_link(home: Any, flow: Any) -> None:
    with home(flow) as env:
        error = env.run(flow).error
    assert (error.type, error.message) == ("ValidationError", SAID)
    assert not [trace for trace in TRACES if trace in json.dumps(error.traceback)]
    assert "model_validate" in error.traceback


@pytest.mark.parametrize("home", [Environment, MotoCloud])
def test_what_a_query_and_a_check_raise_is_answered_without_values(home: Any) -> None:
    @workflow("shop")
    async def shop() -> None:
        @query
        def card() -> int:
            return Card.model_validate({"number": SECRET}).number

        @update
        async def pay() -> None: ...

        @pay.check
        def _() -> None:
            Card.model_validate({"number": SECRET})

        await signal("closed")

    with home(shop) as env:
        run = env.start(shop)
        asks: list[tuple[type[Exception], Any, str]] = [
            (QueryFailed, env.query, "card"),
            (UpdateRefused, env.update, "pay"),
        ]
        for refused, ask, name in asks:
            with pytest.raises(refused, match="valid integer") as raised:
                ask(run, name)
            assert not [trace for trace in TRACES if trace in str(raised.value)]


@pytest.mark.parametrize(
    "value",
    ["a] b", "two\nlines", "x" * 500, {"deep": [1, 2, {"a": "]"}]}, [object()], None, "[type=int, input_value="],
    ids=["bracket", "lines", "long", "deep", "object", "none", "like the end"],
)
def test_any_refused_value_is_left_out(value: Any) -> None:
    class Wide(BaseModel):
        first: int
        second: datetime

    with pytest.raises(ValidationError) as raised:
        Wide.model_validate({"first": value, "second": value})
    text = message_of(raised.value)
    assert [line for line in text.splitlines() if not line.startswith("  ")] == [
        "2 validation errors for Wide",
        "first",
        "second",
    ]
    assert not [trace for trace in TRACES if trace in text]
    failure = describe_error(raised.value)
    assert failure.message == text
    assert not [trace for trace in TRACES if trace in str(failure.traceback)]


def test_other_texts_are_left_as_they_are() -> None:
    for text in ("", "no", "a list[type=int] of it", "see https://errors.pydantic.dev/x", "[type=x]"):
        assert without_values(text) == text


def test_a_recording_that_is_none_is_refused_with_the_fault_and_not_with_a_link() -> None:
    with pytest.raises(Refused) as raised:
        record_from({"id": 5, "status": SECRET})
    assert "the recording is not one of stepfast: " in str(raised.value)
    assert not [trace for trace in TRACES if trace in str(raised.value)]
    assert len(str(raised.value)) > len("the recording is not one of stepfast: ") + 5
