"""What clients and operators ask for: start, signal, cancel, resume, replay of dead letters, sweep."""

from __future__ import annotations

import json
import logging
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stepfast.engine.advancer import Advancer, Resend
from stepfast.engine.holdovers import Held, held_up
from stepfast.engine.metrics import tallies_of
from stepfast.engine.ports import Clock, Store
from stepfast.engine.queries import Reading, found
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.rewind import Rewind, check_steps, rewind
from stepfast.errors import (
    ExecutionConflict,
    ExecutionDeleted,
    InvalidRequest,
    Misconfigured,
    NotStorable,
    Refused,
    Unavailable,
    WrongStatus,
)
from stepfast.language.options import NAME
from stepfast.language.registry import Registry
from stepfast.model import ENDED, SIGNAL_LIMITS, Execution, Record, Signal, SignalLimits, Snapshot
from stepfast.replay.replay import Command
from stepfast.replay.signals import misfit, waits_of
from stepfast.values.sameness import same_json, was_sent

log = logging.getLogger(__name__)

EXECUTION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
SWEEP_BATCH = 200
PATIENCE, MOMENT = 20, 0.002
"""How often a replay that is in use is asked for, and seconds in between, before the code is run for itself."""


@dataclass(frozen=True, slots=True)
class Started:
    """The execution that holds the id, and whether this call created it."""

    execution: Execution
    created: bool


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of one dead letter's replay; `refused` says why an execution was left alone.

    `notice` says that no failed step stood behind the failure, so that none is run again.
    """

    execution_id: str
    resumed: bool
    refused: str | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal as it is stored, and whether this call has put it.

    waited_for: the names of the signals that the execution was waiting for, None where that was not looked at.
    """

    signal: Signal
    created: bool
    waited_for: tuple[str, ...] | None


