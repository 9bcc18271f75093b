"""Values that survive the way to JSON and back, type and all."""
# ruff: noqa: DTZ001, DTZ901 - naive times are values, too

import json
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from inspect import Parameter
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path as FilePath
from typing import Any, Literal, Never, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import HttpUrl, Json

from stepfast.errors import DefinitionError, NotStorable
from tests.values.codec_types import (
    Blobs,
    Box,
    Cents,
    Color,
    Dog,
    Key,
    Kind,
    Later,
    Level,
    Line,
    Order,
    Pair,
    Path,
    Percent,
    Person,
    Pet,
    Point,
    Rights,
    Tree,
    codec,
    through,
)

NOW = datetime(2026, 11, 22, 15, 4, 5, 678901)
ID = UUID("12345678-1234-5678-1234-567812345678")
NOT_UTF8 = b"\xff\x00\x80"
ORDER = Order(
    id=ID,
    at=NOW.replace(tzinfo=UTC),
    due=date(2027, 1, 1),
    lines=[Line(name="ink", price=Decimal("1.10"), blob=NOT_UTF8)],
    color=Color.BLUE,
    tags={"a", "b"},
    by_level={Level.HIGH: (1, "x")},
)

SAME = [
    (int, 2**80),
    (int, -(2**64)),
    (int, 10**4000),
    (float, 5e-324),
    (float, -0.0),
    (float, 1e308),
    (str, "NaN"),
    (str, "a\0ü\U0001f600"),
    (bool, False),
    (None, None),
    (bytes, NOT_UTF8),
    (bytes, b""),
    (bytes | None, NOT_UTF8),
    (dict[bytes, bytes], {NOT_UTF8: NOT_UTF8}),
    (datetime, NOW),
    (datetime, NOW.replace(tzinfo=UTC)),
    (datetime, NOW.replace(tzinfo=timezone(timedelta(hours=-9, minutes=-30)))),
    (datetime, datetime.min),
    (datetime, datetime.max),
    (datetime | str, NOW),
    (date, date(1, 1, 1)),
    (time, time(23, 59, 59, 999999)),
    (timedelta, timedelta(days=-1, microseconds=1)),
    (timedelta, timedelta.max),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-1E+400")),
    (Decimal | None, Decimal("0.00")),
    (UUID, ID),
    (Color, Color.BLUE),
    (list[Color], [Color.RED, Color.BLUE]),
    (Level, Level.HIGH),
    (Kind, Kind.A),
    (Rights, Rights.READ | Rights.WRITE),
    (Literal["a", 1, True, None], True),
    (Literal[Kind.A], Kind.A),
    (int | str, "5"),
    (int | str, 5),
    (float | int, 1.0),
    (float | int, 1),
    (bool | int, True),
    (bytes | str, b"x"),
    (int | None, None),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], ()),
    (tuple[tuple[int, ...], ...], ((1,), ())),
    (set[str], {"a", "b"}),
    (frozenset[int], frozenset({1, 2})),
    (set[int | str], {1, "1"}),
    (list[int], [3, 1, 2]),
    (dict[int, set[str]], {1: {"a", "b"}, -7: set()}),
    (dict[UUID, int], {ID: 1}),
    (dict[datetime, int], {NOW: 1}),
    (dict[date | int, int], {date(2020, 1, 1): 1}),
    (dict[bool, int], {True: 1}),
    (dict[Kind, int], {Kind.B: 1}),
    (dict[Decimal, int], {Decimal("1.0"): 1}),
    (dict[float, int], {1.5: 1}),
    (OrderedDict[str, int], OrderedDict(z=1, a=2)),
    (defaultdict[str, int], defaultdict(int, a=1)),
    (Counter[str], Counter("aab")),
    (deque[int], deque([1, 2])),
    (dict[str, Any], {"a": [1, 1.0, True, None, "x", {"b": []}]}),
    (Any, {"nested": [{"deep": [[]]}]}),
    (object, "text"),
    (FilePath, FilePath("/a/b")),
    (IPv4Address | IPv6Address, IPv6Address("::1")),
    (HttpUrl, HttpUrl("https://example.org/a?b=c")),
    (complex, 1j),
    (Sequence[bytes], [NOT_UTF8]),
    (Mapping[str, bytes | None], {"a": NOT_UTF8}),
    (defaultdict[str, list[bytes]], defaultdict(list, a=[NOT_UTF8])),
    (Blobs, Blobs([{NOT_UTF8}])),
    (Order, ORDER),
    (list[Order], [ORDER]),
    (Tree, Tree(value=1, children=[Tree(value=2, children=[Tree(value=3)])], parent_id=Later(n=4))),
    (Box[datetime], Box[datetime](content=NOW, history=[NOW])),
    (Box[Box[bytes]], Box[Box[bytes]](content=Box[bytes](content=NOT_UTF8))),
    (Box[int | str], Box[int | str](content="1")),
    (Path, Path([Point(1.5), Point(0.5, -2.0)], NOT_UTF8, Point(0.0))),
    (dict[str, Path], {"p": Path([], b"")}),
    (Key, Key(part="p", kind=Kind.B)),
    (Pet, Dog(tricks=["roll"])),
    (list[Pet], [Dog(tricks=[])]),
    (Person, {"name": "Ada"}),
    (Person, {"name": "Ada", "age": 36}),
    (list[Person], [{"name": "Ada"}]),
    (Pair, Pair(1, NOT_UTF8)),
    (Cents, Cents(5)),
    (Percent, 100),
]


