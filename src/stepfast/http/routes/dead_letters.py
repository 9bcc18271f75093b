"""Failed executions: lists them, and resumes many in requests of bounded duration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from stepfast.engine.resuming import ResumeResult
from stepfast.errors import InvalidRequest, Misconfigured, Unavailable
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import DeadLetterList, FaultGroups, Replayed, ReplayRequest, ResumedView
from stepfast.http.resolver import Resolver
from stepfast.http.routes.replaying import Alike, failed, paced
from stepfast.model import Execution

RESUME_SECONDS = 20.0
"""Seconds that one replay request may work: the integration timeout of an HTTP API is 30 seconds.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
"""
RESUME_BATCH = 25
MOST_RESUMED = 1000
"""Executions that one request resumes."""
MAX_EXAMINED = 10_000
"""FAILED executions that one request for groups examines."""
MAX_SCANS = 40
"""Pages that one listing reads to find executions with the requested error."""


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_lists(app, engine)
    _add_replay(app, engine)


def _add_lists(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/dead-letters",
        summary="List FAILED executions, newest first",
        operation_id="listDeadLetters",
        tags=["dead letters"],
        responses=answers((200, "a page of dead letters", DeadLetterList)),
    )
    @needs("read")
    def list_dead_letters(
        workflow: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
        step: Annotated[
            str | None, Query(max_length=64, description="the step that failed; empty: the workflow's own code")
        ] = None,
        error: Annotated[str | None, Query(min_length=1, description="the error's type")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, Query(max_length=1024, description="a page's `next`")] = None,
    ) -> Response[str]:
        alike, letters = Alike(workflow, step, error), list[Execution]()
        for _ in range(MAX_SCANS):
            matching, cursor = failed(engine, alike, limit - len(letters), cursor)
            letters += matching
            if cursor is None or len(letters) == limit:
                break
        return reply(
            200, DeadLetterList(dead_letters=[views.dead_letter(execution) for execution in letters], next=cursor)
        )

    @app.get(
        "/v1/dead-letters/groups",
        summary="FAILED executions, counted by workflow, step and error",
        description=f"Looks at the {MAX_EXAMINED:,} that were started last, and says when there are more.",
        operation_id="listDeadLetterGroups",
        tags=["dead letters"],
        responses=answers((200, "the groups", FaultGroups)),
    )
    @needs("read")
    def list_groups(
        workflow: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    ) -> Response[str]:
        groups, complete = engine.call(engine.operations.fault_groups(workflow, MAX_EXAMINED))
        return reply(200, FaultGroups(groups=[views.fault_group(group) for group in groups], complete=complete))


def _add_replay(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/dead-letters/replay",
        summary="Resume failed executions",
        description=(
            f"Works for about {RESUME_SECONDS:g} s; what then remains is to be asked for with the body in `next`. "
            "With a `rate` it starts a bulk job, whose id is `next.job`, and answers at once. It goes on by itself, "
            "also when nobody asks again; whoever sends the body in `next`, after `after` seconds, is told what has "
            "come of it since."
        ),
        operation_id="replayDeadLetters",
        tags=["dead letters"],
        responses=answers((200, "what came of each", Replayed)),
    )
    @needs("operate")
    def replay_dead_letters(body: Annotated[ReplayRequest, Body()]) -> Response[str]:
        _check_selector(body)
        if body.rate is not None:
            return reply(200, paced(engine, body, body.rate))
        work = _Work(engine)
        rest = _by_ids(work, body) if body.execution_ids else _by_selector(engine, work, body)
        return reply(200, _replayed(work.done, rest))


def _replayed(done: Sequence[ResumeResult], rest: dict[str, Any] | None) -> Replayed:
    results = [
        ResumedView(
            execution_id=result.execution_id, resumed=result.resumed, refused=result.refused, notice=result.notice
        )
        for result in done
    ]
    return Replayed(
        resumed=sum(view.resumed for view in results), results=results, remaining=rest is not None, next=rest
    )


class _Work:
    """Resumes executions until this request's share is done: RESUME_SECONDS, or MOST_RESUMED."""

    def __init__(self, engine: ApiEngine) -> None:
        self._engine = engine
        self._end = time.monotonic() + RESUME_SECONDS
        self.done: list[ResumeResult] = []

    @property
    def share(self) -> int:
        """How many executions to resume next; 0 if the share is done."""
        return 0 if time.monotonic() >= self._end else min(RESUME_BATCH, MOST_RESUMED - len(self.done))

    def resume(self, ids: list[str]) -> bool:
        """Resumes these. False if the store became unavailable; results up to then are kept in `done`."""
        if not ids:
            return True
        try:
            self.done += self._engine.call(self._engine.operations.replay_dead_letters(ids))
        except (Unavailable, Misconfigured):
            if not self.done:
                raise
            return False
        return True


def _by_ids(work: _Work, body: ReplayRequest) -> dict[str, Any] | None:
    ids = list(dict.fromkeys(body.execution_ids or ()))
    while ids and (share := work.share):
        if not work.resume(ids[:share]):
            break
        ids = ids[share:]
    return _next(body, execution_ids=ids) if ids else None


def _by_selector(engine: ApiEngine, work: _Work, body: ReplayRequest) -> dict[str, Any] | None:
    """Walks down the list by its cursor, so that an execution which fails again at once is not resumed twice."""
    alike, cursor = Alike(body.workflow, body.step, body.error), body.cursor
    while share := work.share:
        letters, following = failed(engine, alike, share, cursor)
        if not work.resume([execution.execution_id for execution in letters]):
            break
        if following is None:
            return None
        cursor = following
    return _next(body, cursor=cursor)


def _next(body: ReplayRequest, **rest: Any) -> dict[str, Any]:
    return {**body.model_dump(exclude_defaults=True, exclude={"job"}), **rest}


def _check_selector(body: ReplayRequest) -> None:
    alike = any(criterion is not None for criterion in (body.workflow, body.step, body.error))
    chosen = [bool(body.execution_ids), alike, body.all]
    if sum(chosen) != 1 or (body.execution_ids and body.cursor and body.job is None):
        message = 'send either "execution_ids", or any of "workflow", "step" and "error", or "all": true'
        raise InvalidRequest(message, (("", message),))
