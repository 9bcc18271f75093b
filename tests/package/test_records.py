"""Records behave as the standard library's frozen dataclasses, whenever their methods are compiled."""

from __future__ import annotations

import builtins
import copy
import dataclasses
import inspect
import pickle
import re
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest

import stepfast
from stepfast import records

SOURCE = Path(stepfast.__file__).parent


class Raw:
    """A class with a field of each form, before it becomes a dataclass."""

    a: int
    b: list[int] = field(default_factory=list, compare=False)
    c: str = field(default="c", repr=False, kw_only=True)
    d: float = field(default=1.0, hash=False)
    total: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.a + 1)


def twin(decorate: Any) -> Any:
    fields = {name: value for name, value in vars(Raw).items() if name in ("b", "c", "d", "total")}
    body = {"__annotations__": Raw.__annotations__, "__post_init__": Raw.__post_init__, "__module__": __name__}
    return decorate(frozen=True, slots=True)(type("Kept", (), {**body, **{k: copy.copy(v) for k, v in fields.items()}}))


Standard, Kept = twin(dataclasses.dataclass), twin(records.dataclass)


def outcome(act: Any) -> Any:
    try:
        return act()
    except Exception as error:
        return type(error), str(error)


def test_a_record_is_made_shown_compared_and_refused_as_by_the_standard_library() -> None:
    def seen(kind: Any) -> list[Any]:
        one, same, other = kind(1, [2]), kind(1, c="c"), kind(1, d=2.0)
        return [
            repr(one),
            one == same,
            one == other,
            one == 1,
            hash(one) == hash(same),
            hash(one) == hash(other),
            one.total,
            outcome(lambda: kind()),
            outcome(lambda: kind(1, [], 2.0, "c")),
            outcome(lambda: setattr(one, "a", 2)),
            outcome(lambda: delattr(one, "a")),
            dataclasses.replace(other, a=7),
            dataclasses.asdict(one),
            copy.deepcopy(one),
            str(inspect.signature(kind)),
            kind.__match_args__,
            kind.__slots__,
            kind.__init__.__qualname__,
            [each.name for each in dataclasses.fields(kind)],
            kind.__dataclass_params__.frozen,
        ]

    assert list(map(repr, seen(Kept))) == list(map(repr, seen(Standard)))


@records.dataclass(frozen=True, slots=True)
class Point:
    """A record that pickle can name."""

    x: int
    y: int = 0


@records.dataclass(frozen=True, slots=True)
class Wide(Point):
    """A record that is derived from a record."""

    z: int = 0


def test_the_core_of_functions_compiles_no_records_at_its_start() -> None:
    """One module with the standard library's own would make each cold start compile its classes again."""
    names = ("engine", "replay", "language", "values", "backends/dynamodb", "functions", "http")
    plain = re.compile(r"^from dataclasses import [^\n]*\bdataclass\b", re.M)
    found = [
        str(path.relative_to(SOURCE))
        for name in names
        for path in (SOURCE / name).rglob("*.py")
        if plain.search(text := path.read_text()) and "@dataclass(frozen=True, slots=True)" in text
    ]
    assert found == []


def test_records_are_pickled_and_derived_from() -> None:
    assert pickle.loads(pickle.dumps(Point(1, 2))) == Point(1, 2)
    assert repr(Wide(1, 2, 3)) == "Wide(x=1, y=2, z=3)"
    assert Point(1) != Wide(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Wide(1).x = 2  # type: ignore[misc]


def test_no_method_is_compiled_until_it_is_used_and_then_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def noted(text: str, *scopes: Any) -> None:
        if "self" in text:
            compiled.append(text)
        builtins.exec(text, *scopes)

    monkeypatch.setattr(dataclasses, "exec", noted, raising=False)
    fresh: Any = records.dataclass(frozen=True, slots=True)(type("Fresh", (), {"__annotations__": {"x": int}}))
    assert compiled == []
    assert fresh(1).x == fresh(x=1).x
    first = len(compiled)
    assert first
    assert fresh(2).x == 2
    assert len(compiled) == first
    assert fresh(1) == fresh(1)
    assert len(compiled) > first
