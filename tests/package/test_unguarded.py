"""Values that are not guarded at runtime are made, compared, copied and hashed like frozen dataclasses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest

from stepfast.model import Record, changed
from stepfast.unguarded import replace, unguarded


@unguarded
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    labels: dict[str, str] = field(default_factory=dict, compare=False)
    z: int = field(kw_only=True, default=3)


def test_it_is_made_with_the_defaults_of_its_fields() -> None:
    point = Point(1)
    assert (point.x, point.y, point.labels, point.z) == (1, 2, {}, 3)
    assert point.labels is not Point(1).labels


def test_it_is_equal_and_hashable_by_its_fields() -> None:
    assert Point(1) == Point(1, labels={"a": "b"})
    assert hash(Point(1)) == hash(Point(1))
    assert Point(1) != Point(1, z=4)
    assert dataclasses.replace(Point(1), y=5) == Point(1, 5)


@unguarded
@dataclass(frozen=True, slots=True)
class Place:
    name: str
    at: tuple[int, ...] = ()


def test_a_replaced_value_leaves_the_value_alone_and_has_the_rest_of_it() -> None:
    place = Place("a", (1,))
    assert replace(place, name="b") == Place("b", (1,)) == dataclasses.replace(place, name="b")
    assert place == Place("a", (1,))
    with pytest.raises(AttributeError):
        replace(place, unknown=1)


def test_a_wrong_argument_is_refused() -> None:
    with pytest.raises(TypeError):
        Point(1, 2, {}, 4)  # type: ignore[call-arg]


def test_a_changed_record_leaves_the_record_alone_and_knows_its_fields() -> None:
    record = Record("a", "step", "a", "OPEN", 0)
    assert changed(record, status="RUNNING", attempt=1) == dataclasses.replace(record, status="RUNNING", attempt=1)
    assert record.status == "OPEN"
    with pytest.raises(AttributeError):
        changed(record, unknown=1)
