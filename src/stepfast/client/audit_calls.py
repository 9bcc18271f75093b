"""What the client asks of the audit list."""

from __future__ import annotations

from datetime import datetime

from stepfast.client import audit_shapes as shapes
from stepfast.client.answers import Object
from stepfast.client.stacks import Stacks
from stepfast.client.values import moment


class AuditCalls:
    """The part of a client that is about the audit list. Where there are several deployments, the first is asked."""

    _stacks: Stacks

    def audit(
        self,
        *,
        execution_id: str | None = None,
        by: str | None = None,
        action: str | None = None,
        since: datetime | float | str | None = None,
        until: datetime | float | str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Object:
        """A page of the changes that callers have asked for, the newest first: `lines`, and the cursor `next`.

        execution_id: those of one execution or job.
        by: those of a key with this name, or of a token with this subject.
        action: those of one kind, such as "cancel" or "set-limit".
        since: the first moment, included: a datetime, or seconds since the epoch.
        until: the end, not included.
        limit: the most lines of a page, 1 to 1,000.
        cursor: the `next` of an earlier page. A page may have few lines, or none, and yet a `next`.
        """
        return self._stacks.first.get(
            "/v1/audit",
            shapes.AuditPageShape,
            execution_id=execution_id,
            by=by,
            action=action,
            since=None if since is None else moment(since),
            until=None if until is None else moment(until),
            limit=limit,
            cursor=cursor,
        )
