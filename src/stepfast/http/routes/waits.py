"""What steps of an execution wait for: gates and limits."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from stepfast.engine.gates import EMPTY
from stepfast.engine.limit_waits import LimitWait
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.limit_models import LimitWaitList, LimitWaitView
from stepfast.http.models import ID
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/waits",
        summary="The steps of an execution that wait at a gate or for a limit",
        description="Since when, and for what. None are named of an execution with more than 10,000 commands.",
        operation_id="listWaits",
        tags=["executions"],
        responses=answers((200, "its steps that wait", LimitWaitList), problems_of=NO_SUCH),
    )
    @needs("read")
    def show_waits(
        execution_id: Annotated[str, Path(pattern=ID, description="the execution's id")],
    ) -> Response[str]:
        waits = engine.call(engine.operations.limit_waits(execution_id))
        return reply(200, LimitWaitList(waits=[_view(wait) for wait in waits]))


def _view(wait: LimitWait) -> LimitWaitView:
    gate = wait.gate or EMPTY
    return LimitWaitView(
        command=wait.command_id,
        waits_for=wait.waits_for,
        limit=wait.limit,
        key=wait.key,
        since=views.time_or_none(wait.since),
        before=wait.before,
        next_at=views.time_or_none(wait.next_at),
        gate=wait.gate.status if wait.gate is not None else None,
        gate_since=views.time_or_none(wait.gate.since if wait.gate is not None else None),
        cause=gate.cause,
        by=gate.by,
        why=gate.why,
        probe=wait.probe,
    )
