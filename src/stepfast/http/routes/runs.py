"""The runs of an execution that continues as new."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID
from stepfast.http.page_models import RunList, RunView
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH
from stepfast.model import Execution


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/runs",
        summary="The runs of an execution, the latest first",
        description="An execution has one run, unless its workflow raises ContinueAsNew. Earlier runs are kept for as "
        "long as executions that have ended.",
        operation_id="listRuns",
        tags=["executions"],
        responses=answers((200, "a page of its runs", RunList), problems_of=NO_SUCH),
    )
    @needs("read")
    def runs(
        execution_id: Annotated[str, Path(pattern=ID, description="the execution's id")],
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=1, description="only runs of a lower number: a page's `next`")] = None,
    ) -> Response[str]:
        page = engine.call(engine.operations.runs(execution_id, limit, before))
        following = page[-1].run if len(page) == limit and page[-1].run > 1 else None
        return reply(200, RunList(runs=[_view(run) for run in page], next=following))


def _view(execution: Execution) -> RunView:
    return RunView(
        run=execution.run,
        began_at=views.time(execution.run_began_at),
        ended_at=views.time_or_none(execution.ended_at),
        generation=execution.generation,
        resumes=execution.resumes,
        continued=execution.continued,
    )
