"""Wrong arguments of map_items() and of its files are refused with what to write instead."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepfast import Csv, JsonLines, Retry, map_items, step, workflow
from stepfast.errors import DefinitionError, ForbiddenInWorkflow, UnknownWorkflow
from stepfast.language.registry import Registry
from stepfast.testing import Environment


@step
def take(number: int, factor: int = 2) -> int:
    return number * factor


@step
def take_two(left: int, right: int) -> int:
    return left + right


@step
def take_none() -> int:
    return 0


@workflow("odd")
async def odd(number: int) -> int:
    return await take(number)


def refusal(call: Any) -> str:
    """The error of a workflow that makes this call."""

    @workflow("refused")
    async def refused() -> None:
        await call()

    with Environment(refused) as env:
        run = env.run(refused)
        assert run.error is not None
        assert run.error.type in ("DefinitionError", "NotStorable"), run.error
        return str(run.error.message)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "2"])
def test_concurrency_is_a_whole_number_from_1(concurrency: Any) -> None:
    text = refusal(lambda: map_items(take, [1], concurrency=concurrency))
    assert text == f"map_items(): concurrency is a whole number from 1 on, or None, not {concurrency!r}"


@pytest.mark.parametrize("tolerate", [-1, -0.1, 1.1, float("nan"), True, "1", None])
def test_tolerate_is_a_number_of_items_or_a_fraction(tolerate: Any) -> None:
    text = refusal(lambda: map_items(take, [1], tolerate=tolerate))
    assert "tolerate is a number of items from 0 on, or a fraction as a float from 0.0 to 1.0" in text


@pytest.mark.parametrize("batch", [0, 10_001, 2.0, False, None])
def test_batch_has_bounds(batch: Any) -> None:
    assert "batch is a whole number from 1 to 10,000" in refusal(lambda: map_items(take, [1], batch=batch))


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("items", ["orders.jsonl", b"1", {1, 2}, {"a": 1}, numbers(), None, Path("orders.jsonl")])
def test_items_are_a_list_or_a_file(items: Any) -> None:
    text = refusal(lambda: map_items(take, items))
    assert "takes its items as a list or a file" in text
    assert 'JsonLines("items.jsonl")' in text


def test_an_item_of_a_list_must_fit_the_type() -> None:
    items: list[Any] = [1, 2, "three"]
    assert refusal(lambda: map_items(take, items)).startswith("map_items(take): items[2]: step 'take': item")


def test_an_item_that_is_not_json_is_named() -> None:
    assert "map_items(take): items[1]" in refusal(lambda: map_items(take, [1, object()]))


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (take_two, "calls step 'take_two' with one item, but it also needs right"),
        (take_none, "calls step 'take_none' with an item, but it has no argument to take it"),
        (take.options(timeout=1), "takes step 'take' as it is declared"),
        (take.options(retry=Retry(max_attempts=9)), "takes step 'take' as it is declared"),
        (take.function, "takes a step or a workflow first"),
        ("take", "takes a step or a workflow first, not 'take'"),
    ],
)
def test_what_is_mapped_is_a_step_of_one_argument_or_a_workflow(target: Any, text: str) -> None:
    assert text in refusal(lambda: map_items(target, [1]))


def test_outside_a_workflow_it_is_refused() -> None:
    with pytest.raises(ForbiddenInWorkflow, match=r"map_items\(\) works only in workflow code"):
        asyncio.run(map_items(take, [1]))


@pytest.mark.parametrize("path", ["", None, 3, b"x"])
@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_file_has_a_path(kind: Any, path: Any) -> None:
    with pytest.raises(DefinitionError, match="takes the path of a file"):
        kind(path)


@pytest.mark.parametrize("path", ["https://example.com/a.jsonl", "s3://bucket", "s3:///key", "s3://bucket/"])
def test_a_file_is_on_a_disk_or_in_s3(path: str) -> None:
    with pytest.raises(DefinitionError, match="s3://bucket/key"):
        JsonLines(path)


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "é", 3])
def test_a_delimiter_is_a_single_character(delimiter: Any) -> None:
    with pytest.raises(DefinitionError, match="delimiter is a single ASCII character"):
        Csv("a.csv", delimiter=delimiter)


def test_the_workflow_of_batches_is_no_workflow_of_the_program() -> None:
    registry = Registry([odd])
    assert registry.get("stepfast.map") is not None
    assert list(registry.workflows) == ["odd"]
    with pytest.raises(UnknownWorkflow, match=r"no workflow is named 'stepfast\.map'; there are: odd"):
        registry.find("stepfast.map")


def test_a_workflow_cannot_take_the_name_of_batches() -> None:
    async def mine() -> None: ...

    with pytest.raises(DefinitionError, match=r"cannot be named 'stepfast\.map'"):
        Registry([workflow("stepfast.map")(mine)])


@workflow("maps-odd")
async def maps_odd() -> int:
    return (await map_items(odd, [1])).succeeded + (await map_items(take, [1])).succeeded


def test_the_search_for_steps_finds_those_that_are_mapped() -> None:
    registry = Registry([maps_odd, odd])
    names = [step.name for step in registry.steps_of(maps_odd)]
    builtin = ["map-plan", "map-read", "map-failures", "map-outcome", "map-results"]
    assert sorted(names) == sorted([*(f"stepfast.{name}" for name in builtin), "take"])
    assert registry.step("stepfast.map", "take") is take
    assert [step.name for step in Registry([odd]).steps] == ["take"]
