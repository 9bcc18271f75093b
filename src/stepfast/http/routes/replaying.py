"""A selection of dead letters, and the job that resumes them at a rate after its request has been answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stepfast.engine.ports import Query as Asked
from stepfast.engine.resuming import ResumeResult
from stepfast.http import restricting
from stepfast.http.engine import ApiEngine
from stepfast.http.jobs import Job
from stepfast.http.models import ReplayRequest
from stepfast.model import Execution

STEPS_PER_SECOND = 20
"""The most steps per second of a replay job; at a higher rate each step resumes several executions."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A selection of dead letters. step: "" selects failures of the workflow's own code. error: the type or class."""

    workflow: str | None
    step: str | None
    error: str | None

    def takes(self, execution: Execution) -> bool:
        failure = execution.error
        step = failure.step if failure else None
        errors = (failure.type, failure.error_class) if failure else ()
        return (self.step is None or self.step == (step or "")) and (self.error is None or self.error in errors)


def failed(engine: ApiEngine, alike: Alike, limit: int, cursor: str | None) -> tuple[list[Execution], str | None]:
    query = Asked(
        workflow=alike.workflow, status="FAILED", roots=True, jobs=False, limit=limit, cursor=cursor, values=False
    )
    seen = restricting.narrowed(query, lambda id: None)
    if seen is None:
        return [], None
    page = engine.call(engine.operations.page(seen))
    return [execution for execution in page.executions if alike.takes(execution)], page.next


class PacedReplay(Job):
    """Resumes the selected executions, at most `rate` per second. The request makes the job and runs its first step."""

    results: list[ResumeResult]

    def __init__(self, engine: ApiEngine, body: ReplayRequest) -> None:
        super().__init__()
        assert body.rate is not None
        self.rate = body.rate
        self._engine, self._body = engine, body
        self._share = max(1, int(body.rate / STEPS_PER_SECOND))
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
        """The ids to resume next, the cursor after them, and whether more remain."""
        if self._ids:
            return self._ids[: self._share], None, False
        alike = Alike(self._body.workflow, self._body.step, self._body.error)
        # Walks by cursor, so that an execution which fails again at once is not resumed twice.
        letters, cursor = failed(self._engine, alike, self._share, self._cursor)
        return [execution.execution_id for execution in letters], cursor, cursor is not None
