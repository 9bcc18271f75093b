"""Models with aliases, settings and tricks of their own."""

import json
import threading
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, create_model
from typing_extensions import TypedDict

from stepfast.errors import InvalidRequest, NotStorable
from tests.values.codec_types import (
    Both,
    Box,
    BySerialization,
    ByValidation,
    Camel,
    Dog,
    Open,
    Order,
    Pet,
    Strict,
    Swapped,
    Tree,
    codec,
    through,
)

ALIASED = [
    Camel(firstName="Ada", lastName="L"),
    ByValidation(amt=5),
    BySerialization(amount=5),
    Both.model_validate({"in": 5}),
]


@pytest.mark.parametrize("model", ALIASED, ids=lambda model: type(model).__name__)
def test_aliases_of_any_sort_do_not_get_in_the_way(model: BaseModel) -> None:
    assert through(type(model), model) == model
    assert set(json.loads(codec(type(model)).encode(model)[0])) == set(type(model).model_fields)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Camel, '{"firstName": "Ada"}'),
        (Camel, '{"first_name": "Ada"}'),
        (ByValidation, '{"amt": 1}'),
        (ByValidation, '{"Amount": 1}'),
        (ByValidation, '{"amount": 1}'),
        (Both, '{"in": 1}'),
    ],
)
def test_input_is_read_by_alias_and_by_name(kind: Any, text: str) -> None:
    assert isinstance(codec(kind).decode(text), kind)


def test_aliases_that_are_each_others_names_are_refused_not_swapped() -> None:
    with pytest.raises(NotStorable, match=r"result\.a would come back") as refused:
        codec(Swapped).encode(Swapped.model_construct(a=1, b=2))
    assert refused.value.path == ".a"


def test_computed_fields_are_left_out_where_extras_are_forbidden() -> None:
    model = Strict(width=3, at=datetime(2026, 1, 1, tzinfo=UTC), blob=b"\xff")
    assert through(Strict, model) == model
    assert "area" not in codec(Strict).encode(model)[0]


def test_extra_fields_that_the_model_allows_are_kept() -> None:
    assert through(Open, Open(a=1, b=[2], c=None)) == Open(a=1, b=[2], c=None)


def test_an_extra_field_that_would_change_is_refused_by_name() -> None:
    with pytest.raises(NotStorable, match=r"result\.when would come back"):
        codec(Open).encode(Open(a=1, when=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_a_default_that_looks_like_a_schema_is_left_alone() -> None:
    class Tricky(BaseModel):
        body: dict[str, Any] = {"type": "model", "of": [{"type": "dataclass"}]}

    assert codec(Tricky).decode("{}").body == {"type": "model", "of": [{"type": "dataclass"}]}


def test_settings_of_the_models_own_give_way_to_a_faithful_form() -> None:
    class Own(BaseModel):
        model_config = ConfigDict(ser_json_bytes="utf8", val_json_bytes="utf8", ser_json_inf_nan="null")
        blob: bytes
        ratio: float = 0.0

    assert through(Own, Own(blob=b"\xff")).blob == b"\xff"
    with pytest.raises(NotStorable, match=r"result\.ratio cannot be stored"):
        codec(Own).encode(Own(blob=b"", ratio=float("nan")))


def test_bytes_survive_in_generic_recursive_and_nested_models() -> None:
    value = [Box[dict[str, Box[bytes]]](content={"a": Box[bytes](content=b"\xfe")})]
    assert through(list[Box[dict[str, Box[bytes]]]], value) == value


WORDS = ["type", "default", "metadata", "expected", "members", "cls", "config", "serialization", "fields", "choices"]


@pytest.mark.parametrize("word", WORDS)
def test_fields_may_be_called_what_pydantic_calls_its_own(word: str) -> None:
    model = create_model("Named", **{word: (Box[bytes], ...)})  # type: ignore[call-overload]
    value = model(**{word: Box[bytes](content=b"\xff")})
    assert through(model, value) == value
    typed = TypedDict("Typed", {word: set[Box[bytes] | None]})  # type: ignore[misc]
    assert through(typed, {word: {None}}) == {word: {None}}


class Event(BaseModel):
    type: Literal["type"] = "type"
    blob: bytes


class Fallback(BaseModel):
    type: Literal["default"] = "default"
    at: datetime


def test_unions_may_be_told_apart_by_a_field_called_type() -> None:
    tagged = Annotated[Event | Fallback, Field(discriminator="type")]
    for value in (Event(blob=b"\xff"), Fallback(at=datetime(2026, 1, 1, tzinfo=UTC))):
        assert through(tagged, value) == value
        assert through(dict[str, Event | Fallback], {"type": value}) == {"type": value}


def test_private_attributes_are_refused_unless_they_are_as_they_are_made() -> None:
    class Caching(BaseModel):
        a: int
        _seen: list[int] = PrivateAttr(default_factory=list)
        _lock: Any = PrivateAttr(default_factory=threading.Lock)

    model = Caching(a=1)
    assert through(Caching, model)._seen == []
    model._seen.append(5)
    with pytest.raises(NotStorable, match=r"result\._seen would come back"):
        codec(Caching).text(model)


def test_a_model_that_validates_itself_into_something_else_is_refused() -> None:
    class Doubling(BaseModel):
        n: int

        def model_post_init(self, _context: Any) -> None:
            self.n *= 2

    with pytest.raises(NotStorable, match=r"result\.n would come back"):
        codec(Doubling).encode(Doubling(n=1))


def test_a_field_left_out_of_json_is_refused_unless_it_has_its_default() -> None:
    class Hiding(BaseModel):
        shown: int
        hidden: int = Field(default=5, exclude=True)

    assert through(Hiding, Hiding(shown=1)) == Hiding(shown=1)
    with pytest.raises(NotStorable, match=r"result\.hidden would come back"):
        codec(Hiding).encode(Hiding(shown=1, hidden=9))


def test_an_instance_changed_into_something_invalid_is_refused() -> None:
    order = Dog(tricks=["roll"])
    order.tricks = "roll"  # type: ignore[assignment]
    with pytest.raises(NotStorable, match="tricks"):
        codec(Dog).encode(order)


@pytest.mark.parametrize(
    ("annotation", "text", "paths"),
    [
        (Order, '{"id": 1, "lines": [{"name": 2}]}', ["id", "at", "lines[0].name", "lines[0].price"]),
        (Tree, '{"value": 1, "children": [{"value": "x"}]}', ["children[0].value"]),
        (Pet, '{"kind": "dog", "tricks": [1]}', ["tricks[0]"]),
        (Pet, '{"kind": "dog"}', ["tricks"]),
        (dict[str, int | list[int]], '{"a": [1, "x"]}', ["a", "a[1]"]),
        (int, '"x"', [""]),
        (int, "{", [""]),
    ],
)
def test_decoding_names_every_field_that_does_not_fit(annotation: Any, text: str, paths: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        codec(annotation).decode(text)
    assert [path for path, _ in refused.value.fields] == paths
    assert str(refused.value).startswith("step 'x': result: ")


def test_json_schema_describes_what_is_taken() -> None:
    assert codec(Order).json_schema()["required"] == ["id", "at"]
