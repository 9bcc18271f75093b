"""Starts of workflows with start options: each begins, waits, is skipped, or replaces another (rule *turn*).

The answer to a start is written with the start, so that the same start asked again has the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from stepfast.engine.beginning import holder_of, reserved_moment
from stepfast.engine.ports import Clock, Store
from stepfast.engine.start_items import Hold, StartKey, TurnedAway, debounce_id, takes_more
from stepfast.errors import ExecutionConflict, ExecutionDeleted, ExecutionNotFound, InvalidRequest
from stepfast.language.limits import LONGEST_LIMIT_KEY, LabelKey, is_priority
from stepfast.language.starts import Key, StartOptions
from stepfast.language.workflows import Workflow
from stepfast.model import Execution
from stepfast.records import dataclass
from stepfast.shown import base_labels
from stepfast.standing import StartInfo, TurnedInto


@dataclass(frozen=True, slots=True)
class Started:
    """The execution that a start was turned into, and whether this call created it."""

    execution: Execution
    created: bool
    into: TurnedInto = "started"


def answer_of(execution: Execution, created: bool) -> Started:
    """The answer to the start that has created an execution, asked for the first time or again."""
    return Started(execution, created, execution.start.into if execution.start is not None else "started")


class Turns:
    """Puts executions of workflows with start options into a store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def start(self, workflow: Workflow[..., Any], execution: Execution, sent: str) -> Started:
        """Starts the execution as the options say. sent: the input as it was sent, as JSON text.

        Raises InvalidRequest where a key cannot be taken from the input, and ExecutionConflict.
        """
        assert workflow.starts is not None
        wanted = _wanted(workflow, workflow.starts, execution)
        while True:
            if execution.sent is not None:
                earlier = await self._earlier(workflow, execution, sent)
                if earlier is not None:
                    return earlier
            try:
                turn = self._try if workflow.starts.debounce is None else self._debounce
                started = await turn(workflow.starts, replace(execution, start=wanted))
            except ExecutionDeleted as error:
                first = error.generation + 1
                execution = replace(execution, generation=first, first_generation=first)
                continue
            if started is not None:
                return started

    async def _earlier(self, workflow: Workflow[..., Any], execution: Execution, sent: str) -> Started | None:
        """The answer that an equal call has got before."""
        id = execution.execution_id
        held = await self._store.read(id)
        if held is not None:
            check_same(workflow, held.workflow, held.input, held.sent, id, sent)
            return answer_of(held, False)
        turned = await self._store.starts.turned_away(id)
        if turned is None:
            return None
        check_same(workflow, turned.workflow, "", turned.sent, id, sent)
        return Started(await self._became(turned), False, turned.into)

    async def _became(self, turned: TurnedAway) -> Execution:
        became = await self._store.read(turned.became)
        if became is None:
            raise ExecutionNotFound(
                f"the start {turned.execution_id!r} was {turned.into}, for execution {turned.became!r}, "
                "which is deleted by now: start it under another id"
            )
        return became

    async def _try(self, options: StartOptions, execution: Execution) -> Started | None:
        """Starts it once; None if something has changed meanwhile."""
        start, hold, id = execution.start, None, None
        assert start is not None
        if start.key is not None:
            id = StartKey(execution.workflow, start.key)
            hold = await self._store.starts.hold(id)
            holder = await holder_of(self._store, hold)
            if holder is not None and options.on_conflict == "skip":
                return await self._skip(execution, holder, hold)
            ahead = holder.execution_id if holder is not None else await self._first_in_line(id)
            if ahead is not None:
                hold = None
                into: TurnedInto = "replaced" if options.on_conflict == "replace" else "waiting"
                start = replace(start, into=into, waits=True, replaced=ahead if into == "replaced" else None)
        if start.throttle is not None and not start.waits:
            moment = await reserved_moment(self._store, self._clock, execution.workflow, start)
            start = replace(start, begins_at=moment)
            if moment > self._clock.now():
                start = replace(start, into="waiting", waits=True)
        execution = replace(execution, start=start)
        if id is None:
            held = await self._store.create(execution)
        else:
            created = await self._store.create_in_turn(execution, hold)
            if created is None:
                return None
            held = created
        return answer_of(held, True) if held is execution else None

    async def _first_in_line(self, id: StartKey) -> str | None:
        place = await self._store.starts.first(id)
        return place.execution_id if place is not None else None

    async def _skip(self, execution: Execution, holder: Execution, hold: Hold) -> Started | None:
        turned = self._turned(execution, "skipped", holder)
        if turned is not None and not await self._store.starts.turn_away(turned, hold):
            return None
        return Started(holder, False, "skipped")

    async def _debounce(self, options: StartOptions, execution: Execution) -> Started | None:
        """Makes the start a part of the execution that waits, or a new one that waits; None as of `_try`."""
        start = execution.start
        assert start is not None
        assert start.debounce is not None
        begins_at = self._clock.now() + (options.debounce or 0.0)
        id = debounce_id(execution.workflow, start.debounce)
        hold = await self._store.starts.hold(id)
        waiting = await self._store.read(hold.holder) if hold.holder else None
        if waiting is None or waiting.start is None or not takes_more(waiting, id):
            execution = replace(execution, start=replace(start, into="waiting", waits=True, begins_at=begins_at))
            created = await self._store.create_in_turn(execution, hold)
            return answer_of(created, True) if created is execution else None
        moved = replace(waiting.start, begins_at=begins_at)
        turned = self._turned(execution, "debounced", waiting)
        if not await self._store.fold(waiting, moved, execution.input, turned):
            return None
        return Started(replace(waiting, input=execution.input, start=moved), False, "debounced")

    def _turned(self, execution: Execution, into: TurnedInto, became: Execution) -> TurnedAway | None:
        """What is kept of a start that creates nothing; None for a start without an id, which is never asked again."""
        if execution.sent is None:
            return None
        id, now = execution.execution_id, self._clock.now()
        return TurnedAway(id, execution.workflow, into, became.execution_id, execution.sent, now)


