"""Any value of any type either comes back the same or is refused; never a third."""

import dataclasses
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional, Union
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from stepfast.errors import NotStorable
from tests.lanes import examples
from tests.values.codec_types import Cat, Color, Dog, Key, Kind, Level, Line, Order, Pair, Path, Point, Tree, codec

LEAVES: list[Any] = [
    int, float, str, bool, bytes, type(None), Decimal, UUID, date, datetime, time, timedelta,
    Color, Level, Kind, Point, Key, Pair, Line, object,
]  # fmt: skip
HASHABLE: list[Any] = [int, str, bool, bytes, UUID, date, Decimal, Color, Kind, Level, Key]


@st.composite
def types(draw: st.DrawFn, depth: int = 2) -> Any:
    """Annotations, as a step's author might write them."""
    if depth == 0:
        return draw(st.sampled_from(LEAVES))
    inner = types(depth=depth - 1)
    made = draw(st.integers(0, 7))
    if made == 0:
        return list[draw(inner)]  # type: ignore[misc]
    if made == 1:
        return dict[draw(st.sampled_from(HASHABLE)), draw(inner)]  # type: ignore[misc]
    if made == 2:
        return tuple[draw(inner), ...]  # type: ignore[misc]
    if made == 3:
        return tuple[draw(inner), draw(inner)]  # type: ignore[misc]
    if made == 4:
        return set[draw(st.sampled_from(HASHABLE))]  # type: ignore[misc]
    if made == 5:
        return Optional[draw(inner)]  # noqa: UP045 - None | None is no type
    if made == 6:
        return Union[draw(inner), draw(inner)]  # noqa: UP007
    return draw(st.sampled_from(LEAVES))


def json_values() -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates()
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner)
            | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        ),
        max_leaves=6,
    )


finite = st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(Point, finite, finite)
lines = st.builds(Line, name=st.text(), price=st.decimals(allow_nan=False, allow_infinity=False), blob=st.binary())
st.register_type_strategy(object, json_values())
st.register_type_strategy(Line, lines)


def unlike(left: Any, right: Any) -> bool:
    """True where types or values differ, written anew here rather than taken from the product."""
    if type(left) is not type(right):
        return True
    if isinstance(left, BaseModel):
        return any(unlike(getattr(left, name), getattr(right, name)) for name in type(left).model_fields)
    if dataclasses.is_dataclass(left):
        return any(unlike(getattr(left, field.name), getattr(right, field.name)) for field in dataclasses.fields(left))
    if isinstance(left, dict):
        if [(type(key), key) for key in left] != [(type(key), key) for key in right]:
            return True
        return any(unlike(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) != len(right) or any(unlike(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, (set, frozenset)):
        return left != right or sorted(map(repr, left)) != sorted(map(repr, right))
    return bool(left != right) or repr(left) != repr(right)


@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_value_comes_back_the_same_or_is_refused(data: st.DataObject) -> None:
    annotation = data.draw(types())
    value = data.draw(st.from_type(annotation))
    type_codec = codec(annotation)
    try:
        text, back = type_codec.encode(value)
    except NotStorable as refused:
        event(f"refused {type(value).__name__}")
        assume(str(refused).startswith("step 'x': result" + refused.path))
        return
    assert not unlike(value, back), (annotation, value, text, back)
    assert not unlike(type_codec.decode(text), back)
    assert type_codec.same(text, type_codec.encode(back)[0])


offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
trees = st.recursive(
    st.builds(Tree, value=st.integers()),
    lambda inner: st.builds(Tree, value=st.integers(), children=st.lists(inner, max_size=2)),
    max_leaves=4,
)
paths = st.builds(Path, st.lists(points, max_size=3), st.binary(), st.none() | points)
orders = st.builds(
    Order,
    id=st.uuids(),
    at=st.datetimes(timezones=st.none() | st.just(UTC) | offsets).map(lambda at: at.replace(fold=0)),
    due=st.none() | st.dates(),
    lines=st.lists(lines, max_size=2),
    tags=st.sets(st.text(max_size=3)),
    by_level=st.dictionaries(st.sampled_from(Level), st.tuples(st.integers(), st.text())),
)
pets = st.builds(Cat, lives=st.integers()) | st.builds(Dog, tricks=st.lists(st.text()))


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (Tree, trees),
        (Path, paths),
        (list[Cat | Dog], st.lists(pets)),
        (dict[Kind, list[Line]], st.dictionaries(st.sampled_from(Kind), st.lists(lines, max_size=2))),
        (tuple[Order, ...], st.tuples(orders)),
    ],
    ids=["tree", "path", "union", "dict", "orders"],
)
def test_values_of_closed_types_are_all_storable(annotation: Any, values: st.SearchStrategy[Any]) -> None:
    type_codec = codec(annotation)

    @settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
    @given(values)
    def check(value: Any) -> None:
        assert not unlike(type_codec.encode(value)[1], value)

    check()
