"""One execution: its state with its commands, and its history."""

from __future__ import annotations

import logging
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from stepfast.engine.record_reader import RecordQuery
from stepfast.errors import InvalidRequest
from stepfast.http import etag, event_pages, event_parts, paging, parts, timeline, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID, History
from stepfast.http.page_models import ExecutionDetail
from stepfast.http.problems import Rejected
from stepfast.http.resolver import Resolver
from stepfast.http.values import Largest
from stepfast.model import Cursor, Execution, Snapshot
from stepfast.replay.replay import Replay

log = logging.getLogger(__name__)

Id = Annotated[str, Path(pattern=ID, description="the execution's id")]
Run = Annotated[
    int | None, Query(ge=1, description="which run of an execution that continues as new; by default the current one")
]
Command = Annotated[str | None, Query(min_length=1, max_length=4096, description="the id of the one command to show")]
NO_SUCH = {404: "no execution has this id"}
_SHOWN = answers((200, "the execution", ExecutionDetail), problems_of={404: "no such execution, or no such command"})
_SHOWN[200]["headers"] = etag.HEADERS


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>",
        summary="One execution with its commands",
        operation_id="getExecution",
        tags=["executions"],
        description="With all its commands, if there are at most 1,000 and no `limit` is given. Else with the first "
        "page, and `next`, which goes on at the route of its commands. Of an execution with more than 1,000 it costs "
        "the same whatever the number: then `partial` is true, and `notable` has what to look at first.",
        responses=_SHOWN | etag.UNCHANGED,
    )
    @needs("read")
    def show(
        execution_id: Id,
        commands: Annotated[bool, Query(description="false leaves the commands out, which is quick")] = True,
        command: Command = None,
        largest: Largest = None,
        limit: Annotated[
            int | None, Query(ge=1, le=1000, description="the first page of so many commands; see `next`")
        ] = None,
        run: Run = None,
        if_none_match: Annotated[
            str | None, Header(alias="If-None-Match", description="the ETag of an earlier answer to the same request")
        ] = None,
    ) -> Response[str]:
        if command is not None and not commands:
            message = "commands=false leaves out the command that is asked for: leave one of them away"
            raise InvalidRequest(message, (("command", message),))
        now = engine.operations.now()
        if run is None and commands:
            longer = engine.call(engine.operations.if_longer(execution_id, parts.FEW))
            if longer is not None:
                return _part(engine, longer, command, largest, limit or parts.FIRST_PAGE_COMMANDS, now, if_none_match)
        snapshot = _snapshot(engine, execution_id, commands, run)
        late = timeline.overdue_in(snapshot, now)
        tag = etag.tag_of(snapshot, engine.edition, commands, command, largest, limit, late)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if etag.is_known(tag, if_none_match):
            return Response(304, None, "", headers)
        if not commands:
            return reply(200, views.execution(snapshot.execution, largest), headers)
        page = _commands(engine, snapshot, command, limit, largest)
        shown = timeline.views_of(page.entries, snapshot.execution, engine.registry, largest, now)
        deployed = engine.registry.get(snapshot.execution.workflow) is not None
        left = [views.not_taken(refusal) for refusal in engine.call(engine.operations.not_taken(snapshot))]
        fields = views.fields(snapshot.execution, largest)
        whole = ExecutionDetail(**fields, deployed=deployed, commands=shown, signals_not_taken=left, next=page.next)
        return reply(200, whole, headers)

    _add_history(app, engine)


def _add_history(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/history",
        summary="What happened to an execution, in order",
        operation_id="getHistory",
        tags=["executions"],
        description="All events, or with `limit` a page of them, which ends early where its values would be more than "
        "about 2 MB: go on while `next` is not null. The pages of an execution with more than 10,000 commands come "
        "command by command, in the order of their ids, at the same cost whatever their number; then come all other "
        "events.",
        responses=answers((200, "its events", History), problems_of=NO_SUCH),
    )
    @needs("read")
    def history(
        execution_id: Id,
        largest: Largest = None,
        limit: Annotated[int | None, Query(ge=1, le=event_pages.MAX_EVENTS)] = None,
        cursor: Annotated[str | None, Query(max_length=8192, description="a page's `next`")] = None,
        run: Run = None,
    ) -> Response[str]:
        by_command = run is None and event_parts.is_by_command(engine, execution_id, limit, cursor)
        if by_command:
            events, following = event_parts.page(engine, execution_id, limit, cursor, largest)
        else:
            operations = engine.operations
            asked = operations.history(execution_id) if run is None else operations.run_history(execution_id, run)
            events, following = event_pages.page(engine.call(asked), limit, cursor, largest)
        shown = [views.event(event) for event in events]
        return reply(200, History(events=shown, next=following, by_command=by_command))


def _snapshot(engine: ApiEngine, execution_id: str, commands: bool, run: int | None) -> Snapshot:
    if run is not None:
        return engine.call(engine.operations.load_run(execution_id, run))
    if commands:
        return engine.call(engine.operations.load_brief(execution_id))
    return Snapshot(engine.call(engine.operations.read(execution_id)), Cursor(), {})


def _commands(
    engine: ApiEngine, snapshot: Snapshot, only: str | None, limit: int | None, largest: int | None
) -> paging.TimelinePage:
    entries = timeline.ordered(snapshot, replay_of(engine, snapshot))
    if only is not None:
        entries = [entry for entry in entries if entry.id == only]
        if not entries:
            raise _no_command(snapshot.execution.execution_id, only)
    if limit is None:
        return paging.TimelinePage(entries, len(entries), None)
    return paging.page(entries, (), None, limit, None, largest)


def _part(
    engine: ApiEngine,
    execution: Execution,
    only: str | None,
    largest: int | None,
    limit: int,
    now: float,
    if_none_match: str | None,
) -> Response[str]:
    part = parts.part_of(engine, execution, RecordQuery(limit=limit, largest=largest), now, only=only)
    if only is not None and not part.commands:
        raise _no_command(execution.execution_id, only)
    headers = {"ETag": part.tag, "Cache-Control": "private, no-cache"}
    if etag.is_known(part.tag, if_none_match):
        return Response(304, None, "", headers)
    detail = ExecutionDetail(
        **views.fields(execution, largest),
        deployed=engine.registry.get(execution.workflow) is not None,
        commands=part.commands,
        next=part.next,
        partial=True,
        notable=part.notable,
    )
    return reply(200, detail, headers)


def _no_command(execution_id: str, only: str) -> Rejected:
    detail = f"execution {execution_id!r} has no command {only!r}"
    return Rejected(404, "command-not-found", "Command not found", detail)


def replay_of(engine: ApiEngine, snapshot: Snapshot) -> Replay | None:
    """What the code asks for; without it an execution can still be shown, as far as it is recorded.

    A cancelled one is not replayed: its code would take the cancelled commands for failed ones and go on. Nor is an
    earlier run, which asks for nothing any more, nor an execution that has not begun.
    """
    if snapshot.execution.status == "CANCELLED" or snapshot.execution.continued or snapshot.execution.waits:
        return None
    try:
        return engine.operations.replay(snapshot)
    except Exception as error:
        log.error("execution %s cannot be replayed: %s", snapshot.execution.execution_id, type(error).__name__)
        return None
