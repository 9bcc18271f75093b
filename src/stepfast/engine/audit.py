"""The audit list: notes what a caller asks for before it is done, and what came of it afterwards (rule *audit*)."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace

from stepfast.engine.audit_store import (
    AUDIT_DAY_SECONDS,
    LONGEST_AUDIT_TEXT,
    MOST_AUDIT_LINES,
    AuditLine,
    AuditOutcome,
    AuditPage,
    AuditQuery,
    AuditSettings,
    AuditStore,
    place_at,
)
from stepfast.engine.ports import Clock
from stepfast.errors import InvalidRequest


class AuditOperations:
    """The audit list of a deployment."""

    def __init__(self, store: AuditStore, clock: Clock, settings: AuditSettings) -> None:
        self._store, self._clock, self.settings = store, clock, settings
        self._last, self._lock = 0.0, threading.Lock()

    async def note(
        self, by: str, action: str, execution_id: str = "", target: str = "", why: str = "", count: int = 0
    ) -> AuditLine:
        """Notes what is about to be done."""
        at = self._next_moment()
        by, action, execution_id, target, why = (
            text[:LONGEST_AUDIT_TEXT] for text in (by, action, execution_id, target, why)
        )
        line = AuditLine(f"{place_at(at)}-{secrets.token_hex(4)}", at, by, action, execution_id, target, why, count)
        await self._store.note(line, at + self.settings.days * AUDIT_DAY_SECONDS)
        return line

    def _next_moment(self) -> float:
        """The time, and after each other line of this process: lines of one moment keep their order."""
        with self._lock:
            self._last = at = max(round(self._clock.now(), 6), round(self._last + 1e-6, 6))
        return at

    async def settle(self, line: AuditLine, status: int, execution_id: str = "") -> None:
        """Notes what came of it. execution_id: of the execution, if the request did not name one."""
        outcome: AuditOutcome = "done" if status < 400 else "refused" if status < 500 else "failed"
        id = line.execution_id or execution_id[:LONGEST_AUDIT_TEXT]
        await self._store.settle(replace(line, outcome=outcome, status=status, execution_id=id))

    async def page(self, query: AuditQuery) -> AuditPage:
        """A page of the list. Raises InvalidRequest for a cursor that no page gave."""
        if query.cursor is not None and not _is_place(query.cursor):
            raise InvalidRequest("the cursor is not the `next` of a page", (("cursor", "not the `next` of a page"),))
        if not self.settings.days:
            return AuditPage((), None)
        limit = max(1, min(query.limit, MOST_AUDIT_LINES))
        oldest = self._clock.now() - self.settings.days * AUDIT_DAY_SECONDS
        return await self._store.audit_page(replace(query, limit=limit), max(oldest, query.since or oldest))

    async def expire(self) -> int:
        """Drops some of the lines that are past their time; 0 if there are none."""
        return await self._store.expire_audit(self._clock.now() - self.settings.days * AUDIT_DAY_SECONDS)


def _is_place(cursor: str) -> bool:
    at, _, rest = cursor.partition("-")
    return len(at) == 17 and at.replace(".", "", 1).isdigit() and (not rest or (len(rest) == 8 and rest.isalnum()))