def check_same(
    workflow: Workflow[..., Any], runs: str, held: str, held_sent: str | None, execution_id: str, sent: str
) -> None:
    """Raises ExecutionConflict unless a start asks for what was started before under its id.

    runs, held, held_sent: the workflow, the input and the fingerprint of the earlier start.
    """
    if runs != workflow.name:
        raise ExecutionConflict(f"execution {execution_id!r} exists and runs workflow {runs!r}, not {workflow.name!r}")
    if not workflow.input.same_start(held, held_sent, sent):
        raise ExecutionConflict(f"execution {execution_id!r} exists with another input; use another id to run it again")


def _wanted(workflow: Workflow[..., Any], options: StartOptions, execution: Execution) -> StartInfo:
    """The start as it is wanted: with its keys and its priority. Raises InvalidRequest."""

    def of(name: str, function: Callable[..., Any]) -> Any:
        try:
            return workflow.called_with(function, execution.input)
        except Exception as error:
            raise InvalidRequest(
                f"{name} of workflow {workflow.name!r} raised {type(error).__name__}: {error}: send an input that the "
                "function takes, or fix the function"
            ) from error

    def key(name: str, wanted: Key) -> str:
        value = (
            _label(base_labels(execution.labels, execution.shown, execution.run), wanted)
            if isinstance(wanted, LabelKey)
            else of(name, wanted)
        )
        if not isinstance(value, str) or len(value) > LONGEST_LIMIT_KEY:
            shown = type(value).__name__ if not isinstance(value, str) else f"a text of {len(value)} characters"
            raise InvalidRequest(
                f"{name} of workflow {workflow.name!r} is {shown} for this input, and must be a text of at most "
                f"{LONGEST_LIMIT_KEY} characters: fix the function"
            )
        return value

    priority = of("priority", options.priority) if callable(options.priority) else options.priority
    if not is_priority(priority):
        raise InvalidRequest(
            f"priority of workflow {workflow.name!r} is {priority!r} for this input, and must be a whole number from 0 "
            "to 999: fix the function"
        )
    throttle = None
    if (rate := options.throttle) is not None:
        of_what = "" if options.throttle_key is None else key("throttle_key", options.throttle_key)
        throttle = (of_what, rate.count, rate.per, rate.burst)
    singleton = None if options.singleton is None else key("singleton", options.singleton)
    debounce = None
    if options.debounce is not None:
        debounce = "" if options.debounce_key is None else key("debounce_key", options.debounce_key)
    return StartInfo("started", singleton, priority=priority, throttle=throttle, debounce=debounce)


def _label(labels: Mapping[str, str], key: LabelKey) -> str:
    return labels.get(key.name, "")
