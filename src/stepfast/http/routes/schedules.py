"""Schedules: when they are due next, and pausing, starting and making up by hand."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from stepfast.engine.schedule_items import Moment
from stepfast.engine.schedule_operations import ScheduleReport
from stepfast.engine.schedule_starts import MomentOutcome
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import NAME
from stepfast.http.moments import moment
from stepfast.http.resolver import Resolver
from stepfast.http.schedule_models import (
    Backfilled,
    BackfilledRun,
    BackfillRequest,
    NextView,
    OutcomeView,
    PauseScheduleRequest,
    PauseView,
    ScheduledRunView,
    ScheduleList,
    ScheduleView,
    SkippedView,
    TriggerRequest,
)

Name = Annotated[str, Path(pattern=NAME, description="the name of the schedule")]
NO_NAME = {404: "the settings have no schedule of this name"}
STARTS = {404: "the settings have no schedule of this name, or its workflow is not deployed"}


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_reading(app, engine)
    _add_pausing(app, engine)
    _add_starting(app, engine)


def _add_reading(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/schedules",
        summary="The schedules of the settings: their next times, last starts and pauses",
        operation_id="listSchedules",
        tags=["schedules"],
        responses=answers((200, "the schedules, by name", ScheduleList)),
    )
    @needs("read")
    def list_schedules(
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: Annotated[str | None, Query(max_length=64, description="a page's `next`")] = None,
    ) -> Response[str]:
        reports, after = engine.call(engine.operations.schedules.page(limit, cursor or ""))
        return reply(200, ScheduleList(schedules=[_view(report) for report in reports], next=after or None))

    @app.get(
        "/v1/schedules/<name>",
        summary="A schedule: its next times, last starts and pause",
        operation_id="getSchedule",
        tags=["schedules"],
        responses=answers((200, "the schedule", ScheduleView), problems_of=NO_NAME),
    )
    @needs("read")
    def show_schedule(name: Name) -> Response[str]:
        return reply(200, _view(engine.call(engine.operations.schedules.describe(name))))


def _add_pausing(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/schedules/<name>/pause",
        summary="Pause a schedule: nothing starts by the clock",
        description="It holds until it is unpaused, also after a restart or a deployment. Executions that run go on.",
        operation_id="pauseSchedule",
        tags=["schedules"],
        responses=answers((200, "the schedule", ScheduleView), problems_of=NO_NAME),
    )
    @needs("operate")
    def pause_schedule(name: Name, body: Annotated[PauseScheduleRequest | None, Body()] = None) -> Response[str]:
        why = body.why if body is not None else ""
        return reply(200, _view(engine.call(engine.operations.schedules.pause(name, why))))

    @app.post(
        "/v1/schedules/<name>/unpause",
        summary="Unpause a schedule: it starts again from now on",
        description="A moment that it has missed stays missed, unless it is backfilled.",
        operation_id="unpauseSchedule",
        tags=["schedules"],
        responses=answers((200, "the schedule", ScheduleView), problems_of=NO_NAME),
    )
    @needs("operate")
    def unpause_schedule(name: Name) -> Response[str]:
        return reply(200, _view(engine.call(engine.operations.schedules.unpause(name))))


def _add_starting(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/schedules/<name>/trigger",
        summary="Start the workflow of a schedule now, with the schedule's input",
        description="By its overlap policy, or by another; also while it is paused.",
        operation_id="triggerSchedule",
        tags=["schedules"],
        responses=answers((200, "what became of it", OutcomeView), problems_of=STARTS),
    )
    @needs("operate")
    def trigger_schedule(name: Name, body: Annotated[TriggerRequest | None, Body()] = None) -> Response[str]:
        request = body or TriggerRequest()
        outcome = engine.call(engine.operations.schedules.trigger(name, request.execution_id, request.overlap))
        return reply(200, OutcomeView(**_outcome(outcome)))

    @app.post(
        "/v1/schedules/<name>/backfill",
        summary="Start an execution for each moment of a time that has passed",
        description="Each has the id that the clock would have given it, so a moment that has started starts no more, "
        "and the call is safe to repeat.",
        operation_id="backfillSchedule",
        tags=["schedules"],
        responses=answers((200, "what became of each moment", Backfilled), problems_of=STARTS),
    )
    @needs("operate")
    def backfill_schedule(name: Name, body: Annotated[BackfillRequest, Body()]) -> Response[str]:
        since, until = moment("from", body.from_), moment("to", body.to)
        assert since is not None
        assert until is not None
        runs_by_time = engine.call(engine.operations.schedules.backfill(name, since, until, body.overlap))
        runs = [BackfilledRun(at=views.time(at), **_outcome(outcome)) for at, outcome in runs_by_time]
        return reply(200, Backfilled(runs=runs))


def _view(report: ScheduleReport) -> ScheduleView:
    schedule, item = report.schedule, report.item
    pause = item.pause if item.paused else None
    return ScheduleView(
        name=schedule.name,
        workflow=schedule.target.workflow,
        expression=schedule.expression,
        timezone=schedule.timezone,
        enabled=schedule.enabled,
        overlap=schedule.target.overlap,
        jitter=schedule.target.jitter,
        paused=None if pause is None else PauseView(since=views.time(pause.since), by=pause.by, why=pause.why),
        next=[
            NextView(at=views.time(at), starts_at=views.time(starts_at))
            for at, starts_at in zip(report.next, report.jittered, strict=True)
        ],
        started=[ScheduledRunView(**_run(moment)) for moment in item.started],
        skipped=[SkippedView(**_run(moment), why=moment.why) for moment in item.skipped],
        waiting=len(item.waiting),
    )


def _run(start: Moment) -> dict[str, str]:
    times = {"at": views.time(start.at), "decided_at": views.time(start.decided_at)}
    return {"execution_id": start.id, "cause": start.cause, "by": start.by, **times}


def _outcome(outcome: MomentOutcome) -> dict[str, str | bool]:
    return {
        "outcome": outcome.kind,
        "execution_id": outcome.execution_id,
        "created": outcome.created,
        "why": outcome.why,
    }
