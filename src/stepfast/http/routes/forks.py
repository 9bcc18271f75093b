"""Forking executions."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from stepfast.engine.forking import fork_request
from stepfast.errors import InvalidRequest
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.fork_models import ForkRequestBody
from stepfast.http.models import ExecutionView
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, Id


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/<execution_id>/fork",
        summary="Start an execution with the records of another, up to a command",
        description="The origin may have any status, and is not changed. What it had recorded before the command is "
        "taken over; the command, and all that follows from it, runs anew, with the code at hand. The history of the "
        "fork says who has made it, from what, and why. Safe to repeat under the same id of the fork.",
        operation_id="forkExecution",
        tags=["executions"],
        responses=answers(
            (201, "the fork", ExecutionView),
            (200, "the same call had made it before", ExecutionView),
            problems_of={**NO_SUCH, 409: "the id of the fork is taken"},
        ),
    )
    @needs("operate")
    def fork(execution_id: Id, body: Annotated[ForkRequestBody | None, Body()] = None) -> Response[str]:
        asked = body or ForkRequestBody()
        if asked.execution_id in (".", ".."):
            message = "a path of dots is cut out of every URL: the execution could not be asked for"
            raise InvalidRequest(message, (("execution_id", message),))
        request = fork_request(asked.model_dump(exclude_unset=True))
        forked = engine.call(engine.operations.fork(execution_id, request))
        location = {"Location": f"/v1/executions/{forked.execution.execution_id}"}
        return reply(201 if forked.created else 200, views.execution(forked.execution), location)
