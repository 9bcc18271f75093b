"""Starts: the workflow and its input as they are sent, and batches of starts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, overload

import httpx

from stepfast.client.answers import Object
from stepfast.client.problems import error_of
from stepfast.client.replies import Reply
from stepfast.client.values import encoded, plain, segment
from stepfast.errors import InvalidRequest, StepfastError

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
I_contra = TypeVar("I_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
BATCH_STARTS = 1000
"""The most starts in one request; the API takes no more."""
START_BATCH_BYTES = 4_000_000
"""A request of several starts has at most so many bytes: Lambda takes 6 MB."""


class WorkflowWithInput(Protocol[I_contra, R_co]):
    """A workflow of one argument, as the type checker sees it."""

    @property
    def name(self) -> str: ...
    def __call__(self, input: I_contra, /) -> Coroutine[Any, Any, R_co]: ...


class WorkflowWithoutInput(Protocol[R_co]):
    """A workflow without an argument, as the type checker sees it."""

    @property
    def name(self) -> str: ...
    def __call__(self) -> Coroutine[Any, Any, R_co]: ...


class WorkflowResult(Protocol[R_co]):
    """A workflow of any arguments, as the type checker sees it."""

    @property
    def name(self) -> str: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, R_co]: ...


@dataclass(frozen=True, slots=True, init=False)
class Start(Generic[R_co]):
    """A start in a batch: the arguments of `Client.run`.

    workflow: the workflow, or its name. With the workflow itself the input is checked by its type, and the outcome of
    the start has the type that the workflow returns.
    inputs: a value of the type that the workflow takes, or plain JSON values.
    execution_id: 1 to 128 of `A-Z a-z 0-9 . _ -`. None makes a new id.
    labels: at most 20 names and values, to find executions by.
    """

    workflow: Any
    inputs: Any = None
    execution_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @overload
    def __init__(
        self: Start[Any],
        workflow: str,
        inputs: Any = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Start[R],
        workflow: WorkflowWithoutInput[R],
        inputs: None = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Start[R],
        workflow: WorkflowWithInput[I, R],
        inputs: I,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None: ...
    def __init__(
        self,
        workflow: Any,
        inputs: Any = None,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        # A frozen dataclass sets its fields in this way, too.
        for name, value in (("workflow", workflow), ("inputs", inputs), ("execution_id", execution_id)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "labels", {} if labels is None else labels)


@dataclass(frozen=True, slots=True)
class Turned:
    """What a start was turned into: the id of the execution, whether this call created it, and in a word."""

    execution_id: str
    created: bool
    into: str | None


def name_of(workflow: Any) -> str:
    """The name of a workflow that is passed as an object or by its name. Raises InvalidRequest for anything else."""
    if isinstance(workflow, str):
        return segment(workflow, "a workflow name")
    if getattr(workflow, "__stepfast_definition__", None) == "workflow":
        return str(workflow.name)
    raise InvalidRequest(f"run takes a workflow (a function with @workflow) or its name, not {workflow!r}")


def body_of(workflow: Any, inputs: Any, execution_id: str | None, labels: Mapping[str, str] | None) -> Object:
    """The body of a start, with a new id if `execution_id` is None. Raises InvalidRequest."""
    execution_id = str(uuid.uuid4()) if execution_id is None else execution_id
    return {
        "input": plain(inputs, "input", None if isinstance(workflow, str) else workflow.input),
        "execution_id": segment(execution_id, "an execution id"),
        "labels": dict(labels or {}),
    }


def decoded(workflow: Any, result: Any) -> Any:
    """The result as the workflow returned it; as JSON values where the workflow is known by its name only."""
    return result if workflow is None or isinstance(workflow, str) else workflow.result.decode(json.dumps(result))


def in_requests(bodies: Sequence[tuple[int, Object]]) -> Iterator[list[tuple[int, Object]]]:
    """The numbered starts of a batch in lists that one request may carry."""
    request: list[tuple[int, Object]] = []
    size = 0
    for number, body in bodies:
        length = len(encoded(body))
        if request and (len(request) == BATCH_STARTS or size + length > START_BATCH_BYTES):
            yield request
            request, size = [], 0
        request.append((number, body))
        size += length
    if request:
        yield request


def error_in(outcome: Object, url: str) -> StepfastError | None:
    """The exception for the outcome of one start of a batch; None for a start that succeeded."""
    problem = outcome.get("problem")
    if problem is None:
        return None
    status = int(problem.get("status", 500))
    return error_of(Reply(status, "", httpx.Headers(), url, json.dumps(problem).encode()))
