"""What is answered of the audit list, as JSON."""

from __future__ import annotations

from pydantic import Field

from stepfast.engine.audit_store import AuditOutcome
from stepfast.http.models import Shown, Time


class AuditLineView(Shown):
    id: str
    at: Time
    by: str = Field(description="the name of the key, or the subject of the token; empty where callers have no names")
    action: str
    execution_id: str | None = Field(description="of the execution, or of the job")
    target: str | None = Field(description="what else it is about: a workflow, a command, a limit, a schedule")
    why: str | None = Field(description="in the words of the caller")
    count: int = Field(description="how many executions the request names, where it names several")
    outcome: AuditOutcome = Field(
        description="`asked` while it is under way, and where the process died before it had an answer; `refused` by "
        "what it asks for; `failed` by a fault of the server"
    )
    status: int | None = Field(description="the HTTP status of the answer")


class AuditList(Shown):
    lines: list[AuditLineView] = Field(description="the newest first; perhaps none, although there is a `next`")
    next: str | None
