"""Starts executions: of equal calls under one id, one starts it and all return it (rule *start once*)."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepfast.engine import caller
from stepfast.engine.arguments import check_id, json_text
from stepfast.engine.ports import Clock, Store
from stepfast.engine.turns import Started as Started
from stepfast.engine.turns import Turns, answer_of, check_same
from stepfast.errors import ExecutionDeleted, InvalidRequest, NotStorable
from stepfast.language.registry import Registry
from stepfast.model import Execution
from stepfast.records import dataclass
from stepfast.values.sameness import was_sent


@dataclass(frozen=True, slots=True)
class StartArguments:
    """The arguments of Operations.start."""

    workflow: str
    input: Any
    execution_id: str | None = None
    labels: Mapping[str, str] | None = None


class Starting:
    """Puts new executions into a store."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store, self._clock, self._registry = store, clock, registry
        self._turns = Turns(store, clock)

    async def start(
        self,
        workflow: str,
        input: Any,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Started:
        """As Operations.start."""
        definition = self._registry.find(workflow)
        if execution_id is not None:
            check_id(execution_id, "execution_id", "an execution id")
        sent = json_text(input)
        try:
            text = definition.input.stored(sent)
        except (InvalidRequest, NotStorable) as error:
            # An equal call may have passed earlier: the input holds, say, a deadline that had to be in the future.
            earlier = await self._store.read(execution_id) if execution_id else None
            if earlier is not None and earlier.workflow == workflow and was_sent(earlier.sent, sent):
                return answer_of(earlier, False)
            if isinstance(error, InvalidRequest):
                raise
            raise InvalidRequest(str(error), ((error.path.lstrip("."), str(error)),)) from error
        execution = Execution(
            execution_id=execution_id or new_id(self._clock.now()),
            workflow=workflow,
            input=text,
            created_at=self._clock.now(),
            labels=dict(labels or {}),
            sent=definition.input.sent(sent) if execution_id else None,
            traceparent=caller.traceparent(),
        )
        if definition.starts is not None:
            return await self._turns.start(definition, execution, sent)
        execution, held = await create_above(self._store, execution)
        if held is execution:
            return answer_of(execution, True)
        check_same(definition, held.workflow, held.input, held.sent, held.execution_id, sent)
        return answer_of(held, False)

    async def start_many(self, starts: Sequence[StartArguments]) -> list[Started | Exception]:
        """As Operations.start_many."""
        calls = (self.start(start.workflow, start.input, start.execution_id, start.labels) for start in starts)
        outcomes: list[Started | Exception] = []
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if not isinstance(outcome, Started | Exception):
                raise outcome  # such as KeyboardInterrupt, which is no outcome of one start
            outcomes.append(outcome)
        return outcomes


async def create_above(store: Store, execution: Execution) -> tuple[Execution, Execution]:
    """The execution as it was asked for, and the one that holds its id: the same if it was created."""
    while True:
        try:
            return execution, await store.create(execution)
        except ExecutionDeleted as error:
            # Late messages of the deleted execution must not act on this one: it begins above its generations.
            first = error.generation + 1
            execution = replace(execution, generation=first, first_generation=first)


def new_id(now: float) -> str:
    """A UUID of version 7 (RFC 9562): those made at one time lie side by side in an index."""
    made = (int(now * 1000) & (1 << 48) - 1) << 80 | 7 << 76 | secrets.randbits(12) << 64
    return str(uuid.UUID(int=made | 2 << 62 | secrets.randbits(62)))