class Operations(Reading):
    """Every way in from outside; each is safe to repeat."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        registry: Registry,
        advancer: Advancer,
        lives: LiveReplays | None = None,
        signal_limits: SignalLimits = SIGNAL_LIMITS,
    ) -> None:
        super().__init__(store, clock, registry)
        self._advancer = advancer
        self._lives, self._signal_limits = lives or LiveReplays(), signal_limits

    # -- starting ----------------------------------------------------------------------------------------

    async def start(
        self,
        workflow: str,
        input: Any,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Started:
        """Starts an execution, or returns the one that the same call has started before (rule *start once*).

        `input` is parsed JSON. Without an id a new one is made, so the call is then not repeatable.
        Raises UnknownWorkflow, InvalidRequest (naming the fields), and ExecutionConflict when the id
        belongs to another workflow or another input. Inputs are the same when the same JSON was sent, or JSON
        that validation makes the same of before any default factory runs.
        """
        found = self._registry.find(workflow)
        if execution_id is not None and not EXECUTION_ID.fullmatch(execution_id):
            raise InvalidRequest(
                "an execution id is 1 to 128 of A-Z a-z 0-9 . _ -", (("execution_id", "bad characters"),)
            )
        asked = _text(input)
        try:
            text = found.input.stored(asked)
        except (InvalidRequest, NotStorable) as error:
            # A deadline that had to be in the future, say, when the first of two equal calls came.
            earlier = await self._store.read(execution_id) if execution_id else None
            if earlier is not None and earlier.workflow == workflow and was_sent(earlier.sent, asked):
                return Started(earlier, False)
            if isinstance(error, InvalidRequest):
                raise
            raise InvalidRequest(str(error), ((error.path.lstrip("."), str(error)),)) from error
        execution = Execution(
            execution_id=execution_id or new_id(self._clock.now()),
            workflow=workflow,
            input=text,
            created_at=self._clock.now(),
            labels=dict(labels or {}),
            sent=found.input.sent(asked) if execution_id else None,
        )
        execution, held = await self._created(execution)
        if held is execution:
            return Started(execution, True)
        if held.workflow != workflow:
            raise ExecutionConflict(
                f"execution {held.execution_id!r} exists and runs workflow {held.workflow!r}, not {workflow!r}"
            )
        if not found.input.same_start(held.input, held.sent, asked):
            raise ExecutionConflict(
                f"execution {held.execution_id!r} exists with another input; use another id to run it again"
            )
        return Started(held, False)

    async def _created(self, execution: Execution) -> tuple[Execution, Execution]:
        """The execution as it was asked for, and the one that holds its id: the same if it was created."""
        while True:
            try:
                return execution, await self._store.create(execution)
            except ExecutionDeleted as error:  # another of this id was: this one begins above its generations
                first = error.generation + 1
                execution = replace(execution, generation=first, first_generation=first)

    # -- steering ----------------------------------------------------------------------------------------

    async def signal(self, execution_id: str, name: str, payload: Any, signal_id: str | None = None) -> Sent:
        """Sends a signal; safe to repeat under the same signal id.

        `payload` is parsed JSON, checked against the type the workflow waits for when it is waiting for
        this name. Raises ExecutionNotFound, InvalidRequest, WrongStatus when the execution has ended
        for good, ExecutionConflict when the signal id was used for something else, and TooManySignals.
        """
        if not NAME.fullmatch(name):
            raise InvalidRequest("a signal name is 1 to 64 of A-Z a-z 0-9 . _ -", (("name", "bad characters"),))
        if signal_id is not None and not EXECUTION_ID.fullmatch(signal_id):
            raise InvalidRequest("a signal id is 1 to 128 of A-Z a-z 0-9 . _ -", (("signal_id", "bad characters"),))
        text = _text(payload)
        held = await self._held(execution_id, signal_id)
        if held is None:
            signal = Signal(signal_id or str(uuid.uuid4()), name, text, self._clock.now())
            try:
                waits = await self._waits(execution_id)
                _check_payload(waits, name, text)
                held = await self._store.add_signal(execution_id, signal, self._signal_limits)
            except (WrongStatus, InvalidRequest):
                # An equal call may have come first since, and its signal has ended the execution, or a wait of it.
                held = await self._held(execution_id, signal_id)
                if held is None:
                    raise
            else:
                if held is signal:
                    return Sent(held, True, tuple(dict.fromkeys(one.name for one in waits)))
        if held.name != name or not same_json(held.payload, text):
            raise ExecutionConflict(f"signal id {signal_id!r} was used before for another signal or payload")
        return Sent(held, False, None)

    async def _held(self, execution_id: str, signal_id: str | None) -> Signal | None:
        return None if signal_id is None else await self._store.signal(execution_id, signal_id)

    async def _waits(self, execution_id: str) -> tuple[Command, ...]:
        """The signals that an execution waits for now; ExecutionNotFound, WrongStatus when it takes none any more.

        A replay that is kept knows them; where none is, or it is behind, the code is run against what is stored.
        """
        runs = any(one.status == "RUNNING" for one in await self.read_many([execution_id]))
        for _ in range(PATIENCE if runs else 0):
            kept = self._lives.waits(execution_id)
            if kept is not None:
                known = found(await self._store.load(execution_id, kept.mark, signals=False), execution_id)
                if kept.stand(known):
                    return kept.commands
            elif not self._lives.is_out(execution_id):
                break
            await self._clock.sleep(MOMENT)  # an advance is under way: what it leaves behind will do
        snapshot = await self.load(execution_id, signals=False)
        status = snapshot.execution.status
        if status in ("SUCCEEDED", "CANCELLED"):
            raise WrongStatus(f"execution {execution_id!r} is {status}: it takes no more signals", status)
        return tuple(waits_of(self.replay(snapshot)))

    async def cancel(self, execution_id: str) -> Execution:
        """Ends a RUNNING execution; running steps' results are refused from here on (rule *cancel*).

        Raises ExecutionNotFound, and WrongStatus when it is not RUNNING.
        """
        while True:
            snapshot = await self.load(execution_id)
            execution = snapshot.execution
            if execution.status != "RUNNING":
                raise WrongStatus(
                    f"execution {execution_id!r} is {execution.status}: only a RUNNING one can be cancelled",
                    execution.status,
                )
            now = self._clock.now()
            ended = replace(execution, status="CANCELLED", ended_at=now)
            tallies = tallies_of(ended, snapshot.records.values())
            if await self._store.cancel(ended, self._cancelled(snapshot, now), tallies, snapshot.cursor.revision):
                return ended

    def _cancelled(self, snapshot: Snapshot, now: float) -> list[Record]:
        """A CANCELLED record for every command that is stored without an outcome, or only asked for."""
        records, generation = snapshot.records, snapshot.execution.generation
        stored = [
            replace(one, status="CANCELLED", revision=one.revision + 1, ended_at=now, lease=None, due=None)
            for one in records.values()
            if not one.recorded
        ]
        replay = self.replay(snapshot)
        asked = [
            Record(one.id, one.kind, one.name, "CANCELLED", generation, input=one.input, ended_at=now)
            for one in (replay.outstanding.values() if replay and not replay.finished else ())
            if one.id not in records
        ]
        return stored + asked

    async def resume(
        self, execution_id: str, generation: int | None = None, steps: Sequence[str] | None = None
    ) -> Execution:
        """Rewinds a FAILED execution to just before its failure and runs on (rule *rewind*).

        generation: resume only that one's failure, as a redriven dead letter does; then an execution
        that has gone on since is returned as it is. steps: ids of the commands to run again, in place of those
        that stand behind the failure (`Execution.causes`); what was decided after them is decided anew; empty runs
        the code at hand on all that is recorded. Raises ExecutionNotFound, UnknownWorkflow, WrongStatus when it is not
        FAILED, and InvalidRequest for a command that cannot run again.
        """
        return (await self.rewind(execution_id, generation, steps)).execution

    async def rewind(
        self, execution_id: str, generation: int | None = None, steps: Sequence[str] | None = None
    ) -> Rewind:
        """As `resume`; returns the execution with what was re-opened, which is nothing if another was faster."""
        while True:
            snapshot = await self.load(execution_id)
            execution = snapshot.execution
            if generation is not None and (execution.generation != generation or execution.status != "FAILED"):
                return Rewind(execution, None, (), ())
            if execution.status != "FAILED":
                raise WrongStatus(
                    f"execution {execution_id!r} is {execution.status}: only a FAILED one can be resumed",
                    execution.status,
                )
            check_steps(snapshot, steps or ())
            named = {} if steps is None else {"steps": steps}
            plan = rewind(self._registry.find(execution.workflow), snapshot, self._clock.now(), **named)
            if await self._store.rewind(plan.execution, plan.cursor, plan.records, plan.history):
                return plan
            generation = execution.generation  # if another was faster, its resume is ours

    async def delete(self, execution_id: str) -> None:
        """Deletes an execution that has ended, with all that is of it; its figures stay.

        Raises ExecutionNotFound, also for one that was deleted before, and WrongStatus when it is RUNNING.
        """
        while True:
            execution = await self.read(execution_id)
            if execution.status not in ENDED:
                raise WrongStatus(
                    f"execution {execution_id!r} is {execution.status}: cancel it first, then delete it",
                    execution.status,
                )
            if await self._store.erase(execution):
                log.info("execution %s, which was %s, is deleted", execution_id, execution.status)
                return

    async def held_up(self, execution_id: str) -> list[Held]:
        """The steps of a resumed execution that an attempt from before the resume still has; ExecutionNotFound."""
        snapshot = await self.load(execution_id)
        return held_up(snapshot, self.replay(snapshot))

    async def replay_dead_letters(self, execution_ids: Sequence[str], rate: float | None = None) -> list[Resumed]:
        """Resumes failed executions one after the other, at most `rate` per second.

        What cannot be resumed is reported and does not stop the others.
        """
        results = []
        for index, execution_id in enumerate(execution_ids):
            if index and rate:
                await self._clock.sleep(1 / rate)
            try:
                plan = await self.rewind(execution_id)
                results.append(Resumed(execution_id, True, notice=plan.notice))
            except Refused as error:
                results.append(Resumed(execution_id, False, str(error)))
        return results

    async def sweep(self, after: str = "", every: float = 0.0, limit: int = SWEEP_BATCH) -> str:
        """Advances up to `limit` executions that nothing is under way for, from this position on (rule *sweep*).

        Returns the position to go on from, "" when all were seen. every: seconds between two visits of one
        execution, for a store that cannot tell whether messages are under way: then what an execution waits
        for is sent again only once it is overdue.
        """
        ids, position = await self._store.idle(limit, after)
        for execution_id in ids:
            try:
                await self._advancer.advance(execution_id, resend=Resend(every))
            except (Unavailable, Misconfigured):
                raise  # the others would fare no better; the next sweep begins here again
            except Exception:
                log.exception("execution %s could not be advanced; the sweep goes on with the others", execution_id)
        return position


def _check_payload(waits: Sequence[Command], name: str, text: str) -> None:
    """InvalidRequest where the signal is waited for and fits none of the waits."""
    asked = [one for one in waits if one.name == name]
    errors = [misfit(one, text) for one in asked]
    if errors and None not in errors and errors[-1] is not None:
        raise errors[-1]


def new_id(now: float) -> str:
    """A UUID of version 7 (RFC 9562): those made at one time lie side by side in an index."""
    made = (int(now * 1000) & (1 << 48) - 1) << 80 | 7 << 76 | secrets.randbits(12) << 64
    return str(uuid.UUID(int=made | 2 << 62 | secrets.randbits(62)))


def _text(value: Any) -> str:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        return text
    except UnicodeEncodeError as error:
        raise InvalidRequest("the text holds half a surrogate pair, which no UTF-8 can carry") from error
    except ValueError as error:
        raise InvalidRequest("NaN and Infinity are not JSON; leave the field out or send null") from error
