"""Crashes at every AWS call: what an example comes to, and that it comes to the same whatever dies when."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from stepfast.language.workflows import Workflow
from stepfast.simulator.account import When
from stepfast.testing import MotoCloud, Rules
from stepfast.testing.runs import Run
from tests.cloud.clients import started
from tests.cloud.invariants import Invariants

DISORDER = Rules(duplicates=0.15, reorder=True, late=50.0)
WHENS: tuple[When, ...] = ("before", "after", "lost")


def ended(cloud: MotoCloud, run: Run[Any]) -> None:
    """Lets an execution go on until it has ended, with nobody doing anything about it."""
    cloud.run_until(run)


@dataclass(frozen=True)
class Example:
    """A workflow with its input, what is to happen meanwhile, and what it comes to; all of it in its `world`.

    play: takes a started execution to its end, which is `status`. others: workflows that run as its children.
    """

    name: str
    workflow: Workflow[..., Any]
    input: Any
    prepare: Callable[[MotoCloud], None]
    outcome: Callable[[Run[Any], Path], Any]
    world: Callable[[], AbstractContextManager[object]] = nullcontext
    play: Callable[[MotoCloud, Run[Any]], None] = ended
    status: str = "SUCCEEDED"
    others: tuple[Workflow[..., Any], ...] = ()


def explore(example: Example, kills: dict[int, When], *, seed: int = 0) -> tuple[Any, int]:
    """Runs an example with these kills; what it came to, and how many calls to AWS it took.

    seed: 0 for a world in good order, any other for one in which messages come twice and in any order.
    Raises AssertionError when an invariant is broken, or it ended otherwise than the example is to end.
    """
    with _folder() as folder, _cloud(example, seed) as cloud:
        invariants = Invariants(cloud)
        example.prepare(cloud)
        for number, when in kills.items():
            cloud.kill_at(number, when)
        run = started(cloud, example.workflow, example.input, "explored")
        example.play(cloud, run)
        assert run.status == example.status, f"{example.name} with {kills}: {run}"
        cloud.advance(timedelta(minutes=15))  # everything that is still under way
        invariants.check()
        assert run.status == example.status, f"{example.name} with {kills}: {run}"
        assert cloud.undelivered == [], f"{example.name} with {kills}: something was not delivered"
        outcome = example.outcome(run, folder)
        cloud.player.world.account.kills.clear()  # those that were not reached
        return outcome, len(cloud.calls)


def _cloud(example: Example, seed: int = 0) -> MotoCloud:
    return MotoCloud(example.workflow, *example.others, seed=seed, rules=DISORDER if seed else None)


def calls_of(example: Example) -> tuple[Any, int]:
    """What an example comes to without any trouble, and how many calls it takes until it has ended."""
    with _folder() as folder, _cloud(example) as cloud:
        Invariants(cloud)
        example.prepare(cloud)
        run = started(cloud, example.workflow, example.input, "explored")
        example.play(cloud, run)
        count = len(cloud.calls)
        cloud.advance(timedelta(minutes=15))
        return example.outcome(run, folder), count


def points(example: Example, whens: tuple[When, ...] = WHENS) -> Iterator[dict[int, When]]:
    """Every single call, killed in every way."""
    _, count = calls_of(example)
    for number in range(count):
        for when in whens:
            yield {number: when}


def pairs(example: Example, seed: int, count: int) -> Iterator[dict[int, When]]:
    """Two kills each, drawn; the second may be in what the first has set off."""
    _, calls = calls_of(example)
    draw = random.Random(seed)
    for _ in range(count):
        first = draw.randrange(calls)
        second = first + 1 + draw.randrange(calls)
        yield {first: draw.choice(WHENS), second: draw.choice(WHENS)}


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of its own for what one run leaves in the outside world."""
    with tempfile.TemporaryDirectory() as folder, environment(ORDER_SHOP=folder):
        yield Path(folder)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
