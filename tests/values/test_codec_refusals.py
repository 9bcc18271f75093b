"""Values that JSON would lose or change are refused, with the place where they are."""

import dataclasses
import re
from collections import deque
from datetime import date, datetime
from decimal import Decimal
from inspect import Parameter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, SecretStr, SerializeAsAny, field_serializer, field_validator

from stepfast.errors import InvalidRequest, NotStorable
from tests.values.codec_types import Base, Cat, Color, Derived, Kind, Line, Open, Order, Path, Person, Pet, Point, codec

NAN, INF = float("nan"), float("inf")


def refused(annotation: Any, value: Any) -> NotStorable:
    with pytest.raises(NotStorable) as error:
        codec(annotation).encode(value)
    said = str(error.value)
    assert said.startswith("step 'x': result" + error.value.path)
    assert "\n" not in said
    return error.value


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    [
        (float, NAN, ""),
        (float, -INF, ""),
        (dict[str, list[dict[str, float]]], {"a": [{"b": 1.0}, {"c": INF}]}, ".a[1].c"),
        (Path, Path([Point(1.0), Point(NAN)], b""), ".points[1].x"),
        (Open, Open(a=1, ratio=NAN), ".ratio"),
        (Any, [0.0, NAN], "[1]"),
    ],
)
def test_numbers_that_json_lacks(annotation: Any, value: Any, path: str) -> None:
    error = refused(annotation, value)
    assert error.path == path
    assert "not a finite number" in str(error)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), Decimal("sNaN")])
def test_decimals_that_are_no_numbers(value: Decimal) -> None:
    refused(Decimal, value)
    refused(list[Decimal], [value])


def test_an_integer_too_long_for_json_readers() -> None:
    assert "out of range" in str(refused(list[int], [10**5000]))


def test_text_that_is_no_unicode() -> None:
    assert "surrogates" in str(refused(dict[str, str], {"a": "\ud800"}))


@pytest.mark.parametrize("annotation", [Any, object, dict[str, Any], Base])
def test_an_open_file(annotation: Any) -> None:
    with open(__file__) as file:
        refused(annotation, file)
        refused(list[Any], [1, file])


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    [
        (dict[str, Any], {"a": [1, date(2026, 1, 1)]}, ".a[1]"),
        (dict[str, Any], {"a": (1, 2)}, ".a"),
        (dict[str, Any], {"a": {"b": {1, 2}}}, ".a.b"),
        (Any, b"x", ""),
        (Any, Color.RED, ""),
        (Any, Kind.A, ""),
        (Any, Base(), ""),
        (object, Decimal(1), ""),
        (deque, deque([1, date(2026, 1, 1)]), ""),
    ],
)
def test_a_value_that_an_open_type_would_give_back_as_another(annotation: Any, value: Any, path: str) -> None:
    error = refused(annotation, value)
    assert error.path == path
    assert "would come back from JSON as another value or type" in str(error)


class Metre(BaseModel):
    size: float


class Foot(BaseModel):
    size: float


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Metre | Foot, Foot(size=1)),
        (list[Metre | Foot], [Metre(size=1), Foot(size=1)]),
        (datetime | str, "2026-01-01T00:00:00"),
        (Decimal | str, "1.10"),
        (dict[int | str, int], {1: 1}),
        (dict[int | str, int], {1: 1, "1": 2}),
        (int | Base, Derived()),
    ],
)
def test_a_union_that_cannot_tell_its_members_apart(annotation: Any, value: Any) -> None:
    try:
        back = codec(annotation).encode(value)[1]
    except NotStorable:
        return
    assert repr(back) == repr(value)


def test_members_told_apart_by_a_discriminator_are_stored() -> None:
    assert codec(Pet).encode(Cat(lives=9))[1] == Cat(lives=9)


def test_union_members_with_the_same_fields_are_refused() -> None:
    assert refused(list[Metre | Foot], [Metre(size=1), Foot(size=1)]).path == "[1]"


@dataclasses.dataclass
class Wider(Point):
    z: float = 0.0


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Base, Derived(b=5)),
        (BaseModel, Base()),
        (SerializeAsAny[Base], Derived(b=5)),
        (Point, Wider(1.0)),
    ],
)
def test_a_subclass_whose_own_fields_would_be_dropped(annotation: Any, value: Any) -> None:
    refused(annotation, value)
    assert refused(list[annotation], [value]).path == "[0]"


