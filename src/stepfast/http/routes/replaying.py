"""Which dead letters are meant, and a replay of them that goes on at its rate after the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stepfast.engine.ports import Query as Asked
from stepfast.engine.resuming import Resumed
from stepfast.http.engine import Engine
from stepfast.http.jobs import Job
from stepfast.http.models import ReplayRequest
from stepfast.model import Execution

STEPS = 20
"""Steps a second that a replay makes at the most: at a high rate each resumes several."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Which dead letters are meant; step: "" for failures of the workflow's own code; error: type or class."""

    workflow: str | None
    step: str | None
    error: str | None

    def takes(self, one: Execution) -> bool:
        failure = one.error
        step = failure.step if failure else None
        errors = (failure.type, failure.error_class) if failure else ()
        return (self.step is None or self.step == (step or "")) and (self.error is None or self.error in errors)


def failed(engine: Engine, alike: Alike, limit: int, cursor: str | None) -> tuple[list[Execution], str | None]:
    query = Asked(workflow=alike.workflow, status="FAILED", limit=limit, cursor=cursor, values=False)
    page = engine.call(engine.operations.page(query))
    return [one for one in page.executions if alike.takes(one)], page.next


class PacedReplay(Job):
    """Resumes at most `rate` per second what a request has selected; made and first stepped by the request."""

    results: list[Resumed]

    def __init__(self, engine: Engine, body: ReplayRequest) -> None:
        super().__init__()
        assert body.rate is not None
        self.rate = body.rate
        self._engine, self._body = engine, body
        self._share = max(1, int(body.rate / STEPS))
        self._ids = list(dict.fromkeys(body.execution_ids or ()))
        self._cursor, self._more = body.cursor, not body.execution_ids

    def step(self) -> float | None:
        ids, cursor, more = self._next()
        done = self._engine.call(self._engine.operations.replay_dead_letters(ids)) if ids else []
        with self.lock:
            self.results += done
            self._ids, self._cursor, self._more = self._ids[len(ids) :] if self._ids else [], cursor, more
            return len(ids) / self.rate if self._ids or self._more else None

    def rest(self) -> dict[str, Any] | None:
        if not (self._ids or self._more):
            return None
        body = self._body.model_dump(exclude_defaults=True, exclude={"job", "execution_ids", "cursor"})
        if self._ids:
            return {**body, "execution_ids": list(self._ids)}
        return {**body, "cursor": self._cursor} if self._cursor else body

    def _next(self) -> tuple[list[str], str | None, bool]:
        """Ids to resume next, and where the list goes on after them."""
        if self._ids:
            return self._ids[: self._share], None, False
        alike = Alike(self._body.workflow, self._body.step, self._body.error)
        # Down the list by its cursor, so that one which fails again at once is not resumed again.
        found, cursor = failed(self._engine, alike, self._share, self._cursor)
        return [one.execution_id for one in found], cursor, cursor is not None
