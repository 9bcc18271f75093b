"""What is deployed here: the workflows, the health, the API's own description."""

from __future__ import annotations

from importlib.metadata import version

from aws_lambda_powertools.event_handler import Response

from stepfast.http import restricting, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import Health
from stepfast.http.resolver import Resolver
from stepfast.http.workflow_models import WorkflowList


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/workflows",
        summary="The workflows deployed here, with their schemas and steps",
        operation_id="listWorkflows",
        tags=["about"],
        responses=answers((200, "every workflow, by name", WorkflowList)),
    )
    @needs("read")
    def list_workflows() -> Response[str]:
        registry = engine.registry
        names = filter(restricting.restriction().takes_workflow, sorted(registry.workflows))
        paused = engine.call(engine.operations.workflows.paused())
        workflows = [views.workflow(registry.workflows[name], registry, paused.get(name)) for name in names]
        return reply(200, WorkflowList(workflows=workflows))

    @app.get(
        "/v1/health",
        summary="Whether the API answers; needs no key",
        operation_id="health",
        tags=["about"],
        responses=answers((200, "it answers", Health)),
    )
    @needs(None)
    def health() -> Response[str]:
        return reply(200, Health(status="ok", version=version("stepfast")))

    @app.get("/openapi.json", include_in_schema=False)
    @needs("read")
    def openapi() -> Response[str]:
        return Response(200, "application/json", engine.describe())
