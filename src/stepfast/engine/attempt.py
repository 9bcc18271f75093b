"""One attempt of a step: what this worker owns of it, and the record of its end (rules *claim*, *retry*)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from stepfast.engine.claims import released
from stepfast.engine.gates import GatePass
from stepfast.engine.limit_items import Permit
from stepfast.engine.messages import Message
from stepfast.engine.opening import OpenedReplay
from stepfast.engine.step_runner import Ended, Pulse
from stepfast.errors import NotStorable, StepTimeout
from stepfast.language.retry import decide
from stepfast.language.steps import Step
from stepfast.model import Execution, Record, changed, close_attempt
from stepfast.replay.failures import describe_error
from stepfast.replay.replay import Command, Replay

SKEW = 2.0
"""Seconds that clocks of two machines may differ."""


@dataclass(slots=True, eq=False)
class OwnedStep:
    """A step that this worker owns: its claim, and what the store has of its record.

    opened: the execution's replay, which goes on with the step's outcome. None for a step with siblings: it is run
    alone. looked: when the execution was last read. order: the number of entries of the order's log under which the
    command was last known to be asked for. None while the command is the only one outstanding: then nothing can take it
    back. unanswered: the store did not answer a write of the record, which may have been made. permits: what the
    attempt has of its limits. passes: of the gates it has passed.
    """

    message: Message
    execution: Execution
    opened: OpenedReplay | None
    command: Command
    record: Record
    looked: float
    order: int | None = None
    unanswered: bool = False
    permits: tuple[Permit, ...] = ()
    passes: tuple[GatePass, ...] = ()
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def replay(self) -> Replay | None:
        return self.opened.replay if self.opened is not None else None

    @property
    def step(self) -> Step[..., object]:
        assert self.command.step is not None
        return self.command.step

    def go_on(
        self,
        command: Command,
        record: Record,
        permits: tuple[Permit, ...] = (),
        passes: tuple[GatePass, ...] = (),
    ) -> None:
        """The next step of the chain: its claim is stored by now, and nothing of its record is."""
        self.command, self.record, self.order, self.unanswered = command, record, None, False
        self.permits, self.passes = permits, passes

    def resumed(self, execution: Execution) -> None:
        """The execution was resumed and still waits for this very claim: its outcome counts in the new generation."""
        self.execution, self.opened, self.order = execution, None, -1

    def keep(self) -> None:
        """Gives the replay to whoever goes on with the execution; it has taken only what is stored."""
        if self.opened is not None:
            self.opened.keep()


def outcome(run: OwnedStep, ended: Ended, now: float, draw: random.Random) -> Record:
    """The record of an attempt's end: SUCCEEDED, RETRYING until a time, or FAILED."""
    step, error = run.step, ended.error
    if ended.stop is not None:
        return released(run.record, step, ended.stop, now)
    revision, generation = run.record.revision + 1, run.execution.generation
    if error is None:
        try:
            text = ended.output if ended.output is not None else step.result.text(ended.value)
            return run.record.succeeded("SUCCEEDED", generation, revision, None, None, text, now)
        except NotStorable as refused:
            error = refused
    held = changed(run.record, generation=generation, revision=revision, lease=None, due=None)
    failure = replace(ended.failure or describe_error(error), step=step.name)
    delay = None
    if not (step.at_most_once and isinstance(error, StepTimeout)):
        failures = held.attempt - held.interrupted
        # A resume begins the time for tries anew: the operator may have come days after the failure.
        elapsed = now - max(held.first_at or now, run.execution.resumed_at or 0.0)
        if step.limits:
            elapsed -= waited(run.record)
        delay = decide(step.retry, error, failures=failures, elapsed=elapsed, draw=draw)
    if delay is None:
        return replace(close_attempt(held, now, failure, None), status="FAILED", error=failure, ended_at=now)
    return replace(close_attempt(held, now, failure, now + delay), status="RETRYING", error=failure, due=now + delay)


def waited(record: Record) -> float:
    """Seconds for which the attempts of a step were late: it has waited for its limits, or at a gate.

    Such a wait uses up no time for tries. record: as it stands while its last attempt runs.
    """
    past = record.attempts
    if not past:
        return 0.0
    starts = [*(attempt.started_at for attempt in past[1:]), record.started_at or 0.0]
    dues = [attempt.next_at or attempt.ended_at or start for attempt, start in zip(past, starts, strict=True)]
    return sum(max(0.0, start - due) for start, due in zip(starts, dues, strict=True))
