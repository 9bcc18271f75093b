"""`map_items()`: a step or a workflow for each of very many items, in batches that are executions of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from stepfast.errors import ChildFailed, DefinitionError, MapFailed, NotStorable, StepFailed
from stepfast.language import map_steps
from stepfast.language.children import NAMED, ChildCall
from stepfast.language.map_batches import BATCHES, Batch
from stepfast.language.map_reports import MAX_FAILURES, MapBatch, MapFailure, MapReport, MapResults, typed
from stepfast.language.map_sources import Csv, JsonLines, described_file
from stepfast.language.map_targets import MapTarget
from stepfast.language.steps import Step
from stepfast.language.workflow_loop import commands_for
from stepfast.language.workflows import Workflow

R = TypeVar("R")
MAX_BATCH = 10_000
BATCHES_AT_ONCE = 10
BATCH_CHARS = 4 * 1024 * 1024
"""A batch of a list ends with the item that reaches this many characters of JSON, however few items it has."""
Json = dict[str, Any]


async def map_items(
    target: Step[..., R] | Workflow[..., R],
    items: Sequence[Any] | JsonLines | Csv,
    *,
    concurrency: int | None = None,
    tolerate: float = 0,
    batch: int = 500,
) -> MapReport[R]:
    """Runs a step or a workflow for each item, and returns a report once all have ended.

    target: a step that takes an item as its first argument and needs no other, or a workflow, which runs as a child.
    items: a list, or a file of any size: JsonLines(path) or Csv(path). Each item must fit the type of the argument.
    concurrency: how many items run at once at most; by default ten batches of them.
    tolerate: how many items may fail, as a whole number; or which part of them, as a float from 0.0 to 1.0. So 1 is one
    item and 1.0 is all of them.
    batch: how many items one batch has at most, 1 to 10,000. A batch ends earlier where its items reach 4 MB.

    Batches are started in the order of their items. Each batch is a child execution with its own records, so an item
    that has succeeded never runs again. All items run to their end, whatever fails. Only if no item at all has
    succeeded in the first batches, no more batches are started.

    Raises MapFailed if more items failed than are tolerated, or if the file cannot be read; a resume then runs what
    failed and nothing else. Raises DefinitionError for wrong arguments, NotStorable for an item of a list that does not
    fit the type, and ForbiddenInWorkflow outside workflow code.
    """
    commands_for("map_items()")
    mapping = _Map(MapTarget(target), _concurrency(concurrency), _tolerate(tolerate), _batch(batch))
    if isinstance(items, JsonLines | Csv):
        return await mapping.run(mapping.of_file(items))
    return await mapping.run(mapping.of_list(_listed(items)))


map_items.steps = map_steps.BUILTIN_STEPS  # type: ignore[attr-defined]  # Discovery follows attributes of functions.


@dataclass(slots=True)
class _Outcome:
    """What came of one batch. failures: those that the report may list. error: what the batch has failed with."""

    batch_id: str
    succeeded: int = 0
    failed: int = 0
    failures: list[Json] = field(default_factory=list)
    error: Exception | None = None


class _Map:
    """One call of map_items()."""

    def __init__(self, target: MapTarget, concurrency: int | None, tolerate: float, batch: int) -> None:
        self._target, self._concurrency, self._tolerate, self._batch = target, concurrency, tolerate, batch
        self._workflow = commands_for("map_items()").execution.workflow
        self._place = "item"
        self._batches: int | None = None  # how many there are, once that is known
        self._outcomes: dict[int, _Outcome] = {}
        self._started = self._succeeded = self._failed = self._listed = 0
        self._id = ""

    # -- where batches come from -----------------------------------------------------------------------------

    async def of_list(self, items: Sequence[Any]) -> AsyncGenerator[Json, None]:
        batches, texts, size, first = list[Json](), list[str](), 0, 0
        for number, item in enumerate(items):
            try:
                text = self._target.item.text(item)
            except NotStorable as error:
                raise NotStorable(f"map_items({self._target.name}): items[{number}]: {error}", error.path) from error
            texts.append(text)
            size += len(text)
            if len(texts) >= self._batch or size >= BATCH_CHARS:
                batches.append({"items": texts, "first": first})
                texts, size, first = [], 0, number + 1
        if texts:
            batches.append({"items": texts, "first": first})
        self._batches = len(batches)
        for described in batches:
            yield described

    async def of_file(self, items: JsonLines | Csv) -> AsyncGenerator[Json, None]:
        source: Json = described_file(items)
        self._place = "line"
        version, position, planned = "", [0, 1], 0
        while position is not None:
            try:
                plan = await map_steps.map_plan(source, self._batch, version, *position)
            except StepFailed as error:
                raise MapFailed(f"map_items({self._target.name}): {error.message}") from error
            version, position = plan["version"], plan["next"]
            if "columns" in plan:
                source = {**source, "columns": plan["columns"]}
            planned += len(plan["parts"])
            if position is None:
                self._batches = planned
            for part in plan["parts"]:
                yield {"source": source, "version": version, "part": part}

    # -- running them ----------------------------------------------------------------------------------------

    async def run(self, batches: AsyncGenerator[Json, None]) -> MapReport[Any]:
        followers = list[asyncio.Task[None]]()
        try:
            async with aclosing(batches):
                await self._start_all(batches, followers)
            await asyncio.gather(*followers)
        finally:
            for follower in followers:
                follower.cancel()
        return self._report()

    async def _start_all(self, batches: AsyncIterator[Json], followers: list[asyncio.Task[None]]) -> None:
        window, at_once, lanes = asyncio.Semaphore(0), 0, 0
        number = 0
        async for batch in batches:
            if not at_once:
                at_once, lanes = self._lanes()
                window = asyncio.Semaphore(at_once)
            await window.acquire()
            if self._is_hopeless(at_once):
                return
            self._started = number + 1
            described = Batch(self._workflow, self._target.kind, self._target.name, lanes=lanes, **batch)
            call: ChildCall[Json] = ChildCall(BATCHES, described, None, "cancel")
            call.__name__ = f"{NAMED}map-{self._target.name}"
            running = asyncio.create_task(call)
            if number == 0:
                self._id = running.get_name()
                self._note_progress()
            follower = asyncio.create_task(self._follow(number, running, window))
            followers.append(follower)
            number += 1

    def _lanes(self) -> tuple[int, int]:
        """How many batches run at once, and how many items of each."""
        at_once = min(BATCHES_AT_ONCE, self._batches or BATCHES_AT_ONCE)
        if self._concurrency is None:
            return at_once, self._batch
        at_once = min(at_once, self._concurrency)
        return at_once, min(self._batch, self._concurrency // at_once)

    def _is_hopeless(self, at_once: int) -> bool:
        """Whether the first batches have ended, and nothing in them has succeeded."""
        ended = len(self._outcomes) >= at_once
        return ended and not self._succeeded and not self._is_tolerable(self._failed, self._failed)

    def _is_tolerable(self, failed: int, total: int) -> bool:
        # The small addend is for fractions that a float only comes near to: 0.29 * 100 is less than 29.
        allowed = self._tolerate * total + 1e-9 if isinstance(self._tolerate, float) else self._tolerate
        return failed <= allowed

    async def _follow(self, number: int, batch: asyncio.Task[Json], window: asyncio.Semaphore) -> None:
        """Waits for the end of a batch, and notes what came of it."""
        try:
            outcome = await self._outcome(batch)
            self._outcomes[number] = outcome
            self._succeeded += outcome.succeeded
            self._failed += outcome.failed
            self._listed += len(outcome.failures)
            self._note_progress()
        finally:
            batch.cancel()
            window.release()

    async def _outcome(self, batch: asyncio.Task[Json]) -> _Outcome:
        try:
            result = await batch
        except ChildFailed as error:
            id = error.execution_id
            most = max(0, MAX_FAILURES - self._listed)  # so that a map of which all fails holds no more than another
            held = await map_steps.map_outcome(id, most) if id else None
            return _Outcome(id, error=error) if held is None else _Outcome(id, **held, error=error)
        return _Outcome(result["id"], result["succeeded"])

    def _note_progress(self) -> None:
        """Notes how far this map has come, for people to look at. It is written as batches end."""
        progress = {
            "id": self._id,
            "name": self._target.name,
            "batches": self._batches,
            "batches_started": self._started,
            "batches_ended": len(self._outcomes),
            "succeeded": self._succeeded,
            "failed": self._failed,
        }
        commands_for("map_items()").note_progress(self._id, progress)

    # -- what comes of them ----------------------------------------------------------------------------------

    def _report(self) -> MapReport[Any]:
        outcomes = [self._outcomes[number] for number in sorted(self._outcomes)]
        succeeded, failed = self._succeeded, self._failed
        broken = [outcome for outcome in outcomes if outcome.error is not None and not outcome.failed]
        tolerable = not broken and self._is_tolerable(failed, succeeded + failed)
        failures = [
            MapFailure(f["item"], f["type"], f["message"], outcome.batch_id, f["command"], f["child"])
            for outcome in outcomes
            for f in outcome.failures
        ]
        batches = tuple(MapBatch(outcome.batch_id, outcome.succeeded) for outcome in outcomes)
        report: MapReport[Any] = MapReport(
            succeeded,
            failed,
            failed if tolerable else 0,
            tuple(failures[:MAX_FAILURES]),
            typed(MapResults[Any](batches), self._target.result),
        )
        if tolerable:
            return report
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        text = self._text(failures, succeeded + failed, broken)
        raise MapFailed(text, report) from ExceptionGroup("batches", errors)

    def _text(self, failures: list[MapFailure], total: int, broken: list[_Outcome]) -> str:
        said = list[str]()
        if self._failed:
            shown = "; ".join(f"{self._place} {f.item:,}: {f.error_type}: {f.message}" for f in failures[:3])
            share = f"{self._tolerate:.2%}" if isinstance(self._tolerate, float) else f"{self._tolerate:,}"
            said.append(f"{self._failed:,} of {total:,} items failed, and {share} may fail: {shown}")
        if broken:
            said.append(f"{len(broken):,} batches could not be run: {broken[0].error}")
        return f"map_items({self._target.name}): {'; '.join(said)}"


# -- checks of the arguments ------------------------------------------------------------------------------------


def _listed(items: object) -> Sequence[Any]:
    if isinstance(items, str | bytes | bytearray) or not isinstance(items, Sequence):
        advice = 'a file is JsonLines("items.jsonl") or Csv("items.csv")'
        raise DefinitionError(f"map_items() takes its items as a list or a file, not {type(items).__name__}; {advice}")
    return items


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _concurrency(value: object) -> int | None:
    if value is None or (isinstance(value, int) and _is_whole(value) and value >= 1):
        return value
    raise DefinitionError(f"map_items(): concurrency is a whole number from 1 on, or None, not {value!r}")


def _tolerate(value: object) -> float:
    if isinstance(value, float) and 0.0 <= value <= 1.0:
        return value
    if isinstance(value, int) and _is_whole(value) and value >= 0:
        return value
    raise DefinitionError(
        f"map_items(): tolerate is a number of items from 0 on, or a fraction as a float from 0.0 to 1.0, not {value!r}"
    )


def _batch(value: object) -> int:
    if isinstance(value, int) and _is_whole(value) and 1 <= value <= MAX_BATCH:
        return value
    raise DefinitionError(f"map_items(): batch is a whole number from 1 to {MAX_BATCH:,}, not {value!r}")
