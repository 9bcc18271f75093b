"""The commands of one execution, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from stepfast.engine.record_reader import RecordQuery
from stepfast.http import etag, paging, parts, timeline, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID
from stepfast.http.page_models import CommandList
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, Run, replay_of
from stepfast.http.values import Largest
from stepfast.model import CommandStatus, Execution, Snapshot

_SHOWN = answers((200, "a page of its commands", CommandList), problems_of=NO_SUCH)
_SHOWN[200]["headers"] = etag.HEADERS


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/commands",
        summary="The commands of an execution, by the page",
        description="In the order of the timeline: by when each was first asked for or claimed, then as the code "
        "issued them. Of an execution with more than 10,000 commands, and with `quick` of one with more than 1,000, by "
        "the bytes of their ids instead: then a page costs the same whatever the number, and `partial` is true. A page "
        "ends early where its values would be more than about 2 MB, and may be empty where few commands match: go on "
        "while `next` is not null.",
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
                description="true asks for a `partial` answer already where there are more than 1,000 commands, so "
                "that the first page comes sooner; ask again without it for the order of the timeline"
            ),
        ] = False,
        largest: Largest = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=1024, description="a page's `next`")] = None,
        run: Run = None,
        if_none_match: Annotated[
            str | None, Header(alias="If-None-Match", description="the ETag of an earlier answer to the same request")
        ] = None,
    ) -> Response[str]:
        now = engine.operations.now()
        long, after = _long(engine, execution_id, cursor, run, parts.FEW if quick else parts.MANY)
        if long is not None:
            query = RecordQuery(frozenset(status or ()), step, limit, after, largest)
            return _part(engine, long, query, now, if_none_match)
        operations = engine.operations
        snapshot = engine.call(operations.load(execution_id) if run is None else operations.load_run(execution_id, run))
        overdue = timeline.overdue_in(snapshot, now)
        asked = (sorted(status or ()), step, quick, largest, limit, cursor, run, overdue)
        tag = etag.tag_of(snapshot, engine.edition, "page", *asked)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if etag.is_known(tag, if_none_match):
            return Response(304, None, "", headers)
        entries = _entries(engine, snapshot)
        page = paging.page(entries, status or (), step, limit, cursor, largest)
        return reply(200, _view(engine, snapshot, entries, page, largest, now, len(overdue)), headers)


def _long(
    engine: ApiEngine, execution_id: str, cursor: str | None, run: int | None, longest: int
) -> tuple[Execution | None, str]:
    """The execution if its commands are shown by their ids, and the position that the page begins behind.

    An earlier run is not: no command is added to it, and its page costs what `show` of it costs.
    """
    after = None if run is not None else parts.position_in(cursor)
    if after is not None:
        return engine.call(engine.operations.read(execution_id)), after
    if run is not None or cursor is not None:
        return None, ""
    return engine.call(engine.operations.if_longer(execution_id, longest)), ""


def _part(
    engine: ApiEngine, execution: Execution, query: RecordQuery, now: float, if_none_match: str | None
) -> Response[str]:
    part = parts.part_of(engine, execution, query, now)
    headers = {"ETag": part.tag, "Cache-Control": "private, no-cache"}
    if etag.is_known(part.tag, if_none_match):
        return Response(304, None, "", headers)
    page = CommandList(
        commands=part.commands,
        next=part.next,
        total=None,
        counts={},
        overdue=part.overdue,
        steps=list(dict.fromkeys(command.name for command in [*part.commands, *part.notable])),
        generation=execution.generation,
        signals_not_taken=[],
        recorded_only=True,
        partial=True,
        notable=part.notable,
        deployed=engine.registry.get(execution.workflow) is not None,
    )
    return reply(200, page, headers)


def _entries(engine: ApiEngine, snapshot: Snapshot) -> Sequence[timeline.TimelineEntry]:
    """All commands in the order of the timeline."""
    id, stored = snapshot.execution.execution_id, etag.tag_of(snapshot, engine.edition)
    return engine.timelines.get(id, stored, lambda: timeline.ordered(snapshot, replay_of(engine, snapshot)))


def _view(
    engine: ApiEngine,
    snapshot: Snapshot,
    entries: Sequence[timeline.TimelineEntry],
    page: paging.TimelinePage,
    largest: int | None,
    now: float,
    overdue: int,
) -> CommandList:
    execution = snapshot.execution
    left = engine.call(engine.operations.not_taken(snapshot))
    return CommandList(
        commands=timeline.views_of(page.entries, execution, engine.registry, largest, now),
        next=page.next,
        total=page.total,
        counts=dict(Counter(entry.status for entry in entries)),
        overdue=overdue,
        steps=list(dict.fromkeys(entry.name for entry in entries)),
        generation=execution.generation,
        signals_not_taken=[views.not_taken(refusal) for refusal in left],
        recorded_only=False,
        deployed=engine.registry.get(execution.workflow) is not None,
    )