@pytest.mark.parametrize("value", [{1: "a"}, {1: "a", "1": "b"}, {None: 1}, {1.5: 1}, {True: 1}, {(1, 2): 3}])
def test_keys_of_an_open_dict_that_would_become_text(value: Any) -> None:
    refused(dict, value)
    refused(dict[Any, Any], value)
    refused(Any, [value])


def test_keys_that_collide_in_text() -> None:
    class Mixed(BaseModel):
        by: dict[int | str, int]

    assert refused(Mixed, Mixed(by={1: 1, "1": 2})).path == ".by"


@pytest.mark.parametrize("annotation", [dict[None, int], dict[int | None, int], dict[tuple[int, int], int]])
def test_keys_that_json_cannot_hold(annotation: Any) -> None:
    key = (1, 2) if annotation == dict[tuple[int, int], int] else None
    error = refused(annotation, {key: 1})
    assert error.path in {".None", ".1,2"}


def test_a_not_finite_key() -> None:
    refused(dict[float, int], {NAN: 1})


def test_keys_that_a_typed_dict_does_not_name() -> None:
    error = refused(Person, {"name": "Ada", "email": "ada@example.org"})
    assert error.path == ".email"
    assert refused(list[Person], [{"name": "Ada"}, {"name": "B", "x": 1}]).path == "[1].x"


def test_a_secret_would_be_stored_as_asterisks() -> None:
    refused(SecretStr, SecretStr("hunter2"))


def test_a_pattern_would_lose_its_flags() -> None:
    refused(re.Pattern, re.compile("a+", re.IGNORECASE))


def test_an_offset_with_seconds_would_be_cut() -> None:
    refused(datetime, datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")))


@pytest.mark.parametrize("annotation", [Any, list, dict, dict[str, Any]])
def test_a_value_that_holds_itself(annotation: Any) -> None:
    value: Any = {} if annotation is not list else []
    if isinstance(value, dict):
        value["me"] = [value]
    else:
        value.append(value)
    refused(annotation, value)


def test_a_value_nested_beyond_what_json_readers_take() -> None:
    value: Any = 1
    for _ in range(3000):
        value = [value]
    with pytest.raises(NotStorable):
        codec(Any).encode(value)


@pytest.mark.parametrize("value", [1, True, {}, [], "x"])
def test_a_result_of_a_step_that_declares_none(value: Any) -> None:
    refused(None, value)


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    [
        (list[int], [1, "x"], "[1]"),
        (Order, {"id": 1}, ".id"),
        (dict[str, Line], {"a": {"name": "n"}}, ".a.price"),
        (dict[str, int | list[int]], {"k": "x"}, ".k"),
        (Pet, {"kind": "dog", "tricks": [None]}, ".tricks[0]"),
    ],
)
def test_a_value_of_the_wrong_type(annotation: Any, value: Any, path: str) -> None:
    assert refused(annotation, value).path == path


@pytest.mark.parametrize("value", [{"a": [1, {"b": (1,)}]}, {"a": [1, {"b": b""}]}, {"a": [1, {"b": {1}}]}])
def test_what_is_no_plain_json_value_without_an_annotation(value: Any) -> None:
    assert refused(Parameter.empty, value).path == ".a[1].b"


def test_a_dataclass_filled_with_the_wrong_type_names_the_field() -> None:
    assert "field_name='x'" in str(refused(Point, Point("far")))  # type: ignore[arg-type]
    refused(Path, Path((), b""))  # type: ignore[arg-type]


class Moody(BaseModel):
    """A type whose own code raises what pydantic does not expect."""

    n: int

    @field_validator("n")
    @classmethod
    def known(cls, n: int) -> int:
        return {1: 1, 2: 2}[n]

    @field_serializer("n")
    def shown(self, n: int) -> int:
        return n // (2 - n)


def test_a_validator_or_serializer_that_breaks_is_a_refusal() -> None:
    assert "KeyError: 7" in str(refused(Moody, {"n": 7}))
    assert "ZeroDivisionError" in str(refused(Moody, {"n": 2}))
    with pytest.raises(InvalidRequest, match="step 'x': result: KeyError: 7"):
        codec(Moody).decode('{"n": 7}')


class Unequal:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    __hash__ = None  # type: ignore[assignment]


def test_values_that_cannot_be_compared_are_refused() -> None:
    refused(Any, Unequal())
    refused(list[Any], [Unequal()])
