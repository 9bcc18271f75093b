"""Values that are not guarded at runtime are made, compared, copied and hashed like frozen dataclasses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest

from stepfast.model import Chained, Record, changed
from stepfast.unguarded import Changing, replace, unguarded


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

    moved = Changing("at")


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


def test_a_method_for_certain_changes_gives_what_replace_gives_when_it_is_compiled_and_later() -> None:
    place = Place("a", (1,))
    for _ in range(2):
        assert place.moved((2,)) == Place("a", (2,)) == replace(place, at=(2,))
    assert place == Place("a", (1,))
    with pytest.raises(TypeError):
        place.moved((2,), "b")


def test_the_outcome_and_the_claim_of_a_record_go_to_their_fields() -> None:
    record = Record("a", "step", "a", "RUNNING", 0, 1, 1, 0, "token", 9.0, 8.0, "1", first_at=2.0, started_at=3.0)
    ended = dataclasses.replace(
        record, status="SUCCEEDED", generation=4, revision=5, lease=None, due=None, output="6", ended_at=7.0
    )
    claim = Chained("b", 10.0, 4, "digest", 11.0)
    assert record.succeeded("SUCCEEDED", 4, 5, None, None, "6", 7.0) == ended
    assert ended.leading_to(claim) == dataclasses.replace(ended, then=claim)
