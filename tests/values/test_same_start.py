"""Starting twice under one id starts once, in both homes: what counts is what was sent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from pydantic import AfterValidator, BaseModel, Field, PrivateAttr

from stepfast import signal, workflow
from stepfast.errors import ExecutionConflict, InvalidRequest
from stepfast.language.workflows import Workflow
from stepfast.testing import Environment, MotoCloud
from stepfast.values.codec import Codec
from stepfast.values.sameness import same_json

CALLS = itertools.count()


def later(text: str) -> str:
    """A validator that makes something else of each call."""
    return text if ":" in text else f"{text}:{next(CALLS)}"


def first_three(number: int) -> int:
    """A validator that lets a value pass for a while, as one that compares with the clock does."""
    if next(CALLS) >= CLOSES:
        raise ValueError("it is too late")
    return number


CLOSES = 10**9


class Order(BaseModel):
    item: str
    ref: UUID = Field(default_factory=uuid4)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    copy_of: str = Field(default_factory=lambda data: f"{data['item']}-{next(CALLS)}")
    tags: list[str] = Field(default_factory=list)
    count: int = Field(default=1, alias="howMany")


class Line(BaseModel):
    number: int = Field(default_factory=lambda: next(CALLS))


class Nested(BaseModel):
    lines: list[Line]
    by_name: dict[str, Line] = {}


class Stamped(BaseModel):
    name: Annotated[str, AfterValidator(later)]


class Sets(BaseModel):
    words: set[str]


@dataclass
class Data:
    item: str
    ref: UUID = field(default_factory=uuid4)


@workflow("order")
async def order(value: Order) -> str:
    return str(value.ref)


@workflow("nested")
async def nested(value: Nested) -> int:
    return value.lines[0].number


@workflow("stamped")
async def stamped(value: Stamped) -> str:
    return value.name


@workflow("sets")
async def sets(value: Sets) -> int:
    return len(value.words)


@workflow("data")
async def data(value: Data) -> str:
    return str(value.ref)


@workflow("closing")
async def closing(value: Annotated[int, AfterValidator(first_three)]) -> int:
    return value


@workflow("any")
async def anything(value: Any) -> Any:
    return value


@workflow("waits")
async def waits() -> Any:
    return await signal("go")


FLOWS = (order, nested, stamped, sets, data, closing, anything, waits)


@pytest.fixture(params=[Environment, MotoCloud], ids=["sqlite", "aws"], scope="module")
def home(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(*FLOWS) as env:
        yield env


IDS = (f"start-{number}" for number in itertools.count())

SAME: list[tuple[Workflow[..., Any], Any, Any]] = [
    (order, {"item": "x"}, {"item": "x"}),
    (order, {"item": "x", "howMany": 2}, {"count": 2.0, "item": "x"}),
    (order, {"item": "x", "howMany": "2"}, {"howMany": 2, "item": "x"}),
    (order, {"item": "x"}, {"item": "x", "tags": [], "howMany": 1}),
    (order, {"item": "x", "at": "2026-01-01T00:00:00Z"}, {"item": "x", "at": "2026-01-01T00:00:00+00:00"}),
    (nested, {"lines": [{}, {}]}, {"lines": [{}, {}]}),
    (nested, {"lines": [{}], "by_name": {"a": {}, "b": {}}}, {"by_name": {"b": {}, "a": {}}, "lines": [{}]}),
    (stamped, {"name": "x"}, {"name": "x"}),
    (sets, {"words": ["b", "a"]}, {"words": ["a", "b", "a"]}),
    (data, {"item": "x"}, {"item": "x"}),
    (anything, {"a": 1, "b": [1.0, 1e2]}, {"b": [1, 100], "a": 1.0}),
]
OTHER: list[tuple[Workflow[..., Any], Any, Any]] = [
    (order, {"item": "x"}, {"item": "y"}),
    (order, {"item": "x"}, {"item": "x", "ref": str(UUID(int=1))}),
    (order, {"item": "x"}, {"item": "x", "howMany": 2}),
    (nested, {"lines": [{}, {}]}, {"lines": [{}]}),
    (nested, {"lines": [{"number": 1}]}, {"lines": [{}]}),
    (stamped, {"name": "x"}, {"name": "y"}),
    (data, {"item": "x"}, {"item": "y"}),
    (anything, {"a": 1}, {"a": True}),
    (anything, {"a": 1}, {"a": "1"}),
    (anything, {"a": None}, {}),
]


@pytest.mark.parametrize(("flow", "first", "second"), SAME)
def test_the_same_start_again_finds_the_execution(home: Any, flow: Any, first: Any, second: Any) -> None:
    id = next(IDS)
    result = home.run(flow, first, id).result
    assert home.run(flow, second, id).result == result


@pytest.mark.parametrize(("flow", "first", "second"), OTHER)
def test_another_start_under_the_id_is_a_conflict(home: Any, flow: Any, first: Any, second: Any) -> None:
    id = next(IDS)
    home.start(flow, first, id)
    with pytest.raises(ExecutionConflict, match="another input"):
        home.start(flow, second, id)


def test_what_no_longer_validates_was_started_all_the_same(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    id = next(IDS)
    home.run(closing, 5, id)
    monkeypatch.setattr(f"{__name__}.CLOSES", 0)
    assert home.start(closing, 5, id).execution_id == id
    for other_input, other_id in ((6, id), (5, next(IDS))):
        with pytest.raises(InvalidRequest, match="too late"):
            home.start(closing, other_input, other_id)


SIGNALS_SAME = [({"a": 1, "b": 2}, {"b": 2.0, "a": 1}), ([1], [1.0]), (None, None)]
SIGNALS_OTHER = [(1, True), ({"a": 0}, {"a": False}), (1, "1"), ([], {})]


def text(value: Any) -> str:
    return json.dumps(value)


@pytest.mark.parametrize(("first", "second"), SIGNALS_SAME)
def test_payloads_that_say_the_same_are_the_same(first: Any, second: Any) -> None:
    assert same_json(text(first), text(second))


@pytest.mark.parametrize(("first", "second"), SIGNALS_OTHER)
def test_payloads_that_python_calls_equal_are_not_the_same(first: Any, second: Any) -> None:
    assert not same_json(text(first), text(second))


# The file's home: tests/http/test_steering_routes.py, since Environment.signal takes no id.
@pytest.mark.parametrize("home", [MotoCloud], indirect=True, ids=["aws"])
def test_a_signal_sent_again_in_another_form_is_the_same(home: Any) -> None:
    id = next(IDS)
    home.start(waits, None, id)
    home.signal(id, "other", {"a": 1, "b": [1.0]}, signal_id="s")
    home.signal(id, "other", {"b": [1], "a": 1.0}, signal_id="s")
    with pytest.raises(ExecutionConflict, match="used before"):
        home.signal(id, "other", {"a": True, "b": [1]}, signal_id="s")


def test_a_start_of_version_0_1_is_compared_without_what_factories_made() -> None:
    codec = Codec(Order, "x")
    held = codec.stored('{"item": "x"}')
    assert codec.same_start(held, None, '{"item": "x"}')
    assert codec.same_start(held, None, '{"count": 1, "item": "x"}')
    assert not codec.same_start(held, None, '{"item": "y"}')
    assert not codec.same_start(held, None, '{"item": "x", "howMany": 3}')
    assert Codec(Any, "x").same_start('{"a":1}', None, '{"a":1.0}')
    assert not Codec(Any, "x").same_start('{"a":1}', None, '{"a":true}')


class Hidden(BaseModel):
    a: int
    _seen: int = PrivateAttr(default_factory=lambda: next(CALLS))


def test_an_input_whose_private_parts_differ_each_time_is_refused_when_it_is_sent() -> None:
    with pytest.raises(Exception, match="_seen"):
        Codec(Hidden, "x").stored('{"a": 1}')


def test_what_was_sent_is_kept_in_short() -> None:
    """A store keeps it beside the input, so its length must not follow the input's."""
    kept = Codec(Any, "x").sent(json.dumps(list(range(10_000))))
    assert len(kept) <= 70
