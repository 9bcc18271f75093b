"""What operators do to executions by hand: pause, unpause, close, reopen, cancel and terminate them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from stepfast.engine.operations import Operations
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.intervention_models import CancelRequest, InterventionRequest
from stepfast.http.models import ExecutionView
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, Id
from stepfast.model import Execution

REFUSED = {**NO_SUCH, 409: "its status does not allow it"}
BY_WHOM = "The history says who has done it, and why. Safe to repeat."

Act = Callable[[Operations, str, str | None], Coroutine[Any, Any, Execution]]

ROUTES: tuple[tuple[str, Act, str, str, str], ...] = (
    (
        "pause",
        Operations.pause,
        "Pause a RUNNING execution and its children",
        "it is PAUSED",
        f"Nothing new begins; what runs ends, and its outcome is recorded. {BY_WHOM}",
    ),
    (
        "unpause",
        Operations.unpause,
        "Let a PAUSED execution go on where it was",
        "it is RUNNING",
        f"The children that were paused with it go on, too. {BY_WHOM}",
    ),
    (
        "close",
        Operations.close,
        "Close a FAILED execution",
        "it is CLOSED",
        f"It is kept, and is neither a dead letter nor resumed any more, unless it is reopened. {BY_WHOM}",
    ),
    (
        "reopen",
        Operations.reopen,
        "Make a CLOSED execution FAILED again",
        "it is FAILED",
        f"It can be resumed then. {BY_WHOM}",
    ),
    (
        "terminate",
        Operations.terminate,
        "End a RUNNING or PAUSED execution at once",
        "it is CANCELLED",
        "None of its code runs any more. The history says who has done it, and why.",
    ),
)
"""The last part of a path, what it does, its summary, what a 200 says, and its description."""


def add(app: Resolver, engine: ApiEngine) -> None:
    for route in ROUTES[:-1]:
        _add(app, engine, *route)
    _add_cancel(app, engine)
    _add(app, engine, *ROUTES[-1])


def _add_cancel(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/<execution_id>/cancel",
        summary="Cancel a RUNNING or PAUSED execution, whose code may clean up",
        description="Its code gets CancelledError where it waits. With nothing to clean up it is CANCELLED at once; "
        f"else it is RUNNING until its code has ended, and then CANCELLED. {BY_WHOM}",
        operation_id="cancelExecution",
        tags=["executions"],
        responses=answers((200, "it is CANCELLED, or cleans up", ExecutionView), problems_of=REFUSED),
    )
    @needs("operate")
    def cancel(execution_id: Id, body: Annotated[CancelRequest | None, Body()] = None) -> Response[str]:
        asked = body or CancelRequest()
        cancelled = engine.call(engine.operations.cancel(execution_id, asked.why, asked.cleanup_seconds))
        return reply(200, views.execution(cancelled))


def _add(app: Resolver, engine: ApiEngine, action: str, act: Act, summary: str, done: str, description: str) -> None:
    @app.post(
        f"/v1/executions/<execution_id>/{action}",
        summary=summary,
        description=description,
        operation_id=f"{action}Execution",
        tags=["executions"],
        responses=answers((200, done, ExecutionView), problems_of=REFUSED),
    )
    @needs("operate")
    def intervene(execution_id: Id, body: Annotated[InterventionRequest | None, Body()] = None) -> Response[str]:
        why = body.why if body is not None else None
        return reply(200, views.execution(engine.call(act(engine.operations, execution_id, why))))
