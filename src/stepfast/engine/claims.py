"""Who may run a step next, and the record that says so: claims, leases and chains (rules *claim*, *chain*). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from stepfast.engine.tokens import claim_token
from stepfast.errors import StepCancelled, StepInterrupted
from stepfast.language.steps import Step
from stepfast.model import Chained, Execution, Failure, Record, Stop, changed, close_attempt, run_of
from stepfast.replay.replay import Command
from stepfast.stored_text import text_of
from stepfast.values.codec import digest

LEASE_MARGIN = 10.0
"""Seconds a lease outlives the step's timeout: time to record the outcome, and clock skew."""
MAX_INTERRUPTED = 10
"""Of the attempts that a record keeps, how many may be cut off by dying workers before the step fails."""


def idempotency_key(run_id: str, id: str, input: str) -> str:
    """What a step hands to a service, so that it does its work once: the same in every attempt on this input.

    Another run of the execution has other keys.
    """
    return f"{run_of(run_id)[0]}-{digest(f'{run_id}/{id}/{input}')}"


def end_of_chain(records: Mapping[str, Record], generation: int, id: str) -> tuple[str, Chained | None]:
    """A message leads to the end of the chain that it started."""
    chained: Chained | None = None
    while (record := records.get(id)) is not None and record.then is not None:
        if record.then.generation != generation:
            break
        chained = record.then
        id = chained.id
    return id, chained


def busy_until(record: Record | None, chained: Chained | None) -> float:
    """When the step may be claimed next: the due time of its retry, or the end of the lease on it; 0.0 for now."""
    if record is not None:
        match record.status:
            case "RETRYING":
                return record.due or 0.0
            case "RUNNING":
                return record.lease or 0.0
            case "OPEN" | "SUCCEEDED" | "FAILED" | "CANCELLED":
                pass
            case _:
                assert_never(record.status)
    return chained.lease if chained else 0.0


def claim_of(
    execution: Execution, command: Command, record: Record | None, chained: Chained | None, now: float
) -> Record:
    """The record that claims a step, or fails it when it was interrupted and must not run again."""
    step = command.step
    assert step is not None
    if record is None and chained is None:
        return _first_claim(execution, command, step, now)
    held = record
    if held is None or held.status == "OPEN":
        held = (
            chained_record(execution, command, chained, record) if chained else _fresh(execution, command, record, now)
        )
    revision = record.revision + 1 if record else 1
    if (record is not None and record.status == "RUNNING") or (chained and (record is None or record.status == "OPEN")):
        held = close_attempt(replace(held, interrupted=held.interrupted + 1), None, None, now)
        crashes = sum(attempt.crashed for attempt in held.attempts)
        if step.at_most_once or crashes >= MAX_INTERRUPTED:
            why = "it runs at most once" if step.at_most_once else f"it was interrupted {crashes} times"
            failure = Failure(
                StepInterrupted.__name__, f"the process running it died in the middle, and {why}", step.name
            )
            return replace(held, status="FAILED", revision=revision, error=failure, ended_at=now, lease=None, due=None)
    return changed(
        held,
        status="RUNNING",
        generation=execution.generation,
        revision=revision,
        attempt=held.attempt + 1,
        token=claim_token(now),
        lease=now + step.lease + LEASE_MARGIN,
        due=None,
        started_at=now,
        input=held.input,
        error=None,
    )


def unfit(
    execution: Execution,
    command: Command,
    record: Record | None,
    chained: Chained | None,
    error: Exception,
    now: float,
) -> Record:
    """The record of a step that fails before an attempt of it begins, so that a resume tries it again."""
    held = record
    if held is None or held.status == "OPEN":
        held = (
            chained_record(execution, command, chained, record) if chained else _fresh(execution, command, record, now)
        )
    failure = Failure(type(error).__name__, str(error), command.name)
    return changed(
        held,
        status="FAILED",
        generation=execution.generation,
        revision=record.revision + 1 if record else 1,
        error=failure,
        ended_at=now,
        lease=None,
        due=None,
    )


def released(record: Record, step: Step[..., object], stop: Stop, now: float) -> Record:
    """The record of an attempt that the engine has stopped: it is due at once, wherever it is asked for again.

    That is neither a failure nor a crash. A step that runs at most once has had its attempt, unless its function was
    not called yet; after the end of the execution no step is tried again.

    An attempt whose process has died, which this worker has seen, counts as the crash that `claim_of` finds by a lease
    that is over: the step fails after MAX_INTERRUPTED of them.
    """
    kind = StepInterrupted if stop.crashed else StepCancelled
    failure = Failure(kind.__name__, stop.reason, step.name)
    held = replace(record, revision=record.revision + 1, interrupted=record.interrupted + 1, lease=None, due=None)
    held = close_attempt(held, now, failure, None)
    if stop.final:
        return replace(held, status="CANCELLED", error=failure, ended_at=now)
    crashes = sum(attempt.crashed for attempt in held.attempts) if stop.crashed else 0
    if crashes >= MAX_INTERRUPTED or (step.at_most_once and not stop.unbegun):
        why = "it runs at most once" if step.at_most_once else f"it was interrupted {crashes} times"
        message = f"it was stopped in the middle ({stop.reason}), and {why}"
        failure = Failure(StepInterrupted.__name__, message, step.name)
        return replace(held, status="FAILED", error=failure, ended_at=now)
    return replace(held, status="RETRYING", error=failure, due=now)


def _first_claim(execution: Execution, command: Command, step: Step[..., object], now: float) -> Record:
    """The claim of a step that nothing is stored of: as claim_of makes it, without copies on the way."""
    return Record(
        command.id,
        "step",
        command.name,
        "RUNNING",
        execution.generation,
        attempt=1,
        token=claim_token(now),
        lease=now + step.lease + LEASE_MARGIN,
        input=command.input,
        first_at=now,
        started_at=now,
    )


def _fresh(execution: Execution, command: Command, record: Record | None, now: float) -> Record:
    """The record before the first attempt. An operator may have given it another input than the code does."""
    revision = record.revision if record else 0
    repaired = record if record is not None and record.repair is not None else None
    return Record(
        command.id,
        "step",
        command.name,
        "OPEN",
        execution.generation,
        revision=revision,
        first_at=now,
        input=repaired.input if repaired else command.input,
        repair=repaired.repair if repaired else None,
        progress=record.progress if record is not None and _goes_on(record, command) else None,
    )


def _goes_on(record: Record, command: Command) -> bool:
    """Whether progress of the attempts before a resume is progress with the input that the step has now."""
    return record.progress is not None and (record.repair is not None or text_of(record.input) == command.input)


def chained_record(
    execution: Execution, command: Command, chained: Chained, record: Record | None, token: str | None = None
) -> Record:
    """The record as the chain's claim stands for it: first attempt running, nothing of it stored yet.

    token: of the claim that the chain began with. A worker that claims the step from a dead chain makes
    a token of its own.
    """
    revision, began = record.revision if record is not None else 0, chained.started_at
    # Each step of a chain makes one. By position, since a call of a class by keywords takes twice the time (3.11).
    return Record(
        command.id, "step", command.name, "RUNNING", execution.generation, revision, 1, 0, token, chained.lease, None,
        command.input, None, None, began, began,
    )  # fmt: skip
