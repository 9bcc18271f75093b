"""Forks executions: a new one begins with the records of another, up to a command (rule *fork*)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from stepfast.engine import caller
from stepfast.engine.arguments import check_id, json_text
from stepfast.engine.child_ids import forked_child_id
from stepfast.engine.fork_plan import ForkPlan, opened_timer, plan_fork, seeds_of, taken_over, whole
from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import existing
from stepfast.engine.starting import new_id
from stepfast.errors import ExecutionConflict, ExecutionDeleted, InvalidRequest, NotStorable
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Record, Snapshot
from stepfast.records import dataclass
from stepfast.replay.issuing import clock_of
from stepfast.standing import ForkedFrom

SAME: Any = object()
"""The input of the origin."""
COPIED = frozenset({"SUCCEEDED", "FAILED"})
"""Statuses of children that are copied. Those that were CANCELLED cannot go on, and others run anew."""


@dataclass(frozen=True, slots=True)
class ForkRequest:
    """How to fork an execution.

    execution_id: of the fork; without one a new id is made, so the call is then not repeatable. before: the id of the
    command that runs anew; None for the failure. input: parsed JSON; SAME for the origin's. labels: None for the
    origin's. children: what becomes of those whose outcome is taken over: the outcome alone, or a copy of each.
    """

    execution_id: str | None = None
    before: str | None = None
    input: Any = SAME
    labels: Mapping[str, str] | None = None
    children: Literal["relink", "copy"] = "relink"
    why: str | None = None

    def digest(self, origin: str) -> str:
        """Of what makes two requests the same."""
        parts = [origin, self.before, self.input is not SAME, None if self.input is SAME else self.input]
        labels = None if self.labels is None else dict(self.labels)
        text = json.dumps([*parts, labels, self.children], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def fork_request(body: Mapping[str, Any]) -> ForkRequest:
    """Of the fields that a request has."""
    return ForkRequest(**{"input": SAME, **body})


@dataclass(frozen=True, slots=True)
class Forked:
    """The fork, and whether this very call has made it."""

    execution: Execution
    created: bool


class Forking:
    """Puts forks into a store."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store, self._clock, self._registry = store, clock, registry

    async def fork(self, origin_id: str, request: ForkRequest) -> Forked:
        """As Operations.fork."""
        digest = request.digest(origin_id)
        if request.execution_id is not None:
            check_id(request.execution_id, "execution_id", "an execution id")
            held = await self._store.read(request.execution_id)
            if held is not None:
                return Forked(_same(held, digest, origin_id), False)
        snapshot = existing(await self._store.load(origin_id), origin_id)
        origin = snapshot.execution
        workflow = self._registry.find(origin.workflow)
        if workflow.starts is not None:
            raise InvalidRequest(
                f"workflow {workflow.name!r} has start options, such as a singleton or a throttle, and a fork does not "
                "take its turn: start an execution with the same input instead"
            )
        plan = plan_fork(workflow, snapshot, request.before)
        fork = Execution(
            execution_id=request.execution_id or new_id(self._clock.now()),
            workflow=origin.workflow,
            input=_input(workflow, origin, request),
            created_at=self._clock.now(),
            labels=dict(origin.labels if request.labels is None else request.labels),
            traceparent=caller.traceparent(),
            forked=self._forked(origin, plan, request.why, digest),
        )
        while True:
            children: list[ForkCopy] = []
            copy = await self._copy(fork, snapshot, plan, children if request.children == "copy" else None)
            try:
                held = await self._store.fork(copy, children)
            except ExecutionDeleted as error:
                # Late messages of the deleted execution must not act on this one: it begins above its generations.
                first = error.generation + 1
                fork = replace(fork, generation=first, first_generation=first)
                continue
            if held is copy.execution:
                return Forked(held, True)
            return Forked(_same(held, digest, origin_id), False)

    def _forked(self, origin: Execution, plan: ForkPlan, why: str | None, digest: str) -> ForkedFrom:
        now, by = self._clock.now(), caller.who()
        seeds = seeds_of(origin, plan.taken)
        return ForkedFrom(
            *(origin.execution_id, origin.run, origin.generation, plan.before, now, by, why, digest),
            clock=clock_of(origin),
            seeds=seeds,
        )

    async def _copy(
        self, fork: Execution, snapshot: Snapshot, plan: ForkPlan, children: list[ForkCopy] | None
    ) -> ForkCopy:
        """What the fork takes over. children: copies of those below it are added here; None if none are wanted."""
        records = [await self._taken_over(fork, record, snapshot, children) for record in plan.records]
        now = self._clock.now()
        records += [opened_timer(id, now + delay, fork.generation) for id, delay in plan.timers]
        taken = {record.signal for record in records}
        signals = [signal for signal in snapshot.signals if signal.signal_id in taken]
        return ForkCopy(fork, records, plan.applied, signals)

    async def _taken_over(
        self, fork: Execution, record: Record, snapshot: Snapshot, children: list[ForkCopy] | None
    ) -> Record:
        if not record.children or children is None:
            return taken_over(record, fork.generation)
        held = await self._store.load(record.children[-1])
        if held is None or held.execution.status not in COPIED or held.execution.link is None:
            return taken_over(record, fork.generation)
        child, link = held.execution, held.execution.link
        if (link.parent, link.command) != (snapshot.execution.execution_id, record.id):
            return taken_over(record, fork.generation)
        above = fork.link
        root = fork.execution_id if above is None else above.root
        depth = 1 if above is None else above.depth + 1
        plan = whole(held)
        copy = replace(
            child,
            execution_id=forked_child_id(fork.execution_id, snapshot.execution.execution_id, child.execution_id),
            generation=fork.generation,
            first_generation=fork.generation,
            error=None if child.error is None else replace(child.error, parked=None),
            resumed_at=None,
            sent=None,
            link=replace(
                link, parent=fork.execution_id, generation=fork.generation, root=root, depth=depth, run=1, left=False
            ),
            run=1,
            began_at=None,
            intervention=None,
            forked=self._forked(child, plan, None, ""),
        )
        children.append(await self._copy(copy, held, plan, children))
        return taken_over(record, fork.generation, (copy.execution_id,))


def _input(workflow: Workflow[..., Any], origin: Execution, request: ForkRequest) -> str:
    if request.input is SAME:
        return origin.input
    try:
        return workflow.input.stored(json_text(request.input))
    except NotStorable as error:
        raise InvalidRequest(str(error), ((f"input{error.path}", str(error)),)) from error
    except InvalidRequest as error:
        placed = tuple((f"input.{name}" if name else "input", text) for name, text in error.fields)
        raise InvalidRequest(str(error), placed or (("input", str(error)),)) from error


def _same(held: Execution, digest: str, origin_id: str) -> Execution:
    """The execution that holds the id of the fork, if an equal call has made it; ExecutionConflict."""
    if held.forked is None:
        wrong = "is no fork"
    elif held.forked.request != digest:
        wrong = f"was forked from {held.forked.execution_id!r}, by another request"
    else:
        return held
    raise ExecutionConflict(f"execution {held.execution_id!r} exists and {wrong}: use another id to fork {origin_id!r}")
