"""Failed executions: listing them, and resuming many at once in requests of bounded length."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from stepfast.engine.resuming import Resumed
from stepfast.errors import InvalidRequest, Misconfigured, Unavailable
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import Engine, answers, reply
from stepfast.http.jobs import Jobs
from stepfast.http.models import DeadLetterList, FaultGroups, Replayed, ReplayRequest, ResumedView
from stepfast.http.resolver import Resolver
from stepfast.http.routes.replaying import Alike, PacedReplay, failed
from stepfast.model import Execution

BUDGET = 20.0
"""Seconds one replay request may work; API Gateway gives up after 30."""
BATCH = 25
LOOKED_AT = 10_000
"""FAILED executions that one request for groups looks at."""
ASK_AGAIN = 0.25
"""Seconds after which it is worth asking again what has come of a replay."""
SCANS = 40
"""Pages of executions that one listing looks through for those with the error asked for."""


def add(app: Resolver, engine: Engine) -> None:
    _add_lists(app, engine)
    _add_replay(app, engine)


def _add_lists(app: Resolver, engine: Engine) -> None:
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
        alike, found = Alike(workflow, step, error), list[Execution]()
        for _ in range(SCANS):
            matching, cursor = failed(engine, alike, limit - len(found), cursor)
            found += matching
            if cursor is None or len(found) == limit:
                break
        return reply(200, DeadLetterList(dead_letters=[views.dead_letter(one) for one in found], next=cursor))

    @app.get(
        "/v1/dead-letters/groups",
        summary="FAILED executions, counted by workflow, step and error",
        description=f"Looks at the {LOOKED_AT:,} that were started last, and says when there are more.",
        operation_id="listDeadLetterGroups",
        tags=["dead letters"],
        responses=answers((200, "the groups", FaultGroups)),
    )
    @needs("read")
    def list_groups(
        workflow: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    ) -> Response[str]:
        groups, complete = engine.call(engine.operations.fault_groups(workflow, LOOKED_AT))
        return reply(200, FaultGroups(groups=[views.fault_group(one) for one in groups], complete=complete))


def _add_replay(app: Resolver, engine: Engine) -> None:
    @app.post(
        "/v1/dead-letters/replay",
        summary="Resume failed executions",
        description=(
            f"Works for about {BUDGET:g} s; what then remains is to be asked for with the body in `next`. With a "
            "`rate` a server that lives on answers at once and goes on by itself, also when nobody asks again; whoever "
            "sends the body in `next`, after `after` seconds, is told what has come of it since."
        ),
        operation_id="replayDeadLetters",
        tags=["dead letters"],
        responses=answers((200, "what came of each", Replayed)),
    )
    @needs("operate")
    def replay_dead_letters(body: Annotated[ReplayRequest, Body()]) -> Response[str]:
        _check_selector(body)
        if body.rate is not None and engine.jobs is not None:
            return reply(200, _report(engine.jobs, _paced(engine, engine.jobs, body)))
        work = _Work(engine, body.rate)
        rest = _by_ids(work, body) if body.execution_ids else _by_selector(engine, work, body)
        return reply(200, _replayed(work.done, rest))


def _paced(engine: Engine, jobs: Jobs, body: ReplayRequest) -> PacedReplay:
    """The job that the body asks after, or a new one, whose first step is done: the request itself never waits."""
    found = jobs.find(body.job) if body.job else None
    if isinstance(found, PacedReplay):
        return found
    job = PacedReplay(engine, body)
    wait = job.step()
    if wait is None:
        job.ended = time.monotonic()
    else:
        jobs.add(job, wait)
    return job


def _report(jobs: Jobs, job: PacedReplay) -> Replayed:
    with job.lock:
        done, job.results = job.results, []
        rest, works = job.rest(), job.failure is None
    if rest is None or not works:
        jobs.drop(job)
        return _replayed(done, rest)
    return _replayed(done, {**rest, "job": job.id}, after=max(ASK_AGAIN, 1 / job.rate))


def _replayed(done: Sequence[Resumed], rest: dict[str, Any] | None, after: float | None = None) -> Replayed:
    views_of = [
        ResumedView(execution_id=one.execution_id, resumed=one.resumed, refused=one.refused, notice=one.notice)
        for one in done
    ]
    return Replayed(
        resumed=sum(one.resumed for one in views_of),
        results=views_of,
        remaining=rest is not None,
        next=rest,
        working=after is not None,
        after=after,
    )


class _Work:
    """Resumes until this request's share is done: by time, and with a rate by number."""

    def __init__(self, engine: Engine, rate: float | None) -> None:
        self._engine, self._rate = engine, rate
        self._end = time.monotonic() + BUDGET
        self._most = 1000 if rate is None else max(1, min(1000, int(rate * BUDGET)))
        self.done: list[Resumed] = []

    @property
    def share(self) -> int:
        """How many may be resumed next; 0 when the share is done."""
        return 0 if time.monotonic() >= self._end else min(BATCH, self._most - len(self.done))

    def resume(self, ids: list[str]) -> bool:
        """False when the store went away; what was done before that is still told."""
        if not ids:
            return True
        if self._rate and self.done:
            time.sleep(1 / self._rate)
        try:
            self.done += self._engine.call(self._engine.operations.replay_dead_letters(ids, self._rate))
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


def _by_selector(engine: Engine, work: _Work, body: ReplayRequest) -> dict[str, Any] | None:
    """Goes down the list by its cursor, so that one which fails again at once is not resumed again."""
    alike, cursor = Alike(body.workflow, body.step, body.error), body.cursor
    while share := work.share:
        found, following = failed(engine, alike, share, cursor)
        if not work.resume([one.execution_id for one in found]):
            break
        if following is None:
            return None
        cursor = following
    return _next(body, cursor=cursor)


def _next(body: ReplayRequest, **rest: Any) -> dict[str, Any]:
    return {**body.model_dump(exclude_defaults=True, exclude={"job"}), **rest}


def _check_selector(body: ReplayRequest) -> None:
    alike = any(one is not None for one in (body.workflow, body.step, body.error))
    chosen = [bool(body.execution_ids), alike, body.all]
    if sum(chosen) != 1 or (body.execution_ids and body.cursor):
        message = 'send either "execution_ids", or any of "workflow", "step" and "error", or "all": true'
        raise InvalidRequest(message, (("", message),))
