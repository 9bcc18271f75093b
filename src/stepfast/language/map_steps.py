"""The steps that `map_items` uses itself. The engine carries them out, since they read files and the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepfast.errors import ForbiddenInWorkflow
from stepfast.language.retry import Retry
from stepfast.language.steps import DEFAULT_POOL, Step

Json = dict[str, Any]


class BuiltinStep(Step[..., Any]):
    """A step of stepfast itself. It is recorded and retried as all steps are; engine/builtin_steps.py runs it."""


def builtin(function: Callable[..., Any]) -> BuiltinStep:
    """Makes a built-in step of a function, which only gives it its name and its types."""
    name = "stepfast." + function.__name__.replace("_", "-")
    retry = Retry(max_attempts=5, initial=1.0, max_delay=30.0)
    return BuiltinStep(
        function, name=name, retry=retry, timeout=120.0, heartbeat=None, pool=DEFAULT_POOL, at_most_once=False
    )


def outside(name: str) -> ForbiddenInWorkflow:
    """The error of a built-in step that is called outside of an engine."""
    return ForbiddenInWorkflow(f"{name} is a step of stepfast itself, which only its engine runs")


@builtin
async def map_plan(source: Json, batch: int, version: str, offset: int, line: int) -> Json:
    """Finds the next parts of a file of items.

    Returns `version`, `parts` as lists of offset, length and first line, `next` as offset and line or null, and of a
    CSV file its `columns`.
    """
    raise outside("map_plan")


@builtin
async def map_read(source: Json, version: str, part: list[int]) -> Json:
    """Reads one part of a file: `rows` as pairs of line and JSON text, `bad` as pairs of line and what is wrong."""
    raise outside("map_read")


@builtin
async def map_failures(succeeded: int, failures: list[Json]) -> None:
    """Records what of a batch has failed, before the batch fails."""
    raise outside("map_failures")


@builtin
async def map_outcome(execution_id: str, most: int) -> Json | None:
    """What a failed batch has recorded by map_failures; null for a batch that failed in another way.

    Returns `succeeded` and `failed`, the numbers of its items, and `failures`, the first of them, `most` at most.
    """
    raise outside("map_outcome")


@builtin
async def map_results(execution_id: str, after: int) -> Json:
    """Results of a batch's items: `values` as pairs of the item's number and JSON text, `next` for the next call."""
    raise outside("map_results")


BUILTIN_STEPS: tuple[BuiltinStep, ...] = (map_plan, map_read, map_failures, map_outcome, map_results)
