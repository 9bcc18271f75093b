"""The engine's values as the API shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import PydanticInvalidForJsonSchema, PydanticUserError

from stepfast.engine.holdovers import Held
from stepfast.engine.listing import FaultGroup
from stepfast.engine.rewind import Rewind
from stepfast.engine.signalling import Sent
from stepfast.http import values
from stepfast.http.models import (
    DeadLetterView,
    ErrorView,
    EventView,
    ExecutionView,
    FaultGroupView,
    FaultView,
    ResumedExecution,
    RetryView,
    SignalNotTakenView,
    SignalView,
    StatusView,
    StepView,
    WaitView,
    WorkflowView,
)
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import Event, Execution, Failure, Signal
from stepfast.replay.signals import Refusal
from stepfast.values.codec import Codec

_LAST = 253402300799.0
"""The last second that a datetime can tell."""


def time(at: float) -> str:
    """ISO 8601 in UTC with microseconds; what lies beyond the year 9999 is shown as its end."""
    return datetime.fromtimestamp(min(at, _LAST), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_or_none(at: float | None) -> str | None:
    return None if at is None else time(at)


def error(failure: Failure | None) -> ErrorView | None:
    if failure is None:
        return None
    return ErrorView(
        type=_shown(failure.type) or "",
        message=_shown(failure.message) or "",
        step=failure.step,
        traceback=_shown(failure.traceback),
        error_class=_shown(failure.error_class),
    )


def _shown(text: str | None) -> str | None:
    """File names that are not UTF-8 get into messages as lone surrogates, which JSON cannot carry."""
    return None if text is None else text.encode(errors="backslashreplace").decode()


def fields(execution: Execution, largest: int | None = None) -> dict[str, Any]:
    """Of an ExecutionView, without the values that have more bytes than `largest`."""
    return _standing(execution) | values.shown(largest, input=execution.input, result=execution.result)


def execution(one: Execution, largest: int | None = None) -> ExecutionView:
    return ExecutionView(**fields(one, largest))


def resumed(plan: Rewind, waits: Sequence[Held], *, named: bool) -> ResumedExecution:
    """named: whether the caller has said which commands run again."""
    shown = [WaitView(command=held.command_id, attempt=held.attempt, until=time(held.until)) for held in waits]
    notice = None if named else plan.notice
    return ResumedExecution(**fields(plan.execution), reopened=plan.reopened, notice=notice, waits=shown)


def unread(one: Execution) -> ExecutionView:
    """One whose values were not read, so that nobody knows their length."""
    omitted = ("input", "result") if one.status == "SUCCEEDED" else ("input",)
    return ExecutionView(**_standing(one), input=None, result=None, omitted=dict.fromkeys(omitted))


def _standing(execution: Execution) -> dict[str, Any]:
    return {
        "execution_id": execution.execution_id,
        "workflow": execution.workflow,
        "status": execution.status,
        "error": error(execution.error),
        "labels": dict(execution.labels),
        "created_at": time(execution.created_at),
        "ended_at": time_or_none(execution.ended_at),
        "generation": execution.generation,
        "resumes": execution.resumes,
        "reopens": list(execution.causes) if execution.status == "FAILED" else None,
    }


def status(one: Execution) -> StatusView:
    failure = one.error
    return StatusView(
        execution_id=one.execution_id,
        workflow=one.workflow,
        status=one.status,
        generation=one.generation,
        ended_at=time_or_none(one.ended_at),
        error=FaultView(type=_shown(failure.type) or "", step=failure.step) if failure else None,
    )


def signal(one: Signal) -> SignalView:
    return SignalView(
        signal_id=one.signal_id, name=one.name, payload=values.value(one.payload), received_at=time(one.received_at)
    )


def sent(one: Sent) -> SignalView:
    """With a word on what is waited for, where it is another signal or none."""
    waits = one.waited_for
    if waits is None or one.signal.name in waits:
        return signal(one.signal)
    names = ", ".join(waits[:20])
    note = f"it waits for {names}" if waits else "it waits for no signal now"
    note += f"; {one.signal.name} is kept in case it is asked for later"
    return signal(one.signal).model_copy(update={"note": note, "waits_for": list(waits[:20])})


def not_taken(one: Refusal) -> SignalNotTakenView:
    signal = one.signal
    return SignalNotTakenView(
        signal_id=signal.signal_id, name=signal.name, received_at=time(signal.received_at), reason=one.reason
    )


def event(one: Event) -> EventView:
    details = {key: time(at) if key.endswith("_at") and isinstance(at, float) else at for key, at in _flat(one)}
    return EventView(at=time(one.at), type=one.type, command=one.command, **details)


def _flat(one: Event) -> list[tuple[str, Any]]:
    return [(key, _error_shown(found) if key == "error" else found) for key, found in one.details.items()]


def _error_shown(found: object) -> object:
    if not isinstance(found, Mapping):
        return found
    return {key: _shown(text) if isinstance(text, str) else text for key, text in found.items()}


def dead_letter(one: Execution) -> DeadLetterView:
    return DeadLetterView(
        execution_id=one.execution_id,
        workflow=one.workflow,
        step=one.error.step if one.error else None,
        error=error(one.error),
        created_at=time(one.created_at),
        ended_at=time_or_none(one.ended_at),
        generation=one.generation,
        resumes=one.resumes,
    )


def fault_group(one: FaultGroup) -> FaultGroupView:
    return FaultGroupView(
        workflow=one.workflow,
        step=one.step,
        error=_shown(one.error),
        error_class=_shown(one.error_class),
        count=one.count,
        again=one.again,
        newest=time(one.newest),
        execution_id=one.execution_id,
    )


def workflow(one: Workflow[..., Any], registry: Registry) -> WorkflowView:
    return WorkflowView(
        name=one.name,
        description=_first_line(one.__doc__),
        input_schema=schema(one.input),
        result_schema=schema(one.result),
        steps=[_step(step) for step in registry.steps_of(one)],
    )


def _step(one: Step[..., Any]) -> StepView:
    policy = one.retry
    return StepView(
        name=one.name,
        pool=one.pool,
        timeout=one.timeout,
        heartbeat=one.heartbeat,
        at_most_once=one.at_most_once,
        description=_first_line(one.__doc__),
        retry=RetryView(
            max_attempts=policy.max_attempts,
            initial=policy.initial,
            backoff=policy.backoff,
            max_delay=policy.max_delay,
            jitter=policy.jitter,
            max_elapsed=policy.max_elapsed,
            retry_on=[kind.__name__ for kind in policy.retry_on],
            give_up_on=[kind.__name__ for kind in policy.give_up_on],
        ),
    )


def schema(codec: Codec) -> dict[str, Any]:
    try:
        return codec.json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}  # a type that pydantic checks but JSON Schema cannot say: anything goes, as far as it can tell


def _first_line(doc: str | None) -> str:
    return next((line.strip() for line in (doc or "").splitlines() if line.strip()), "")
