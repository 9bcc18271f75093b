"""Lists executions page by page, and the statuses of many ids."""

from __future__ import annotations

import re
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from stepfast.engine.ports import Query as Asked
from stepfast.errors import InvalidRequest
from stepfast.http import counting, restricting, views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import (
    ID,
    IN_WORDS,
    StatusesRequest,
    StatusList,
)
from stepfast.http.moments import Moment, moment
from stepfast.http.page_models import ExecutionList, TotalView
from stepfast.http.resolver import Resolver
from stepfast.http.values import Largest
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.model import Execution, ExecutionStatus
from stepfast.shown import LABEL_KEY, LABEL_VALUE, MAX_LABELS

NONE = TotalView(count=0, complete=True)
Parent = Annotated[
    str | None,
    Query(
        pattern=ID,
        description="only the children of this execution, also those that it has left or replaced: of its latest run "
        "first, and of each run by the ids of the commands that have started them",
    ),
]


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_list(app, engine)
    _add_statuses(app, engine)


def _add_list(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions",
        summary="List executions, newest first",
        description="Asked for a prefix, the execution whose id is all of it comes first, whenever it was started. "
        "Bulk jobs are left out, unless `workflow` asks for stepfast.job. A page ends early where its inputs and "
        "results would be more than about 4 MB: go on while `next` is not null. With `parent` a page may be short, or "
        "have a few more than the limit. With `contains` or labels it may be short or empty and have a `next`: then "
        "it has looked at as many executions as a page may.",
        operation_id="listExecutions",
        tags=["executions"],
        responses=answers(
            (200, "a page of executions", ExecutionList), problems_of={404: "no execution has the id of the parent"}
        ),
    )
    @needs("read")
    def list_executions(
        workflow: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
        status: Annotated[ExecutionStatus | None, Query()] = None,
        prefix: Annotated[str | None, Query(pattern=ID, description="what the id begins with")] = None,
        contains: Annotated[
            str | None,
            Query(pattern=ID, description="a part of the id; a page looks at a bounded number of executions for it"),
        ] = None,
        label: Annotated[
            list[str] | None, Query(description=f"key:value or key=value; all given must match; at most {MAX_LABELS}")
        ] = None,
        roots: Annotated[bool, Query(description="true leaves out the children of other executions")] = False,
        parent: Parent = None,
        since: Moment = None,
        until: Moment = None,
        largest: Largest = None,
        total: Annotated[
            bool, Query(description=f"true counts how many match, on all pages, up to {counting.MAX_COUNT:,}")
        ] = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, Query(max_length=1024, description="a page's `next`")] = None,
    ) -> Response[str]:
        if parent is not None and roots:
            message = "roots=true leaves out all children, and parent asks for them: leave one of them away"
            raise InvalidRequest(message, (("roots", message),))
        query = Asked(
            workflow=workflow,
            status=status,
            labels=_labels(label or []),
            since=moment("since", since),
            until=moment("until", until),
            limit=limit,
            cursor=cursor,
            prefix=prefix or "",
            contains=contains or "",
            roots=roots,
            jobs=workflow == JOB_WORKFLOW,
            parent=parent,
            values=largest != 0,
        )
        return reply(200, _listed(engine, query, largest, total=total))


def _listed(engine: ApiEngine, asked: Asked, largest: int | None, *, total: bool) -> ExecutionList:
    """A page of the executions that are asked for, as far as the key may see them."""
    query = restricting.narrowed(asked, lambda id: _brief(engine, id))
    if query is None:
        return ExecutionList(executions=[], next=None, total=NONE if total else None)
    page = engine.call(engine.operations.page(query))
    shown = [
        views.execution(execution, largest) if query.values else views.unread(execution)
        for execution in page.executions
    ]
    return ExecutionList(executions=shown, next=page.next, total=_total(engine, query) if total else None)


def _add_statuses(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/executions/statuses",
        summary="How the executions of these ids stand",
        description="In the order asked for, each once; ids that no execution has are left out.",
        operation_id="getStatuses",
        tags=["executions"],
        responses=answers((200, "those that exist", StatusList)),
    )
    @needs("read")
    def statuses(body: Annotated[StatusesRequest, Body()]) -> Response[str]:
        existing = engine.call(engine.operations.read_many(body.execution_ids))
        seen = [views.status(execution) for execution in existing if restricting.takes(execution)]
        return reply(200, StatusList(executions=seen))


def _brief(engine: ApiEngine, execution_id: str) -> Execution | None:
    return next(iter(engine.call(engine.operations.read_many([execution_id]))), None)


def _total(engine: ApiEngine, query: Asked) -> TotalView:
    count, complete = engine.call(counting.count(engine.operations, query))
    return TotalView(count=count, complete=complete)


def _labels(texts: list[str]) -> dict[str, str]:
    if len(texts) > MAX_LABELS:
        message = f"an execution has at most {MAX_LABELS} labels: no more can be asked for"
        raise InvalidRequest(message, (("label", message),))
    labels: dict[str, str] = {}
    for text in texts:
        key, separator, value = re.match(r"([^:=]*)([:=]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        if not key or not separator or labels.setdefault(key, value) != value:
            message = "a label is asked for as key:value or key=value, each key once"
            raise InvalidRequest(message, (("label", message),))
        for part, pattern in ((key, LABEL_KEY), (value, LABEL_VALUE)):
            if not re.fullmatch(pattern, part):
                raise InvalidRequest(IN_WORDS[pattern], (("label", IN_WORDS[pattern]),))
    return labels
