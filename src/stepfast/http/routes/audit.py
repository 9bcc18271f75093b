"""The audit list: who has asked for which change, when and why, and what came of it."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from stepfast.engine.audit_store import AuditLine, AuditQuery
from stepfast.errors import InvalidRequest
from stepfast.http import views
from stepfast.http.audit_models import AuditLineView, AuditList
from stepfast.http.auditing import AUDIT_ACTIONS
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID
from stepfast.http.moments import Moment, moment
from stepfast.http.resolver import Resolver


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/audit",
        summary="Who has changed what, when and why, the newest first",
        description="Every change that a caller has asked for, without values. Lines are kept for the time that the "
        "setting `audit_days` says, also those of executions that are deleted.",
        operation_id="listAudit",
        tags=["audit"],
        responses=answers((200, "a page of the list", AuditList)),
    )
    @needs("operate")
    def list_audit(
        execution_id: Annotated[str | None, Query(pattern=ID)] = None,
        by: Annotated[str | None, Query(max_length=1000, description="the name of a key, or a subject")] = None,
        action: Annotated[str | None, Query(max_length=64)] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=64, description="a page's `next`")] = None,
    ) -> Response[str]:
        if action is not None and action not in AUDIT_ACTIONS:
            there = f"there is no such action; there are: {', '.join(sorted(AUDIT_ACTIONS))}"
            raise InvalidRequest(there, (("action", there),))
        begins, ends = moment("since", since), moment("until", until)
        query = AuditQuery(execution_id, by, action, begins, ends, limit, cursor)
        page = engine.call(engine.operations.audit.page(query))
        return reply(200, AuditList(lines=[_view(line) for line in page.lines], next=page.next))


def _view(line: AuditLine) -> AuditLineView:
    return AuditLineView(
        id=line.id,
        at=views.time(line.at),
        by=line.by,
        action=line.action,
        execution_id=line.execution_id or None,
        target=line.target or None,
        why=line.why or None,
        count=line.count,
        outcome=line.outcome,
        status=line.status or None,
    )
