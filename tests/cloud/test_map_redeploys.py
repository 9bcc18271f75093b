"""Code with another batch size or another list of items comes in the middle of a map: nothing is mixed up.

The map fails and names what differs, and goes on with the old code. Broken engines, which do not compare, are noticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import map_items, step, workflow
from stepfast.replay import children
from stepfast.testing import MotoCloud

NUMBERS = tuple(range(1, 13))
RAN: Counter[int] = Counter()
Patch = pytest.MonkeyPatch


@step
async def counted(number: int) -> int:
    RAN[number] += 1
    return number


def mapping(items: tuple[int, ...] = NUMBERS, batch: int = 3) -> Any:
    @workflow("mapping-redeployed")
    async def mapping_redeployed() -> list[int]:
        report = await map_items(counted, items, batch=batch, concurrency=3)
        return [number async for number in report.results]

    return mapping_redeployed


def redeployed(items: tuple[int, ...], batch: int) -> None:
    """A map is half done as other code comes; then the old code comes back, and the execution is resumed."""
    RAN.clear()
    old = mapping()
    with MotoCloud(old) as cloud:
        run = cloud.start(old)
        cloud.run_until(lambda: 10 in RAN)  # of the fourth batch, which begins when another has been reported
        cloud.deploy(mapping(items, batch))
        cloud.run_until(run)
        assert (run.status, run.error and run.error.type) == ("FAILED", "NonDeterministic")
        assert run.error is not None
        assert "was recorded with the input" in run.error.message
        cloud.deploy(old)
        cloud.resume(run)
        assert cloud.run_until(run).result == list(NUMBERS)
    assert {number: RAN[number] for number in range(1, 10)} == dict.fromkeys(range(1, 10), 1)


OTHERS = {"another batch size": (NUMBERS, 4), "other items": (tuple(reversed(NUMBERS)), 3)}


@pytest.mark.parametrize("name", OTHERS)
def test_other_code_in_the_middle_of_a_map_is_refused_and_the_old_code_goes_on(name: str) -> None:
    redeployed(*OTHERS[name])


def a_batch_is_taken_whatever_its_items_are(patch: Patch) -> None:
    patch.setattr(children, "other_input", lambda command, record: None)


def only_the_number_of_items_is_compared(patch: Patch) -> None:
    right = children.other_input

    def lenient(command: Any, record: Any) -> Any:
        differs = right(command, record)
        return differs if differs and differs[0].count(",") != differs[1].count(",") else None

    patch.setattr(children, "other_input", lenient)


NOTICED: dict[Callable[[Patch], None], str] = {
    a_batch_is_taken_whatever_its_items_are: "another batch size",
    only_the_number_of_items_is_compared: "other items",
}


@pytest.mark.parametrize("wrong", NOTICED)
def test_it_is_noticed(wrong: Callable[[Patch], None], monkeypatch: Patch) -> None:
    wrong(monkeypatch)
    with pytest.raises(AssertionError):
        redeployed(*OTHERS[NOTICED[wrong]])