UNORDERED = (set, frozenset, defaultdict, Order)
"""Whose repr differs with the order of a set."""


def has_fixed_repr(value: Any) -> bool:
    """False where a set is in the value: two equal sets may list the same strings in another order."""
    if isinstance(value, list | tuple):
        return all(map(has_fixed_repr, value))
    return not isinstance(value, UNORDERED)


@pytest.mark.parametrize(("annotation", "value"), SAME, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(SAME)])
def test_value_comes_back_the_same(annotation: Any, value: Any) -> None:
    back = through(annotation, value)
    assert back == value
    assert type(back) is type(value)
    if has_fixed_repr(value):
        assert repr(back) == repr(value)


def test_text_is_plain_json() -> None:
    text, _ = codec(Order).encode(ORDER)
    assert json.loads(text)["lines"] == [{"name": "ink", "price": "1.10", "blob": "_wCA"}]


def test_sets_of_any_depth_have_one_text() -> None:
    value = {"k": {frozenset({"b", "a", "c"}), frozenset({"z", "y"})}}
    assert codec(dict[str, set[frozenset[str]]]).encode(value)[0] == '{"k":[["a","b","c"],["y","z"]]}'
    assert codec(set[bytes | int]).encode({b"\xff", 5, 10})[0] == '["_w==",10,5]'


def test_an_offset_comes_back_as_pythons_own() -> None:
    back = through(datetime, NOW.replace(tzinfo=timezone(timedelta(hours=2))))
    assert repr(back.tzinfo) == "datetime.timezone(datetime.timedelta(seconds=7200))"
    assert f"{back:%Z}" == "UTC+02:00"
    assert through(datetime, NOW.replace(tzinfo=UTC)).tzinfo is UTC


def test_without_an_annotation_plain_json_values_are_taken() -> None:
    assert through(Parameter.empty, {"a": [1, None, 2.5, "x", True]}) == {"a": [1, None, 2.5, "x", True]}


@pytest.mark.parametrize("annotation", [None, Never, NoReturn])
def test_a_step_without_a_result_stores_null(annotation: Any) -> None:
    assert codec(annotation).encode(None) == ("null", None)


@pytest.mark.parametrize(
    ("annotation", "given", "back"),
    [(float, 3, 3.0), (int, "5", 5), (list[int], (1, 2), [1, 2]), (Decimal, 1, Decimal(1))],
)
def test_a_declared_type_decides_what_comes_back(annotation: Any, given: Any, back: Any) -> None:
    assert through(annotation, given) == back


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (Sequence[int], (1, 2)),
        (Mapping[str, int], OrderedDict(a=1)),
        (str, Kind.A),
        (int, Level.LOW),
        (Sequence[Sequence[int]], ([1], (2,))),
        (Iterable[int], (n * n for n in range(4))),
        (datetime, datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))),
        (datetime, NOW.replace(fold=1)),
    ],
)
def test_what_a_wider_declared_type_would_make_another_of_is_refused(annotation: Any, given: Any) -> None:
    with pytest.raises(NotStorable):
        codec(annotation).text(given)


def test_json_inside_a_string_stays_a_string_in_the_text() -> None:
    one = codec(Json[list[int]])
    text, back = one.encode("[1, 2]")
    assert back == one.decode(text) == [1, 2]


class Plain:
    """No model, no dataclass."""


@pytest.mark.parametrize("annotation", [Plain, "Missing", list[Plain]])
def test_a_type_without_json_form_is_a_definition_error(annotation: Any) -> None:
    with pytest.raises(DefinitionError, match="step 'x': result: .* has no JSON form") as refused:
        codec(annotation).encode(1)
    assert "\n" not in str(refused.value)
    assert "arbitrary_types_allowed" not in str(refused.value)
