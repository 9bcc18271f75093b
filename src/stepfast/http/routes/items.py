"""The items of an execution's maps with their results, page by page."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from stepfast.engine.map_results import ItemResult
from stepfast.http import values, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.map_models import ItemList, ItemView
from stepfast.http.models import ID
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH
from stepfast.http.values import Largest


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/items",
        summary="The items of an execution's maps, by the page",
        description="What map_items() has run, in the order of the items, with results. A page is of one batch and may "
        "be empty: go on while `next` is not null. An item that no worker has begun is not listed.",
        operation_id="listItems",
        tags=["executions"],
        responses=answers((200, "a page of items", ItemList), problems_of=NO_SUCH),
    )
    @needs("read")
    def items(
        execution_id: Annotated[str, Path(pattern=ID, description="the execution's id")],
        failed: Annotated[bool, Query(description="true: only items that have failed")] = False,
        largest: Largest = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
        cursor: Annotated[str | None, Query(max_length=64, description="a page's `next`")] = None,
    ) -> Response[str]:
        page = engine.call(engine.operations.items(execution_id, limit, cursor, failed))
        return reply(200, ItemList(items=[_view(item, largest) for item in page.items], next=page.next))


def _view(item: ItemResult, largest: int | None) -> ItemView:
    return ItemView(
        **values.shown(largest, result=item.output),
        item=item.item,
        status=item.status,
        error=views.error(item.error),
        batch_id=item.batch_id,
        command_id=item.command_id,
    )
