"""What workflow code does, it does as under asyncio.run: the same outcome, the same words, at the same times."""

import gc
from collections.abc import Iterator

import pytest

from tests.parity import (  # noqa: F401
    anyio_cases,
    gathering,
    generators,
    leftovers,
    sync,
    tasks,
    timeouts,
)
from tests.parity.cases import CASES, FURTHER, UNORDERED
from tests.parity.sides import in_a_workflow, on_asyncio

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture(autouse=True)
def without_the_collector() -> Iterator[None]:
    """On plain asyncio the collector may come by at any time, and finalize generators that are in cycles."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", CASES)
def test_a_workflow_does_what_plain_asyncio_does(name: str) -> None:
    body = CASES[name]
    expected, found = on_asyncio(body), in_a_workflow(body)
    elsewhere = [object() for _ in range(1_000)]  # so that what follows has other addresses
    assert in_a_workflow(body) == found, elsewhere
    if name in UNORDERED:
        expected, found = (expected[0], sorted(expected[1], key=repr)), (found[0], sorted(found[1], key=repr))
    if name in FURTHER:
        found = (found[0], found[1][: len(expected[1])])
    assert found == expected
    assert expected[0] != ["raises", "TimeoutError: nothing would ever wake this loop"]
