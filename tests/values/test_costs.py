"""What a value costs grows with its size and no faster; bounds are ratios within one run, of processor time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel

from stepfast.errors import InvalidRequest, NotStorable
from stepfast.values.codec import UNTYPED, Codec

TIMES = 16
SLOWER = 64.0


class Item(BaseModel):
    a: int
    b: str = ""


def cpu(work: Callable[[], Any], tries: int = 5) -> float:
    """The least seconds of this thread that one call took."""
    taken = []
    for _ in range(tries):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return min(taken)


def refused(codec: Codec, text: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        codec.decode(text)
    return error.value


WRONG: list[tuple[Any, Callable[[int], str]]] = [
    (list[int], lambda n: json.dumps(["a"] * n)),
    (list[Item], lambda n: json.dumps([{}] * n)),
    (dict[str, int], lambda n: json.dumps({f"key {i}": "a" for i in range(n)})),
    (list[list[int]], lambda n: json.dumps([["a"]] * n)),
    (list[int | Item], lambda n: json.dumps(["a"] * n)),
    (set[int], lambda n: json.dumps([f"a{i}" for i in range(n)])),
    (tuple[int, ...], lambda n: json.dumps(["a"] * n)),
]


@pytest.mark.timing
@pytest.mark.parametrize(("annotation", "text"), WRONG, ids=[str(annotation) for annotation, _ in WRONG])
def test_wrong_items_cost_in_proportion(annotation: Any, text: Callable[[int], str]) -> None:
    codec = Codec(annotation, "x")
    few, many = text(2000), text(2000 * TIMES)
    refused(codec, few)  # what is built once is not counted
    refused(codec, many)
    assert cpu(lambda: refused(codec, many)) < SLOWER * cpu(lambda: refused(codec, few))


@pytest.mark.parametrize(("annotation", "text"), WRONG, ids=[str(annotation) for annotation, _ in WRONG])
def test_a_hundred_errors_are_told_and_all_are_counted(annotation: Any, text: Callable[[int], str]) -> None:
    error = refused(Codec(annotation, "x"), text(5000))
    assert len(error.fields) == 100
    assert error.total >= 5000
    assert f"{error.total} errors; the first: " in str(error)
    assert len(str(error)) < 2000


def test_the_errors_of_a_very_long_text_are_told_without_keeping_them_all() -> None:
    error = refused(Codec(list[int], "x"), json.dumps(["a"] * 300_000))
    assert len(error.fields) == 100
    assert "200000 or more errors" in str(error)
    refusal = refused(Codec(list[int], "x"), json.dumps([1] * 400_000 + ["a"] + [2] * 1000))
    assert [path for path, _ in refusal.fields] == ["[400000]"]
    assert refusal.total == 1


def grumble(n: int) -> int:
    raise ValueError("no " * 10_000)


def test_long_keys_and_messages_are_cut() -> None:
    error = refused(Codec(dict[str, int], "x"), json.dumps({"k" * 100_000: "a"}))
    assert len(str(error)) < 1000
    assert len(error.fields[0][0]) <= 200
    assert len(str(refused(Codec(Annotated[int, AfterValidator(grumble)], "x"), "1"))) < 1000


@pytest.mark.timing
def test_a_result_with_many_wrong_items_is_refused_in_proportion() -> None:
    codec = Codec(list[int], "x")

    def refuse(n: int) -> None:
        with pytest.raises(NotStorable, match=r"\[0\]"):
            codec.text(["a"] * n)

    refuse(2000)
    assert cpu(lambda: refuse(2000 * TIMES)) < SLOWER * cpu(lambda: refuse(2000))


PLAIN: list[tuple[str, Any, Any]] = [
    ("any numbers", Any, [0] * 100_000),
    ("any small dicts", Any, [{"a": n} for n in range(50_000)]),
    ("untyped", UNTYPED, {f"key {n}": [n, str(n), None, n / 2] for n in range(20_000)}),
    ("dict of any", dict[str, Any], {"a": [{"b": ["x", True]} for _ in range(20_000)]}),
    ("union", list[int | str], [n if n % 2 else str(n) for n in range(100_000)]),
    ("union or none", list[int | str | None], [None, 1, "a"] * 30_000),
]


@pytest.mark.timing
@pytest.mark.parametrize(("name", "annotation", "value"), PLAIN, ids=[name for name, *_ in PLAIN])
def test_plain_values_cost_what_reading_them_costs(name: str, annotation: Any, value: Any) -> None:
    """For plain JSON three times json.loads is the aim; the rest is room for a busy machine.

    A union costs pydantic alone, for validating it twice and writing it, eight times what json.loads takes for such
    small parts.
    """
    codec = Codec(annotation, "x")
    value = json.loads(json.dumps(value))
    text = codec.text(value)
    assert codec.decode(text) == value
    # In turns, so that a busy moment of the machine falls on both.
    both = [(cpu(lambda: json.loads(text), 1), cpu(lambda: codec.decode(codec.text(value)), 1)) for _ in range(7)]
    loads, ours = min(loads_seconds for loads_seconds, _ in both), min(codec_seconds for _, codec_seconds in both)
    assert ours < (20.0 if name.startswith("union") else 6.0) * loads


@pytest.mark.timing
def test_a_large_value_that_is_refused_costs_in_proportion() -> None:
    codec = Codec(Any, "x")

    def refuse(n: int) -> None:
        with pytest.raises(NotStorable) as error:
            codec.text({"rows": [{"n": number} for number in range(n)] + [date(2026, 1, 1)]})
        assert error.value.path == f".rows[{n}]"

    refuse(1000)
    assert cpu(lambda: refuse(1000 * TIMES)) < SLOWER * cpu(lambda: refuse(1000))


@pytest.mark.timing
def test_models_whose_fields_were_not_set_cost_in_proportion() -> None:
    codec = Codec(list[Item], "x")

    def through(n: int) -> None:
        assert codec.decode(codec.text([Item(a=number) for number in range(n)]))[-1].model_fields_set == {"a"}

    through(500)
    assert cpu(lambda: through(500 * TIMES)) < SLOWER * cpu(lambda: through(500))
    short, long = (codec.text([Item(a=1)] * n) for n in (10, 1000))
    assert len(long) - len(long.rstrip()) == len(short) - len(short.rstrip())
