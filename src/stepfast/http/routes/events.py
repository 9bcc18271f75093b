"""What changes in an execution while somebody watches: by long poll; server-sent events are made of it."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from stepfast.engine.record_reader import RecordQuery
from stepfast.http import changes, parts
from stepfast.http.auth import needs
from stepfast.http.change_models import ChangeList
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 4.0
"""Between two looks of a request that waits in a function: each pause is half as long again as the one before."""
MAX_CHANGE_WAIT_SECONDS = 20
"""The longest wait: below the 29 or 30 seconds after which gateways and proxies commonly give a request up."""


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/events",
        summary="What has changed in an execution since a cursor",
        operation_id="followExecution",
        tags=["executions"],
        description="Without `after`, the state of now as events. With the cursor of an earlier answer, what has "
        "changed since then; with `wait`, the answer comes with the next change, or after so many seconds. Every "
        "event comes at least once. Changes that follow each other closely may come as the last of them. `history` "
        "has the past. "
        "With `Accept: text/event-stream`, `stepfast dev` and Embedded stream the events as server-sent events, whose "
        "`id` is the cursor, and end after the end of the execution; a deployment on AWS answers with JSON.",
        responses=answers((200, "its changes", ChangeList), problems_of=NO_SUCH),
    )
    @needs("read")
    def events(
        execution_id: Annotated[str, Path(pattern=ID, description="the execution's id")],
        after: Annotated[str | None, Query(min_length=1, max_length=4096, description="an answer's `after`")] = None,
        wait: Annotated[int, Query(ge=0, le=MAX_CHANGE_WAIT_SECONDS, description="seconds to wait for a change")] = 0,
    ) -> Response[str]:
        pause, left = FIRST_PAUSE_SECONDS, float(wait) if engine.sleep is not None else 0.0
        while True:
            news = _changes(engine, execution_id, after)
            if news.events or news.ended or left <= 0 or engine.sleep is None:
                shown = ChangeList(events=news.events, after=news.after, ended=news.ended)
                return reply(200, shown, {"Cache-Control": "private, no-cache"})
            engine.sleep(min(pause, left))
            left -= pause
            pause = min(LONGEST_PAUSE_SECONDS, pause * 1.5)


def _changes(engine: ApiEngine, execution_id: str, after: str | None) -> changes.NewEvents:
    operations = engine.operations
    longer = engine.call(operations.if_longer(execution_id, parts.FEW))
    if longer is not None:
        outline = engine.call(operations.outline(longer, RecordQuery(limit=1, largest=0)))
        return changes.since(longer, outline.notable, after)
    snapshot = engine.call(operations.load(execution_id, signals=False))
    return changes.since(snapshot.execution, tuple(snapshot.records.values()), after)
