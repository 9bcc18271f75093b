"""Resuming, repairing, deleting and signalling executions."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from stepfast.engine.repairing import repair_of
from stepfast.errors import InvalidRequest, Unavailable
from stepfast.http import problems, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import (
    NAME,
    DeletedView,
    ExecutionView,
    RepairRequest,
    ResumedExecution,
    ResumeRequest,
    SignalRequest,
    SignalView,
)
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, Id

REFUSED = {**NO_SUCH, 409: "its status does not allow it"}


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_resume(app, engine)
    _add_repair(app, engine)
    _add_delete(app, engine)
    _add_signal(app, engine)


def _add_resume(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/<execution_id>/resume",
        summary="Resume a FAILED execution from the step that failed",
        operation_id="resumeExecution",
        tags=["executions"],
        description="`reopens` of the execution says what this runs again; `steps` names other commands instead. "
        "Whatever waits is tried at once. What still runs since before goes on, its outcome counts, "
        "and `waits` says until when at most.",
        responses=answers((200, "it runs on", ResumedExecution), problems_of=REFUSED),
    )
    @needs("operate")
    def resume(execution_id: Id, body: Annotated[ResumeRequest | None, Body()] = None) -> Response[str]:
        steps = body.steps if body is not None else None
        plan = engine.call(engine.operations.rewind(execution_id, steps=steps))
        try:
            waits = engine.call(engine.operations.held_up(execution_id))
        except Unavailable:  # the resume itself has succeeded
            waits = []
        return reply(200, views.resumed(plan, waits, named=steps is not None))


def _add_repair(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/<execution_id>/commands/<command>/repair",
        summary="Give a step its result by hand, skip it, or change its next input",
        operation_id="repairCommand",
        tags=["executions"],
        description="A FAILED execution is resumed by it. In a RUNNING one, an attempt that still runs is refused. The "
        "history says who has done it, and why.",
        responses=answers((200, "it runs on", ExecutionView), problems_of=REFUSED),
    )
    @needs("operate")
    def repair(
        execution_id: Id,
        command: Annotated[str, Path(min_length=1, max_length=4096, description="the id of the step")],
        body: Annotated[RepairRequest, Body()],
    ) -> Response[str]:
        repaired = engine.call(
            engine.operations.repair(execution_id, command, repair_of(body.model_dump(exclude_unset=True)))
        )
        return reply(200, views.execution(repaired))


def _add_delete(app: Resolver, engine: ApiEngine) -> None:
    @app.delete(
        "/v1/executions/<execution_id>",
        summary="Delete an execution that has ended",
        description="With its values, steps, signals and history, for good; what the figures have counted stays. A "
        "RUNNING one is to be cancelled first.",
        operation_id="deleteExecution",
        tags=["executions"],
        responses=answers((200, "it is gone", DeletedView), problems_of=REFUSED),
    )
    @needs("operate")
    def delete(execution_id: Id) -> Response[str]:
        engine.call(engine.operations.delete(execution_id))
        return reply(200, DeletedView(execution_id=execution_id))


def _add_signal(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/<execution_id>/signals/<name>",
        summary="Send an execution a signal",
        description="Safe to repeat under the same signal_id. The payload is checked when the execution waits for it.",
        operation_id="sendSignal",
        tags=["executions"],
        responses=answers(
            (202, "stored; `note` says if nobody waits for it now", SignalView),
            (200, "the same signal had been sent before", SignalView),
            problems_of={
                **NO_SUCH,
                409: "the execution has ended, the id was used for something else, or there are too many signals",
            },
        ),
    )
    @needs("run")
    def signal(
        execution_id: Id,
        name: Annotated[str, Path(pattern=NAME, description="the signal's name")],
        body: Annotated[SignalRequest, Body()],
    ) -> Response[str]:
        try:
            sent = engine.call(engine.operations.signal(execution_id, name, body.payload, body.signal_id))
        except InvalidRequest as error:
            raise problems.below("payload", error) from error
        return reply(202 if sent.created else 200, views.sent(sent))
