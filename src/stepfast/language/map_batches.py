"""The built-in workflow whose executions are the batches of `map_items`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import field
from typing import Any

from stepfast.error_text import message_of
from stepfast.errors import BatchFailed, ChildFailed, DefinitionError, InvalidRequest, StepFailed
from stepfast.language import map_steps
from stepfast.language.current import current_execution
from stepfast.language.map_targets import MapTarget
from stepfast.language.workflows import Workflow
from stepfast.records import dataclass

MAP_WORKFLOW = "stepfast.map"
Json = dict[str, Any]
Resolve = Callable[[str, str, str], Any]
"""Finds the step or workflow that a batch runs, by the workflow that has called map_items(), its kind and its name."""
MESSAGE_CHARS = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """The input of a batch.

    workflow: the one that has called map_items(). kind, name: of what it maps. items: JSON texts, of a list; first: the
    position of the first. source, version, part: of a file. lanes: how many items run at once. It is left out when
    inputs are compared, so that a map can go on with another `concurrency`.
    """

    workflow: str
    kind: str
    name: str
    items: list[str] | None = None
    first: int = 0
    source: dict[str, Any] | None = None
    version: str = ""
    part: list[int] | None = None
    lanes: int = field(default=1, compare=False)


def workflow_with(resolve: Resolve) -> Workflow[..., Any]:
    """The built-in workflow, which finds what it runs by `resolve`."""

    async def map_batch(batch: Batch) -> Json:
        return await _run(batch, resolve)

    return Workflow(map_batch, MAP_WORKFLOW)


def _nothing(workflow: str, kind: str, name: str) -> Any:
    raise DefinitionError(f"{MAP_WORKFLOW} runs only where the workflow {workflow!r} is deployed")


BATCHES: Workflow[..., Any] = workflow_with(_nothing)
"""The definition that map_items() starts children of. A registry has its own of the same name."""


async def _run(batch: Batch, resolve: Resolve) -> Json:
    target = MapTarget(resolve(batch.workflow, batch.kind, batch.name))
    source = batch.source
    if source is None:
        rows, bad = enumerate(batch.items or (), batch.first), []
    else:
        part = await map_steps.map_read(source, batch.version, batch.part)
        rows, bad = part["rows"], part["bad"]
    values, failures = dict[int, Any](), [_fault(line, text) for line, text in bad]
    for number, text in rows:
        try:
            values[number] = target.decode(text, source is not None and source["format"] == "csv")
        except InvalidRequest as error:
            failures.append(_fault(number, str(error)))
    errors = await _in_window(target, values, batch.lanes)
    failures += [_failure(number, error) for number, error in errors.items()]
    succeeded = len(values) - len(errors)
    if not failures:
        return {"id": current_execution().execution_id, "succeeded": succeeded}
    failures.sort(key=lambda failure: failure["item"])
    await map_steps.map_failures(succeeded, failures)
    place = f"{'item' if source is None else 'line'} {failures[0]['item']:,}"
    text = f"{len(failures):,} of {succeeded + len(failures):,} items of this batch failed; first, {place}: "
    text += failures[0]["message"]
    raise BatchFailed(text) from (ExceptionGroup("items", list(errors.values())) if errors else None)


async def _in_window(target: MapTarget, values: dict[int, Any], lanes: int) -> dict[int, Exception]:
    """Calls the target in the order of the items, at most `lanes` at once. Returns the errors by the item's number."""
    results = await (_all_at_once(target, values) if lanes >= len(values) else _in_lanes(target, values, lanes))
    errors = dict[int, Exception]()
    for number, result in zip(values, results, strict=True):
        if isinstance(result, Exception):
            errors[number] = result
        elif isinstance(result, BaseException):
            raise result
    return errors


async def _all_at_once(target: MapTarget, values: dict[int, Any]) -> list[Any]:
    return await asyncio.gather(
        *[target.call(value, number) for number, value in values.items()], return_exceptions=True
    )


async def _in_lanes(target: MapTarget, values: dict[int, Any], lanes: int) -> list[Any]:
    window, tasks = asyncio.Semaphore(lanes), list[asyncio.Task[Any]]()
    try:
        for number, value in values.items():
            await window.acquire()
            tasks.append(asyncio.create_task(target.call(value, number)))
            tasks[-1].add_done_callback(lambda _: window.release())
        return await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()


def _fault(number: int, text: str) -> Json:
    return {"item": number, "command": None, "child": None, "type": "InvalidItem", "message": text[:MESSAGE_CHARS]}


def _failure(number: int, error: Exception) -> Json:
    if not isinstance(error, StepFailed):
        return _fault(number, message_of(error)) | {"type": type(error).__name__}
    child = error.execution_id or None if isinstance(error, ChildFailed) else None
    text = error.message[:MESSAGE_CHARS]
    return {"item": number, "command": error.step_id, "child": child, "type": error.error_type, "message": text}
