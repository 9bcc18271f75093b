"""What requests and answers hold; OpenAPI is made from these, and answers are made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stepfast.http.patterns import ID as ID
from stepfast.http.patterns import IN_WORDS as IN_WORDS
from stepfast.http.patterns import NAME as NAME
from stepfast.model import CommandKind, CommandStatus, ExecutionStatus
from stepfast.shown import LABEL_KEY, LABEL_VALUE, MAX_LABELS
from stepfast.standing import TurnedInto

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""ISO 8601, UTC, with microseconds and Z."""
Json = Annotated[Any, Field(description="any JSON value")]
LabelKey = Annotated[str, Field(pattern=LABEL_KEY)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE)]
ExecutionId = Annotated[str, Field(pattern=ID)]


class Shown(BaseModel):
    """What is answered. A validator is made when it is first needed: a cold start waits for none."""

    model_config = ConfigDict(defer_build=True)


MOST_FIELDS = 10_000
"""Fields of a body that are looked at one by one, so that an answer to many more takes no more time and memory."""


class Asked(BaseModel):
    """A request's body; a field that nobody knows is refused rather than overlooked."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, body: Any) -> Any:
        if isinstance(body, dict) and len(body) > MOST_FIELDS:
            raise ValueError(f"the body has {len(body)} fields; it may have {', '.join(cls.model_fields)}")
        return body


class StartRequest(Asked):
    input: Json = None
    execution_id: ExecutionId | None = Field(
        None, description="names the execution and makes the call repeatable; made up when left out"
    )
    labels: dict[LabelKey, LabelValue] = Field({}, max_length=MAX_LABELS)


class SignalRequest(Asked):
    payload: Json = None
    signal_id: ExecutionId | None = Field(None, description="makes the call repeatable; made up when left out")


class ResumeRequest(Asked):
    """Without a body a resume runs again what stands behind the failure."""

    steps: list[Annotated[str, Field(min_length=1, max_length=4096)]] | None = Field(
        None,
        max_length=1000,
        description="ids of the commands to run again, in place of those in `reopens`; what was decided after them is "
        "decided anew; empty: run the code at hand on all that is recorded",
    )


class RepairRequest(Asked):
    """Exactly one of `result`, `skip` and `input`."""

    result: Any = Field(None, description="the result of the step, of its type")
    skip: bool = Field(False, description="true: the result is null, which its type must allow")
    input: dict[str, Any] | None = Field(
        None, description="all arguments of the next attempt, by their names; later attempts have them, too"
    )
    why: str | None = Field(None, min_length=1, max_length=1000, description="for the history")


class StatusesRequest(Asked):
    execution_ids: list[ExecutionId] = Field(min_length=1, max_length=1000)


class ReplayRequest(Asked):
    """Exactly one selector: ids, or workflow, step and/or error, or all."""

    execution_ids: list[Annotated[str, Field(min_length=1)]] | None = Field(None, min_length=1, max_length=1000)
    workflow: str | None = Field(None, min_length=1, max_length=64)
    step: str | None = Field(None, max_length=64, description="the step that failed; empty: the workflow's own code")
    error: str | None = Field(None, min_length=1, description="the error's type, such as ConnectionError")
    all: bool = False
    rate: float | None = Field(None, gt=0, le=1000, description="at most so many per second")
    cursor: str | None = Field(None, min_length=1, max_length=1024, description="from `next`; not for ids")
    job: str | None = Field(None, min_length=1, max_length=64, description="from `next`: what goes on in the server")


class ErrorView(Shown):
    type: str
    message: str
    step: str | None
    traceback: str | None
    error_class: str | None = Field(
        default=None, description="the class with its module, such as billing.errors.Declined, where it has one"
    )


class ParentView(Shown):
    execution_id: str
    command: str = Field(description="the parent's command that waits for this execution")
    root: str = Field(description="the execution at the top of the tree")
    depth: int = Field(description="how many executions are above this one")
    left: bool = Field(description="true once the parent waits no more, and this execution goes on by itself")


class InterventionView(Shown):
    action: Literal["pause", "unpause", "close", "reopen", "cancel", "terminate", "hold"]
    at: Time
    by: str | None = Field(description="the name of the caller, where callers have names")
    why: str | None
    parent: str | None = Field(description="of a child: the execution that it was paused with")
    cleanup_seconds: float | None = Field(description="of a cancelled one: how long its code may clean up")


class ForkedFromView(Shown):
    execution_id: str = Field(description="the origin")
    run: int = Field(description="of the origin, that was forked")
    before: list[str] = Field(description="ids of the commands that the fork runs anew")
    at: Time
    by: str | None = Field(description="the name of the caller, where callers have names")
    why: str | None


class MapProgressView(Shown):
    id: str
    name: str
    batches: int | None = Field(description="null until all of them are planned")
    batches_started: int = 0
    batches_ended: int
    succeeded: int = Field(description="items")
    failed: int = Field(description="items")


class ExecutionView(Shown):
    execution_id: str
    workflow: str
    status: ExecutionStatus
    input: Json
    result: Json = Field(description="null until SUCCEEDED")
    error: ErrorView | None
    labels: dict[str, str]
    created_at: Time
    ended_at: Time | None
    generation: int = Field(
        description="grows with each resume; begins at 0, or above that of a deleted execution of the same id"
    )
    resumes: int = Field(description="how often it was resumed; of an execution that continued, in this run")
    run: int = Field(1, description="the number of the run that this shows; ContinueAsNew begins the next one")
    began_at: Time | None = Field(None, description="when this run began, where that was after the start")
    continued: bool = Field(False, description="true for an earlier run, which ended at `ended_at` with ContinueAsNew")
    reopens: list[str] | None = Field(
        None,
        description="of a FAILED one: ids of the commands that a resume runs again; empty when no failed step stands "
        "behind the failure, and a resume runs the code at hand on what is recorded",
    )
    status_value: Json = Field(None, description="what the workflow's code has set last by `set_status()`")
    progress: list[MapProgressView] = Field([], description="of each map: its batches, and its items")
    omitted: dict[str, int | None] = Field(
        {}, description="values left out as `largest` asked, with their bytes of JSON; null where they were not read"
    )
    parent: ParentView | None = Field(None, description="of a child: the execution that has started it")
    intervention: InterventionView | None = Field(None, description="what an operator has done to it last by hand")
    forked_from: ForkedFromView | None = Field(None, description="of a fork: where it comes from")
    begun: bool = Field(True, description="false while it waits for its turn or its moment, as its workflow says")
    begins_at: Time | None = Field(None, description="when a throttle has it begin, or it has begun after it waited")


class StartedExecution(ExecutionView):
    """The execution that a start was turned into."""

    turned_into: TurnedInto = Field(
        "started",
        description="`waiting`: it begins later; `skipped`: nothing was started, this is the one that runs; "
        "`replaced`: it begins once the execution `replaced` is cancelled; `debounced`: this is the one that begins "
        "with this input",
    )
    replaced: str | None = Field(None, description="the id of the execution that it replaces")


class DeletedView(Shown):
    execution_id: str


class WaitView(Shown):
    command: str = Field(description="a step that an attempt from before the resume may still run")
    attempt: int
    until: Time = Field(description="when the step is tried again at the latest, if nothing comes of that attempt")


class FaultView(Shown):
    type: str
    step: str | None


class StatusView(Shown):
    execution_id: str
    workflow: str
    status: ExecutionStatus
    generation: int
    ended_at: Time | None
    error: FaultView | None


class StatusList(Shown):
    executions: list[StatusView]


class AttemptView(Shown):
    attempt: int
    started_at: Time
    ended_at: Time | None
    error: ErrorView | None = Field(
        description="null for the last one, and for one that a crash of the server cut off; of type StepInterrupted "
        "for one that the death of a pool's process cut off, and StepCancelled for one that stepfast itself stopped"
    )
    next_at: Time | None


class CommandView(Shown):
    id: str
    kind: CommandKind
    name: str
    label: str | None = Field(
        None,
        description="of a step: which item it is about, by its `label` or its first argument, cut at 40 characters",
    )
    status: CommandStatus
    attempt: int
    generation: int
    pool: str | None
    input: Json
    output: Json
    error: ErrorView | None
    first_at: Time | None = Field(description="when it was asked for, or a step first claimed")
    started_at: Time | None
    ended_at: Time | None
    due: Time | None = Field(description="when a timer ends or a step is tried again")
    held_until: Time | None = Field(
        None,
        description="of a step that an attempt from before the last resume may still run: when it is tried again "
        "at the latest",
    )
    progress: Json = Field(None, description="of a step: what `heartbeat(progress=…)` has reported last")
    signal_id: str | None
    attempts: list[AttemptView]
    omitted: dict[str, int | None] = Field(
        {}, description="values left out as `largest` asked, with their bytes of JSON; null where they were not read"
    )
    idempotency_key: str | None = Field(
        None, description="of a step: what it hands to services, so that they do its work once"
    )
    payload_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema of the payload, of a signal that is waited for by the code deployed here"
    )
    overdue: bool = Field(False, description="true when `overdue_at` had passed as this was answered")
    overdue_at: Time | None = Field(
        None,
        description="of what waits or runs: a minute past its due time or its lease, when it must have gone on",
    )
    asked_at: Time | None = Field(
        None, description="of a step: when the code deployed here asked for it; from then on it waited for a worker"
    )
    children: list[str] = Field(
        [], description="of a child: the ids of the executions that were started for it; the last is the current one"
    )
    waited: list[dict[str, Any]] = Field(
        [],
        description="of a step: the gates and limits that its attempts waited for, as in its `step-waited` events",
    )


class ResumedExecution(ExecutionView):
    reopened: list[str] = Field(description="ids of the recorded commands that run again if the code asks for them")
    notice: str | None = Field(description="what to know where no failed step stood behind the failure")
    waits: list[WaitView] = Field([], description="what is not tried again at once; an outcome before then counts")


class SignalNotTakenView(Shown):
    signal_id: str
    name: str
    received_at: Time
    reason: str = Field(description="why nobody has taken it")


class EventView(Shown):
    model_config = ConfigDict(extra="allow", defer_build=True)

    at: Time
    type: str
    command: str | None


class History(Shown):
    events: list[EventView]
    next: str | None = Field(None, description="the next page's cursor, where `limit` asked for a page")
    by_command: bool = Field(False, description="true where events come command by command, as of very many commands")


class SignalView(Shown):
    signal_id: str
    name: str
    payload: Json
    received_at: Time
    note: str | None = Field(None, description="what is waited for instead, where nobody waits for this signal now")
    waits_for: list[str] = Field([], description="with a note: the signals that the execution waits for, 20 at most")


class DeadLetterView(Shown):
    execution_id: str
    workflow: str
    step: str | None = Field(description="the step that failed")
    error: ErrorView | None
    created_at: Time
    ended_at: Time | None
    generation: int
    resumes: int = Field(description="how often it was resumed before")


class DeadLetterList(Shown):
    dead_letters: list[DeadLetterView]
    next: str | None = Field(description="the next page's cursor; a page may hold fewer than asked for")


class FaultGroupView(Shown):
    workflow: str
    step: str | None = Field(description="the step that failed; null for the workflow's own code")
    error: str | None = Field(description="the error's type")
    error_class: str | None = Field(
        default=None, description="the error's class with its module: classes of one name are groups of their own"
    )
    count: int
    again: int = Field(description="how many of them had been resumed before")
    newest: Time = Field(description="when the last of them was started")
    execution_id: str = Field(description="the last of them that was started")


class FaultGroups(Shown):
    groups: list[FaultGroupView] = Field(description="the largest first, then by workflow, step and error")
    complete: bool = Field(description="false when there are more FAILED executions than were looked at")


class ResumedView(Shown):
    execution_id: str
    resumed: bool
    refused: str | None = Field(description="why it was left alone")
    notice: str | None = Field(None, description="what to know where no failed step stood behind the failure")


class Replayed(Shown):
    resumed: int
    results: list[ResumedView]
    remaining: bool = Field(description="true when this request was answered before its work was done")
    next: dict[str, Any] | None = Field(description="the body to send next for what remains")
    working: bool = Field(False, description="true while the server goes on by itself, at the rate, with what remains")
    after: float | None = Field(None, description="seconds to wait before `next` is sent, while the server is working")


class Health(Shown):
    status: str
    version: str


class FieldError(Shown):
    field: str = Field(description="its path in the request; empty for the body as a whole")
    message: str


class Problem(Shown):
    """RFC 9457."""

    type: str = Field(description="urn:stepfast:problem:…, stable", json_schema_extra={"format": "uri"})
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(None, description="which fields were wrong; with invalid-request")
    error_count: int | None = Field(None, description="how many errors there were; `errors` lists 100 at most")
    execution_status: ExecutionStatus | None = Field(None, description="with wrong-status")
    scope: str | None = Field(None, description="what the key would need; with scope-missing")
