"""The commands of one execution, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from stepfast.http import etag, paging, timeline, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID
from stepfast.http.page_models import CommandList
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, replay_of
from stepfast.http.values import Largest
from stepfast.model import CommandStatus, Snapshot

MAX_COMMANDS = 1000
"""With more records than this, replaying the code takes noticeably longer than the rest of a request."""
_SHOWN = answers((200, "a page of its commands", CommandList), problems_of=NO_SUCH)
_SHOWN[200]["headers"] = etag.HEADERS


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/commands",
        summary="The commands of an execution, by the page",
        description="In the order of the timeline: by when each was first asked for or claimed, then as the code "
        "issued them. A page ends early where its values would be more than about 2 MB: go on while `next` is not "
        "null.",
        operation_id="listCommands",
        tags=["executions"],
        responses=_SHOWN | etag.UNCHANGED,
    )
    @needs("read")
    def commands(
        execution_id: Annotated[str, Path(pattern=ID, description="the execution's id")],
        status: Annotated[list[CommandStatus] | None, Query(description="any of those given")] = None,
        step: Annotated[str | None, Query(min_length=1, max_length=64, description="the command's name")] = None,
        quick: Annotated[
            bool,
            Query(
                description="true may leave out what only the code can tell, so that the first page of very many "
                "commands comes sooner; then `recorded_only` is true: ask again without it for all pages"
            ),
        ] = False,
        largest: Largest = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=1024, description="a page's `next`")] = None,
        if_none_match: Annotated[
            str | None, Header(alias="If-None-Match", description="the ETag of an earlier answer to the same request")
        ] = None,
    ) -> Response[str]:
        snapshot = engine.call(engine.operations.load(execution_id))
        now = engine.operations.now()
        overdue = timeline.overdue_in(snapshot, now)
        asked = (sorted(status or ()), step, quick, largest, limit, cursor, overdue)
        tag = etag.tag_of(snapshot, engine.edition, "page", *asked)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if etag.is_known(tag, if_none_match):
            return Response(304, None, "", headers)
        entries = _entries(engine, snapshot, quick)
        page = paging.page(entries.all, status or (), step, limit, cursor, largest)
        return reply(200, _view(engine, snapshot, entries, page, largest, now, len(overdue)), headers)


@dataclass(frozen=True, slots=True)
class _Entries:
    """All commands in the order of the timeline.

    Recorded_only: without commands that only a replay of the code reveals.
    """

    all: Sequence[timeline.TimelineEntry]
    recorded_only: bool = False


def _entries(engine: ApiEngine, snapshot: Snapshot, quick: bool) -> _Entries:
    id, stored = snapshot.execution.execution_id, etag.tag_of(snapshot, engine.edition)
    if quick and len(snapshot.records) > MAX_COMMANDS and not engine.timelines.has(id, stored):
        return _Entries(timeline.ordered(snapshot, None), recorded_only=True)
    return _Entries(engine.timelines.get(id, stored, lambda: timeline.ordered(snapshot, replay_of(engine, snapshot))))


def _view(
    engine: ApiEngine,
    snapshot: Snapshot,
    entries: _Entries,
    page: paging.TimelinePage,
    largest: int | None,
    now: float,
    overdue: int,
) -> CommandList:
    execution = snapshot.execution
    left = [] if entries.recorded_only else engine.call(engine.operations.not_taken(snapshot))
    return CommandList(
        commands=timeline.views_of(page.entries, execution, engine.registry, largest, now),
        next=page.next,
        total=page.total,
        counts=dict(Counter(entry.status for entry in entries.all)),
        overdue=overdue,
        steps=list(dict.fromkeys(entry.name for entry in entries.all)),
        generation=execution.generation,
        signals_not_taken=[views.not_taken(refusal) for refusal in left],
        recorded_only=entries.recorded_only,
        deployed=engine.registry.get(execution.workflow) is not None,
    )
