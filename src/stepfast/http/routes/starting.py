"""Starting executions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from stepfast.engine.starting import StartArguments, Started
from stepfast.errors import InvalidRequest, UnknownWorkflow
from stepfast.http import problems, restricting, views
from stepfast.http.auth import needs
from stepfast.http.batch_models import BatchRequest, BatchStart, BatchView, StartOutcomeView
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID, Problem, StartedExecution, StartRequest
from stepfast.http.problems import Rejected
from stepfast.http.resolver import Resolver

MOST_FIELDS_SHOWN = 3
"""Wrong fields listed for each start of a batch, so that the answer stays small."""


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_start(app, engine)
    _add_batch(app, engine)


def _add_start(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/workflows/<workflow>/executions",
        summary="Start an execution",
        description="Safe to repeat under the same id with the same input: the execution there is returned.",
        operation_id="startExecution",
        tags=["executions"],
        responses=answers(
            (201, "started", StartedExecution),
            (
                200,
                "the same call had started it before, or nothing was started: see `turned_into`",
                StartedExecution,
            ),
            problems_of={404: "no such workflow", 409: "the id is taken by another workflow or input"},
        ),
    )
    @needs("run")
    def start(
        workflow: str,
        body: Annotated[StartRequest, Body()],
        idempotency_key: Annotated[
            str | None, Header(alias="Idempotency-Key", pattern=ID, description="the same as execution_id")
        ] = None,
    ) -> Response[str]:
        execution_id = idempotency_key if body.execution_id is None else body.execution_id
        if idempotency_key is not None and execution_id != idempotency_key:
            message = "execution_id and the Idempotency-Key header differ: send one of them, or the same in both"
            raise InvalidRequest(message, (("execution_id", message), ("idempotency-key", message)))
        _check(execution_id)
        labels = restricting.labels_of_start(workflow, body.labels, engine.registry)
        try:
            started = engine.call(engine.operations.start(workflow, body.input, execution_id, labels))
        except InvalidRequest as error:
            raise problems.below("input", error) from error
        if not restricting.takes(started.execution):
            raise restricting.taken()
        location = {"Location": f"/v1/executions/{started.execution.execution_id}"}
        return reply(201 if started.created else 200, views.started(started), location)


def _add_batch(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/batch",
        summary="Start up to 1,000 executions",
        description="Each start has its own outcome, and none holds up another. Starts with ids are safe to repeat, "
        "as in a request for one start.",
        operation_id="startExecutions",
        tags=["executions"],
        responses=answers((200, "the outcomes", BatchView)),
    )
    @needs("run")
    def start_batch(body: Annotated[BatchRequest, Body()]) -> Response[str]:
        for number, request in enumerate(body.starts):
            _check(request.execution_id, f"starts[{number}].")
        outcomes = _start_all(engine, body.starts)
        shown = [_outcome(request, outcome) for request, outcome in zip(body.starts, outcomes, strict=True)]
        return reply(200, BatchView(outcomes=shown))


def _start_all(engine: ApiEngine, requests: Sequence[BatchStart]) -> list[Started | Exception]:
    """The outcome of each start, in their order. A start that the caller's key is not for is refused."""
    outcomes: list[Started | Exception | None] = []
    starts = []
    for request in requests:
        try:
            labels = restricting.labels_of_start(request.workflow, request.labels, engine.registry)
        except (UnknownWorkflow, Rejected) as error:
            outcomes.append(error)
            continue
        outcomes.append(None)
        starts.append(StartArguments(request.workflow, request.input, request.execution_id, labels))
    rest = iter(engine.start_all(starts) if starts else ())
    return [next(rest) if outcome is None else outcome for outcome in outcomes]


def _outcome(request: BatchStart, outcome: Started | Exception) -> StartOutcomeView:
    if isinstance(outcome, Started) and not restricting.takes(outcome.execution):
        outcome = restricting.taken()
    if isinstance(outcome, Started):
        id, into = outcome.execution.execution_id, outcome.into
        return StartOutcomeView(execution_id=id, created=outcome.created, problem=None, turned_into=into)
    error = problems.below("input", outcome) if isinstance(outcome, InvalidRequest) else outcome
    problem = restricting.discreet(json.loads(str(problems.of(error).body)))
    if "errors" in problem:
        problem["errors"] = problem["errors"][:MOST_FIELDS_SHOWN]
    return StartOutcomeView(execution_id=request.execution_id, created=False, problem=Problem(**problem))


def _check(execution_id: str | None, above: str = "") -> None:
    if execution_id in (".", ".."):
        message = "a path of dots is cut out of every URL: the execution could not be asked for"
        raise InvalidRequest(message, ((f"{above}execution_id", message),))
