"""Starting executions."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from stepfast.errors import InvalidRequest
from stepfast.http import problems, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID, ExecutionView, StartRequest
from stepfast.http.resolver import Resolver


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/workflows/<workflow>/executions",
        summary="Start an execution",
        description="Safe to repeat under the same id with the same input: the execution there is returned.",
        operation_id="startExecution",
        tags=["executions"],
        responses=answers(
            (201, "started", ExecutionView),
            (200, "the same call had started it before", ExecutionView),
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
        if execution_id in (".", ".."):
            message = "a path of dots is cut out of every URL: the execution could not be asked for"
            raise InvalidRequest(message, (("execution_id", message),))
        try:
            started = engine.call(engine.operations.start(workflow, body.input, execution_id, body.labels))
        except InvalidRequest as error:
            raise problems.below("input", error) from error
        location = {"Location": f"/v1/executions/{started.execution.execution_id}"}
        return reply(201 if started.created else 200, views.execution(started.execution), location)
