"""Resumes FAILED executions: for a client, for an operator's redrive, and for many dead letters (rule *rewind*).

rewind.py decides which records are opened again; this module reads and writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import existing
from stepfast.engine.rewind import Rewind, check_steps, repaired, rewind
from stepfast.engine.start_items import Hold, key_of, may_hold
from stepfast.errors import Refused, WrongStatus
from stepfast.language.registry import Registry
from stepfast.model import Execution, Link
from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class ResumeResult:
    """What came of one dead letter's replay; `refused` says why an execution was not resumed.

    `notice` says that no failed step stood behind the failure, so that none is run again.
    """

    execution_id: str
    resumed: bool
    refused: str | None = None
    notice: str | None = None


RecordChange = tuple[str, Mapping[str, Any]]
"""The id of a command, and the fields of its record that an operator sets."""


class Resuming:
    """Sets FAILED executions back to just before their failure."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store, self._clock, self._registry = store, clock, registry

    async def rewind(
        self,
        execution_id: str,
        generation: int | None = None,
        steps: Sequence[str] | None = None,
        repair: RecordChange | None = None,
        link: Link | None = None,
    ) -> Rewind:
        """Rewinds a FAILED execution; returns it with what was re-opened, which is nothing if another was faster.

        Arguments and errors are those of Operations.resume. Safe to repeat: of several calls that meet the same
        failure, one resumes it. repair: the id of a command and what an operator sets in its record. link: that its
        parent gives a child in the same write (rule *link*).
        """
        while True:
            snapshot = existing(await self._store.load(execution_id), execution_id)
            execution = snapshot.execution
            if generation is not None and (execution.generation != generation or execution.status != "FAILED"):
                return Rewind(execution, None, (), ())
            if link is not None and execution.link is not None and execution.link.generation > link.generation:
                return Rewind(execution, None, (), ())
            await self._require_resumable(execution)
            check_steps(snapshot, steps or ())
            named = {} if steps is None else {"steps": steps}
            workflow = self._registry.get(execution.workflow) or self._registry.find(execution.workflow)
            plan = rewind(workflow, snapshot, self._clock.now(), **named)
            if repair is not None:
                plan = repaired(plan, snapshot, *repair)
            assert plan.cut is not None
            hold = await self._free_key(execution)
            if await self._store.rewind(plan.execution, plan.cut, plan.records, plan.history, link, hold):
                return plan
            generation = execution.generation  # if another was faster, its resume is ours

    async def _free_key(self, execution: Execution) -> Hold | None:
        """The key of its singleton, which the resume takes again. WrongStatus while another execution has it."""
        id = key_of(execution)
        if id is None:
            return None
        hold = await self._store.starts.hold(id)
        if hold.holder not in ("", execution.execution_id) and may_hold(await self._store.read(hold.holder), id):
            raise WrongStatus(
                f"execution {execution.execution_id!r} cannot be resumed now: {hold.holder!r} runs, and of workflow "
                f"{id.workflow!r} one at a time may run for its key: wait until that one has ended, or cancel it",
                execution.status,
            )
        return hold

    async def _require_resumable(self, execution: Execution) -> None:
        """WrongStatus unless it is FAILED, and no execution above it is CLOSED (rule *close*)."""
        id, status, closed = execution.execution_id, execution.status, None
        if status == "CLOSED":
            closed = f"execution {id!r} is CLOSED: reopen it first, then resume it"
        elif status != "FAILED":
            closed = f"execution {id!r} is {status}: only a FAILED one can be resumed"
        elif execution.link is not None and execution.is_child:
            for root in await self._store.read_many([execution.link.root]):
                if root.status == "CLOSED":
                    closed = f"execution {id!r} is of {root.execution_id!r}, which is CLOSED: reopen that one first"
        if closed is not None:
            raise WrongStatus(closed, status)

    async def resume(
        self,
        execution_id: str,
        generation: int | None = None,
        steps: Sequence[str] | None = None,
        repair: RecordChange | None = None,
    ) -> Rewind:
        """As `rewind`. If the execution is a child whose parent failed because of it, the parent is resumed as well.

        The resume goes on from the highest execution that has failed so: each parent takes its child up again. If the
        process dies in between, the child runs, and whoever resumes its root later takes it up.
        """
        plan = await self.rewind(execution_id, generation, steps, repair)
        top = await self._failed_above(plan.execution)
        if top is not None:
            try:
                await self.rewind(top.execution_id, top.generation)
            except WrongStatus:
                pass  # another has resumed it, or cancelled it
        return plan

    async def _failed_above(self, execution: Execution) -> Execution | None:
        """The highest of the executions above, each of which has failed because of the one below it."""
        top = None
        while execution.link is not None and execution.is_child:
            parent = await self._store.read(execution.link.parent)
            if parent is None or parent.status != "FAILED" or execution.link.command not in parent.causes:
                break
            top = execution = parent
        return top

    async def replay_dead_letters(self, execution_ids: Sequence[str], rate: float | None = None) -> list[ResumeResult]:
        """Resumes failed executions in this order, at most `rate` per second; one refused does not stop the others."""
        results = []
        for index, execution_id in enumerate(execution_ids):
            if index and rate:
                await self._clock.sleep(1 / rate)
            try:
                plan = await self.resume(execution_id)
                results.append(ResumeResult(execution_id, True, notice=plan.notice))
            except Refused as error:
                results.append(ResumeResult(execution_id, False, str(error)))
        return results
