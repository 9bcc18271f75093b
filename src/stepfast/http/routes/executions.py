"""Starting executions, and reading them."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query

from stepfast.errors import InvalidRequest
from stepfast.http import problems, timeline, views
from stepfast.http.auth import needs
from stepfast.http.engine import Engine, answers, reply
from stepfast.http.models import ID, ExecutionDetail, ExecutionList, ExecutionView, History, StartRequest
from stepfast.http.resolver import Resolver
from stepfast.model import ExecutionStatus, Snapshot
from stepfast.ports import Query as Asked
from stepfast.replay import Replay

log = logging.getLogger(__name__)

Id = Annotated[str, Path(pattern=ID, description="the execution's id")]
Moment = Annotated[str | None, Query(max_length=64, description="ISO 8601 (UTC unless it says) or seconds since 1970")]
NO_SUCH = {404: "no execution has this id"}
_SECONDS = re.compile(r"-?\d{1,12}(\.\d{1,9})?")


def add(app: Resolver, engine: Engine) -> None:
    @app.post(
        "/v1/workflows/<workflow>/executions",
        summary="Start an execution",
        description="Safe to repeat under the same id with the same input: the execution there is returned.",
        operation_id="startExecution",
        tags=["executions"],
        responses=answers(
            (201, "started", ExecutionView),
            (200, "the same call had started it before", ExecutionView),
            problems_of={404: "no such workflow", 409: "the id is taken by another workflow or input"},
        ),
    )
    @needs("run")
    def start(
        workflow: str,
        body: Annotated[StartRequest, Body()],
        idempotency_key: Annotated[
            str | None, Header(alias="Idempotency-Key", pattern=ID, description="the same as execution_id")
        ] = None,
    ) -> Response[str]:
        execution_id = body.execution_id or idempotency_key
        if idempotency_key is not None and execution_id != idempotency_key:
            message = "execution_id and the Idempotency-Key header differ: send one of them, or the same in both"
            raise InvalidRequest(message, (("execution_id", message), ("idempotency-key", message)))
        if execution_id in (".", ".."):
            message = "a path of dots is cut out of every URL: the execution could not be asked for"
            raise InvalidRequest(message, (("execution_id", message),))
        try:
            started = engine.call(engine.operations.start(workflow, body.input, execution_id, body.labels))
        except InvalidRequest as error:
            raise problems.below("input", error) from error
        location = {"Location": f"/v1/executions/{started.execution.execution_id}"}
        return reply(201 if started.created else 200, views.execution(started.execution), location)

    @app.get(
        "/v1/executions",
        summary="List executions, newest first",
        operation_id="listExecutions",
        tags=["executions"],
        responses=answers((200, "a page of executions", ExecutionList)),
    )
    @needs("read")
    def list_executions(
        workflow: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
        status: Annotated[ExecutionStatus | None, Query()] = None,
        label: Annotated[list[str] | None, Query(description="key:value or key=value; all given must match")] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, Query(max_length=1024, description="a page's `next`")] = None,
    ) -> Response[str]:
        query = Asked(
            workflow=workflow,
            status=status,
            labels=_labels(label or []),
            since=_moment("since", since),
            until=_moment("until", until),
            limit=limit,
            cursor=cursor,
        )
        page = engine.call(engine.operations.page(query))
        return reply(200, ExecutionList(executions=[views.execution(one) for one in page.executions], next=page.next))

    @app.get(
        "/v1/executions/<execution_id>",
        summary="One execution with its commands",
        operation_id="getExecution",
        tags=["executions"],
        responses=answers((200, "the execution", ExecutionDetail), problems_of=NO_SUCH),
    )
    @needs("read")
    def show(
        execution_id: Id,
        commands: Annotated[bool, Query(description="false leaves the commands out, which is quick")] = True,
    ) -> Response[str]:
        if not commands:
            return reply(200, views.execution(engine.call(engine.operations.read(execution_id))))
        snapshot = engine.call(engine.operations.load(execution_id))
        found = timeline.commands_of(snapshot, _replay(engine, snapshot), engine.registry)
        deployed = engine.registry.get(snapshot.execution.workflow) is not None
        return reply(200, ExecutionDetail(**views.fields(snapshot.execution), deployed=deployed, commands=found))

    @app.get(
        "/v1/executions/<execution_id>/history",
        summary="What happened to an execution, in order",
        operation_id="getHistory",
        tags=["executions"],
        responses=answers((200, "its events", History), problems_of=NO_SUCH),
    )
    @needs("read")
    def history(execution_id: Id) -> Response[str]:
        events = engine.call(engine.operations.history(execution_id))
        return reply(200, History(events=[views.event(one) for one in events]))


def _replay(engine: Engine, snapshot: Snapshot) -> Replay | None:
    """What the code asks for; without it an execution can still be shown, as far as it is recorded.

    A cancelled one is not replayed: its code would take the cancelled commands for failed ones and go on.
    """
    if snapshot.execution.status == "CANCELLED":
        return None
    try:
        return engine.operations.replay(snapshot)
    except Exception as error:
        log.error("execution %s cannot be replayed: %s", snapshot.execution.execution_id, type(error).__name__)
        return None


def _labels(given: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for one in given:
        key, separator, value = re.match(r"([^:=]*)([:=]?)(.*)", one, re.DOTALL).groups()  # type: ignore[union-attr]
        if not key or not separator or labels.setdefault(key, value) != value:
            message = "a label is asked for as key:value or key=value, each key once"
            raise InvalidRequest(message, (("label", message),))
    return labels


def _moment(field: str, text: str | None) -> float | None:
    if text is None:
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        # An unescaped + of an offset has become a space on its way here.
        moment = datetime.fromisoformat(re.sub(r"(T.*) (\d\d:?\d\d)$", r"\1+\2", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        message = "a time is ISO 8601, such as 2026-11-22T15:00:00Z, or seconds since 1970"
        raise InvalidRequest(message, ((field, message),)) from error
