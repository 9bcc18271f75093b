"""The shapes of answers that the client and the command line rely on. An answer may contain more.

Only the fields that are read are required, so that a client works with servers of other versions.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from stepfast.errors import Refused


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without a zone")
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class Error(TypedDict):
    type: str
    message: str
    step: NotRequired[str | None]
    traceback: NotRequired[str | None]


class Execution(TypedDict):
    execution_id: str
    workflow: str
    status: str
    input: Any
    result: Any
    error: Error | None
    labels: dict[str, str]
    created_at: Moment
    ended_at: Moment | None
    generation: int


class Wait(TypedDict):
    command: str
    attempt: int
    until: Moment


class ResumedExecution(Execution):
    reopened: NotRequired[list[str]]
    notice: NotRequired[str | None]
    waits: NotRequired[list[Wait]]


class StartedExecution(Execution):
    turned_into: NotRequired[str]
    begins_at: NotRequired[Moment | None]
    replaced: NotRequired[str | None]


class StartOutcome(TypedDict):
    execution_id: str | None
    created: bool
    turned_into: NotRequired[str | None]
    problem: dict[str, Any] | None


class StartedBatch(TypedDict):
    outcomes: list[StartOutcome]


class HandlerSchemasShape(TypedDict):
    payload_schema: dict[str, Any] | None
    result_schema: dict[str, Any] | None


class SchemasOfHandlersShape(TypedDict):
    queries: dict[str, HandlerSchemasShape]
    updates: dict[str, HandlerSchemasShape]


class HandlersShape(TypedDict):
    queries: list[str]
    updates: list[str]
    schemas: NotRequired[SchemasOfHandlersShape]


class QueryAnswerShape(TypedDict):
    answer: Any


class UpdateShape(TypedDict):
    execution_id: str
    update_id: str
    name: str
    status: str
    result: NotRequired[Any]
    error: NotRequired[Error | None]


class Deleted(TypedDict):
    execution_id: str


class Attempt(TypedDict):
    attempt: int
    started_at: Moment
    ended_at: Moment | None
    error: Error | None
    next_at: Moment | None


class Command(TypedDict):
    id: str
    kind: str
    name: str
    status: str
    attempt: int
    error: Error | None
    first_at: Moment | None
    ended_at: Moment | None
    due: Moment | None
    attempts: list[Attempt]


class CommandPage(TypedDict):
    commands: list[Command]
    next: str | None
    total: int | None
    counts: dict[str, int]
    partial: NotRequired[bool]
    notable: NotRequired[list[Command]]


class Item(TypedDict):
    item: int
    status: str
    result: Any
    error: Error | None
    batch_id: str
    command_id: str | None


class ItemPage(TypedDict):
    items: list[Item]
    next: str | None


class Described(Execution):
    commands: list[Command]
    deployed: NotRequired[bool]
    next: NotRequired[str | None]
    partial: NotRequired[bool]
    notable: NotRequired[list[Command]]


class RunSummary(TypedDict):
    run: int
    began_at: Moment
    ended_at: Moment | None
    generation: int
    continued: bool


class RunPage(TypedDict):
    runs: list[RunSummary]
    next: int | None


class LargeRecordedValue(TypedDict):
    command: str | None
    name: str


class RecordingShape(TypedDict):
    run: int
    generation: int
    records: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    history: list[dict[str, Any]]
    large: list[LargeRecordedValue]
    execution: dict[str, Any] | None
    order: dict[str, Any] | None
    next: str | None


class ValuePieceShape(TypedDict):
    text: str
    next: int | None


class WaitingCommand(TypedDict):
    command: str
    waits_for: str
    limit: str
    key: str
    since: Moment | None
    next_at: Moment | None
    gate: str | None


class WaitList(TypedDict):
    waits: list[WaitingCommand]


class Executions(TypedDict):
    executions: list[Execution]
    next: str | None


class Event(TypedDict):
    at: Moment
    type: str
    command: str | None


class History(TypedDict):
    events: list[Event]
    next: NotRequired[str | None]


class ChangePage(TypedDict):
    events: list[dict[str, Any]]
    after: str
    ended: bool


class Signal(TypedDict):
    signal_id: str
    name: str


class DeadLetter(TypedDict):
    execution_id: str
    workflow: str
    step: str | None
    error: Error | None
    ended_at: Moment | None


class DeadLetters(TypedDict):
    dead_letters: list[DeadLetter]
    next: str | None


class Group(TypedDict):
    workflow: str
    step: str | None
    error: str | None
    count: int
    again: int
    newest: Moment
    execution_id: str


class Groups(TypedDict):
    groups: list[Group]
    complete: bool


class Resumed(TypedDict):
    execution_id: str
    resumed: bool
    refused: str | None


class Replayed(TypedDict):
    results: list[Resumed]
    next: dict[str, Any] | None
    after: NotRequired[float | None]


class Workflow(TypedDict):
    name: str


class Workflows(TypedDict):
    workflows: list[Workflow]


class PausedWorkflowShape(TypedDict):
    name: str
    paused: dict[str, Any] | None
    job_id: str | None


class LimitShape(TypedDict):
    name: str
    numbers: dict[str, Any]


class LimitListShape(TypedDict):
    limits: list[LimitShape]


class GateShape(TypedDict):
    name: str
    key: str
    status: str


class GatePageShape(TypedDict):
    gates: list[GateShape]
    next: str | None


class ScheduleShape(TypedDict):
    name: str
    next: list[dict[str, Any]]


class SchedulePageShape(TypedDict):
    schedules: list[ScheduleShape]
    next: str | None


class OpenLinkShape(TypedDict):
    name: str
    link: str
    command: str
    opened_at: str | None
    expires_at: str | None
    last_heartbeat_at: str | None


class LinkListShape(TypedDict):
    links: list[OpenLinkShape]


class LinkKeyShape(TypedDict):
    id: str
    created_at: str
    until: str | None


class LinkKeyListShape(TypedDict):
    keys: list[LinkKeyShape]


class OutcomeShape(TypedDict):
    outcome: str
    execution_id: str
    created: bool


class BackfilledShape(TypedDict):
    runs: list[OutcomeShape]


class Health(TypedDict):
    status: str
    version: str


def check(body: Any, shape: type, url: str) -> dict[str, Any]:
    """Returns the body unchanged if it has the shape. Raises Refused, which names the first place where it differs."""
    try:
        _adapter(shape).validate_python(body, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        where = f" ({place}: {first['msg']})" if place else ""
        raise Refused(f"what answers at {url} is no stepfast API, or one of another version{where}") from None
    assert isinstance(body, dict)
    return body


@lru_cache
def _adapter(shape: type) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
