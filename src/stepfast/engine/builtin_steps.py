"""Carries out the steps of stepfast itself: for `map_items()`, for links, and for bulk jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from stepfast.engine import item_files
from stepfast.engine.item_files import ItemFiles
from stepfast.engine.link_maker import LinkMaker
from stepfast.engine.ports import Store
from stepfast.engine.step_runner import Ended
from stepfast.errors import GiveUp
from stepfast.language import callback_steps, map_steps
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.language.steps import Step
from stepfast.model import Execution, Record
from stepfast.stored_text import text_of

RESULT_BYTES = 1024 * 1024
"""Results of a batch are handed to workflow code in pieces of about this size."""


class StepsOfJobs(Protocol):
    """What carries out the steps of bulk jobs: job_runner.JobSteps."""

    async def value(self, step: Step[..., Any], arguments: Mapping[str, Any], job: Execution) -> Any:
        """The result of a step of the execution that is the job."""


class BuiltinSteps:
    """Runs attempts of built-in steps. files: None where no files of items can be read. links: makes links."""

    def __init__(
        self, store: Store, files: ItemFiles | None, links: LinkMaker, jobs: Callable[[], StepsOfJobs]
    ) -> None:
        self._store, self._files, self._links, self._jobs = store, files, links, jobs

    def runs(self, step: Step[..., Any]) -> bool:
        return isinstance(step, map_steps.BuiltinStep)

    async def run(self, step: Step[..., Any], arguments: Mapping[str, Any], execution: Execution) -> Ended:
        """Runs one attempt to its end, for this execution."""
        try:
            if execution.workflow == JOB_WORKFLOW:
                return Ended(await self._jobs().value(step, arguments, execution))
            return Ended(await self._value(step, arguments, execution.execution_id))
        except Exception as error:
            return Ended(error=error)

    async def _value(self, step: Step[..., Any], arguments: Mapping[str, Any], execution_id: str) -> Any:
        match step.name:
            case map_steps.map_plan.name:
                return item_files.plan(self._readable, **arguments)
            case map_steps.map_read.name:
                return item_files.read(self._readable, **arguments)
            case map_steps.map_failures.name:
                return None  # its arguments are what is recorded
            case map_steps.map_outcome.name:
                return await self._outcome(**arguments)
            case map_steps.map_results.name:
                return await self._results(**arguments)
            case callback_steps.open_link.name:
                return await self._links.open(execution_id, **arguments)
            case callback_steps.last_heartbeat.name:
                return await self._links.last_heartbeat(execution_id, **arguments)
        raise GiveUp(f"this version of stepfast has no step {step.name!r}")

    @property
    def _readable(self) -> ItemFiles:
        if self._files is None:
            raise GiveUp("this engine reads no files of items")
        return self._files

    async def _records(self, execution_id: str) -> Mapping[str, Record]:
        snapshot = await self._store.load(execution_id, signals=False)
        if snapshot is None:
            raise GiveUp(f"the batch {execution_id} was deleted, and its results with it")
        return snapshot.records

    async def _outcome(self, execution_id: str, most: int) -> Any:
        batch, id = await self._store.read(execution_id), map_steps.map_failures.name
        record = (await self._store.reader.named(batch, [id])).get(id) if batch is not None else None
        if record is None or record.status != "SUCCEEDED":
            return None
        recorded = json.loads(text_of(record.input) or "null")
        failures = recorded["failures"]
        return {"succeeded": recorded["succeeded"], "failed": len(failures), "failures": failures[:most]}

    async def _results(self, execution_id: str, after: int) -> Any:
        values, size = list[list[Any]](), 0
        for number, record in items_of(await self._records(execution_id)):
            if number <= after or record.status != "SUCCEEDED":
                continue
            text = text_of(record.output) or "null"
            if values and size + len(text) > RESULT_BYTES:
                return {"values": values, "next": values[-1][0]}
            values.append([number, text])
            size += len(text)
        return {"values": values, "next": None}


def items_of(records: Mapping[str, Record]) -> list[tuple[int, Record]]:
    """The records of a batch's items in order, each with the number of its item, by which its id is made."""
    numbered = ((number_of(record), record) for record in records.values())
    return sorted(((number, record) for number, record in numbered if number is not None), key=lambda pair: pair[0])


def number_of(record: Record) -> int | None:
    """The number of the item that a record of a batch belongs to; None for a step of stepfast itself."""
    if record.kind == "timer" or record.name.startswith("stepfast."):
        return None
    number = record.id.partition("/")[0].rpartition("#")[2]
    return int(number) if number.isdecimal() else None
