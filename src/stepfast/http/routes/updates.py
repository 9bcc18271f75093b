"""Queries and updates: what a workflow lets others ask and do while it runs."""

from __future__ import annotations

import json
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from stepfast.engine.updating import MOST_WAIT_SECONDS, StartWith, UpdateState
from stepfast.errors import InvalidRequest
from stepfast.http import handler_views, problems, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID, NAME
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, Id
from stepfast.http.update_models import HandlersView, QueryAnswer, QueryRequest, UpdateRequest, UpdateView

Name = Annotated[str, Path(pattern=NAME, description="the name of the function")]


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_handlers(app, engine)
    _add_query(app, engine)
    _add_update(app, engine)
    _add_state(app, engine)


def _add_handlers(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/handlers",
        summary="The queries and updates that an execution has",
        description="Found by a replay, so they are those that the code has come by. None are named of an execution "
        "with more than 10,000 commands, or whose workflow is not deployed.",
        operation_id="listHandlers",
        tags=["executions"],
        responses=answers(
            (200, "their names, and the JSON Schemas of their arguments and results", HandlersView), problems_of=NO_SUCH
        ),
    )
    @needs("read")
    def show_handlers(execution_id: Id) -> Response[str]:
        registered = engine.call(engine.operations.handlers(execution_id))
        return reply(200, handler_views.handlers(registered))


def _add_query(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/<execution_id>/queries/<name>",
        summary="Ask an execution",
        description="Answered by a `@query` function of the workflow on a replay of what is recorded. It changes "
        "nothing, and works for an execution that has ended, too.",
        operation_id="queryExecution",
        tags=["executions"],
        responses=answers(
            (200, "the answer", QueryAnswer),
            problems_of={404: "no such execution or query", 422: "the payload is wrong, or the query has failed"},
        ),
    )
    @needs("read")
    def ask(execution_id: Id, name: Name, body: Annotated[QueryRequest | None, Body()] = None) -> Response[str]:
        payload = body.payload if body is not None else None
        try:
            answer = engine.call(engine.operations.query(execution_id, name, payload))
        except InvalidRequest as error:
            raise problems.below("payload", error) from error
        return reply(200, QueryAnswer(answer=json.loads(answer)))


def _add_update(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/<execution_id>/updates/<name>",
        summary="Update an execution, and get its answer",
        description="Runs an `@update` function of the workflow, once for each update_id. With `start` the execution "
        "is started if there is none of this id. Safe to repeat under the same update_id: the answer is the same.",
        operation_id="updateExecution",
        tags=["executions"],
        responses=answers(
            (200, "it is answered, or will never be: see `status`", UpdateView),
            (202, "stored, and not answered yet: ask again by its id", UpdateView),
            problems_of={
                404: "no such execution, workflow or update",
                409: "the workflow refuses it, the execution has ended, the id was used for something else, or there "
                "are too many signals",
            },
        ),
    )
    @needs("run")
    def update(execution_id: Id, name: Name, body: Annotated[UpdateRequest | None, Body()] = None) -> Response[str]:
        asked = body or UpdateRequest()
        start = None
        if asked.start is not None:
            start = StartWith(asked.start.workflow, asked.start.input, asked.start.labels)
        try:
            wait = asked.wait if engine.sleep is not None else 0.0  # A server holds the request, without a thread.
            state = engine.call(
                engine.operations.update(execution_id, name, asked.payload, asked.update_id, wait, start)
            )
        except InvalidRequest as error:
            raise problems.below("payload", error) from error
        return _shown(state)


def _add_state(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/updates/<update_id>",
        summary="How an update stands",
        operation_id="getUpdate",
        tags=["executions"],
        responses=answers(
            (200, "it is answered, or will never be: see `status`", UpdateView),
            (202, "it is not answered yet", UpdateView),
            problems_of={404: "no such execution or update"},
        ),
    )
    @needs("read")
    def show_update(
        execution_id: Id,
        update_id: Annotated[str, Path(pattern=ID, description="the update's id")],
        wait: Annotated[float, Query(ge=0, le=MOST_WAIT_SECONDS, description="seconds to wait for the answer")] = 0.0,
    ) -> Response[str]:
        seconds = wait if engine.sleep is not None else 0.0
        return _shown(engine.call(engine.operations.update_state(execution_id, update_id, seconds)))


def _shown(state: UpdateState) -> Response[str]:
    record = state.record
    view = UpdateView(
        **state.shown() | {"error": views.error(record.error) if record is not None else None},
        received_at=views.time(state.received_at),
        answered_at=views.time_or_none(record.ended_at if record is not None else None),
    )
    return reply(202 if state.status == "pending" else 200, view)
