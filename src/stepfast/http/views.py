"""Converts the engine's values into the API's models. Pure."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import PydanticInvalidForJsonSchema, PydanticUserError

from stepfast.engine.holdovers import HeldStep
from stepfast.engine.listing import FaultGroup
from stepfast.engine.rewind import Rewind
from stepfast.engine.signalling import Sent
from stepfast.engine.turns import Started
from stepfast.engine.workflow_pauses import WorkflowPause
from stepfast.http import values
from stepfast.http.models import (
    DeadLetterView,
    ErrorView,
    EventView,
    ExecutionView,
    FaultGroupView,
    FaultView,
    ForkedFromView,
    InterventionView,
    ParentView,
    ResumedExecution,
    SignalNotTakenView,
    SignalView,
    StartedExecution,
    StatusView,
    WaitView,
)
from stepfast.http.moments import time as time
from stepfast.http.workflow_models import RetryView, StepView, WorkflowPauseView, WorkflowView
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import Event, Execution, Failure, Link, Signal
from stepfast.replay.signals import Refusal
from stepfast.shown import status_value
from stepfast.standing import ForkedFrom, Intervention
from stepfast.values.codec import Codec


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
    """Replaces lone surrogates.

    File names that are not UTF-8 bring them into messages, and UTF-8 cannot encode them.
    """
    return None if text is None else text.encode(errors="backslashreplace").decode()


def fields(execution: Execution, largest: int | None = None) -> dict[str, Any]:
    """The fields of an ExecutionView, without values larger than `largest` bytes."""
    return _standing(execution) | values.shown(largest, input=execution.input, result=execution.result)


def execution(execution: Execution, largest: int | None = None) -> ExecutionView:
    return ExecutionView(**fields(execution, largest))


def started(started: Started) -> StartedExecution:
    execution = started.execution
    replaced = execution.start.replaced if execution.start is not None and started.into == "replaced" else None
    return StartedExecution(**fields(execution), turned_into=started.into, replaced=replaced)


def resumed(plan: Rewind, waits: Sequence[HeldStep], *, named: bool) -> ResumedExecution:
    """named: whether the caller has named the commands to run again."""
    shown = [WaitView(command=held.command_id, attempt=held.attempt, until=time(held.until)) for held in waits]
    notice = None if named else plan.notice
    return ResumedExecution(**fields(plan.execution), reopened=plan.reopened, notice=notice, waits=shown)


def unread(execution: Execution) -> ExecutionView:
    """An execution whose values were not read, so that their length is unknown."""
    omitted = ("input", "result") if execution.status == "SUCCEEDED" else ("input",)
    return ExecutionView(**_standing(execution), input=None, result=None, omitted=dict.fromkeys(omitted))


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
        "progress": json.loads(execution.progress) if execution.progress else [],
        "status_value": status_value(execution.shown),
        "run": execution.run,
        "began_at": time_or_none(execution.began_at),
        "continued": execution.continued,
        "reopens": list(execution.causes) if execution.status == "FAILED" else None,
        "parent": _parent(execution.link),
        "begun": not execution.waits,
        "begins_at": time_or_none(execution.start.begins_at) if execution.start is not None else None,
        "intervention": _intervention(execution.intervention),
        "forked_from": _forked(execution.forked),
    }


def _forked(forked: ForkedFrom | None) -> ForkedFromView | None:
    if forked is None:
        return None
    says = {"run": forked.run, "before": list(forked.before), "at": time(forked.at)}
    return ForkedFromView(execution_id=forked.execution_id, **says, by=forked.by, why=forked.why)


def _intervention(hand: Intervention | None) -> InterventionView | None:
    if hand is None:
        return None
    says = {"action": hand.action, "at": time(hand.at), "by": hand.by, "why": hand.why, "parent": hand.parent}
    return InterventionView(**says, cleanup_seconds=hand.cleanup)


def _parent(link: Link | None) -> ParentView | None:
    if link is None:
        return None
    return ParentView(execution_id=link.parent, command=link.command, root=link.root, depth=link.depth, left=link.left)


def status(execution: Execution) -> StatusView:
    failure = execution.error
    return StatusView(
        execution_id=execution.execution_id,
        workflow=execution.workflow,
        status=execution.status,
        generation=execution.generation,
        ended_at=time_or_none(execution.ended_at),
        error=FaultView(type=_shown(failure.type) or "", step=failure.step) if failure else None,
    )


def signal(signal: Signal) -> SignalView:
    return SignalView(
        signal_id=signal.signal_id,
        name=signal.name,
        payload=values.value(signal.payload),
        received_at=time(signal.received_at),
    )


def sent(sent: Sent) -> SignalView:
    """Adds a notice if the execution waits for another signal, or for none."""
    waits = sent.waited_for
    if waits is None or sent.signal.name in waits:
        return signal(sent.signal)
    names = ", ".join(waits[:20])
    note = f"it waits for {names}" if waits else "it waits for no signal now"
    note += f"; {sent.signal.name} is kept in case it is asked for later"
    return signal(sent.signal).model_copy(update={"note": note, "waits_for": list(waits[:20])})


def not_taken(refusal: Refusal) -> SignalNotTakenView:
    signal = refusal.signal
    return SignalNotTakenView(
        signal_id=signal.signal_id, name=signal.name, received_at=time(signal.received_at), reason=refusal.reason
    )


def event(event: Event) -> EventView:
    return EventView(at=time(event.at), type=event.type, command=event.command, **with_times(dict(_flat(event))))


def with_times(details: Mapping[str, Any]) -> dict[str, Any]:
    """Details of an event as the API shows them: what is named as a time is one."""
    return {key: time(at) if key.endswith("_at") and isinstance(at, float) else at for key, at in details.items()}


def _flat(event: Event) -> list[tuple[str, Any]]:
    return [(key, _error_shown(value) if key == "error" else value) for key, value in event.details.items()]


def _error_shown(error: object) -> object:
    if not isinstance(error, Mapping):
        return error
    return {key: _shown(text) if isinstance(text, str) else text for key, text in error.items()}


def dead_letter(execution: Execution) -> DeadLetterView:
    return DeadLetterView(
        execution_id=execution.execution_id,
        workflow=execution.workflow,
        step=execution.error.step if execution.error else None,
        error=error(execution.error),
        created_at=time(execution.created_at),
        ended_at=time_or_none(execution.ended_at),
        generation=execution.generation,
        resumes=execution.resumes,
    )


def fault_group(group: FaultGroup) -> FaultGroupView:
    return FaultGroupView(
        workflow=group.workflow,
        step=group.step,
        error=_shown(group.error),
        error_class=_shown(group.error_class),
        count=group.count,
        again=group.again,
        newest=time(group.newest),
        execution_id=group.execution_id,
    )


def workflow(workflow: Workflow[..., Any], registry: Registry, pause: WorkflowPause | None = None) -> WorkflowView:
    return WorkflowView(
        name=workflow.name,
        description=_first_line(workflow.__doc__),
        documentation=inspect.cleandoc(workflow.__doc__ or ""),
        input_schema=schema(workflow.input),
        result_schema=schema(workflow.result),
        steps=[_step(step) for step in registry.steps_of(workflow)],
        paused=workflow_pause(pause),
    )


def workflow_pause(pause: WorkflowPause | None) -> WorkflowPauseView | None:
    return None if pause is None else WorkflowPauseView(at=time(pause.at), by=pause.by, why=pause.why)


def _step(step: Step[..., Any]) -> StepView:
    policy = step.retry
    return StepView(
        name=step.name,
        pool=step.pool,
        timeout=step.timeout,
        heartbeat=step.heartbeat,
        at_most_once=step.at_most_once,
        description=_first_line(step.__doc__),
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
        return {}  # pydantic can check the type but JSON Schema cannot express it: the empty schema allows anything


def _first_line(doc: str | None) -> str:
    return next((line.strip() for line in (doc or "").splitlines() if line.strip()), "")
