"""Pausing a whole workflow: executions of it that start are held until it is unpaused."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import NAME
from stepfast.http.resolver import Resolver
from stepfast.http.workflow_models import PausedWorkflow, PauseWorkflowRequest, UnpauseWorkflowRequest

Name = Annotated[str, Path(pattern=NAME, description="the name of the workflow")]
NO_WORKFLOW = {404: "no such workflow"}


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/workflows/<workflow>/pause",
        summary="Pause a workflow: what starts of it is held",
        description="Starts are accepted and recorded, and nothing of them begins: they are PAUSED until the workflow "
        "is unpaused. Executions that have begun go on. On AWS, starts may begin for five seconds more. Safe to "
        "repeat: the first pause stands.",
        operation_id="pauseWorkflow",
        tags=["about"],
        responses=answers((200, "it is paused", PausedWorkflow), problems_of=NO_WORKFLOW),
    )
    @needs("operate")
    def pause_workflow(workflow: Name, body: Annotated[PauseWorkflowRequest | None, Body()] = None) -> Response[str]:
        why = body.why if body is not None else None
        pause = engine.call(engine.operations.workflows.pause(workflow, why))
        return reply(200, PausedWorkflow(name=workflow, paused=views.workflow_pause(pause)))

    @app.post(
        "/v1/workflows/<workflow>/unpause",
        summary="Unpause a workflow: what was held begins, at a rate",
        description="New starts begin at once. A bulk job lets go what was held; its id is in the answer. Safe to "
        "repeat: another job then lets go what the first has not.",
        operation_id="unpauseWorkflow",
        tags=["about"],
        responses=answers((200, "it is not paused any more", PausedWorkflow), problems_of=NO_WORKFLOW),
    )
    @needs("operate")
    def unpause_workflow(
        workflow: Name, body: Annotated[UnpauseWorkflowRequest | None, Body()] = None
    ) -> Response[str]:
        asked = body or UnpauseWorkflowRequest()
        job = engine.call(engine.operations.workflows.unpause(workflow, asked.why, asked.rate))
        return reply(200, PausedWorkflow(name=workflow, paused=None, job_id=job.execution.execution_id))
