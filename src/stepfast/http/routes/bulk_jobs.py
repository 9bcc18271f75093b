"""Bulk jobs: one action on many executions, carried out by the server at a rate."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from stepfast.engine.job_operations import JobRequest, JobState
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.job_models import (
    JobFilter,
    JobFilterView,
    JobList,
    JobOutcomeView,
    JobReport,
    JobStart,
    JobStopRequest,
    JobStopView,
    JobView,
)
from stepfast.http.moments import moment
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import Id

NO_JOB = {404: "no job has this id"}


def add(app: Resolver, engine: ApiEngine) -> None:
    _add_starting(app, engine)
    _add_reading(app, engine)


def _add_starting(app: Resolver, engine: ApiEngine) -> None:
    @app.post(
        "/v1/jobs",
        summary="Start a bulk job: one action on many executions",
        description="The server carries it out, whoever watches. It survives restarts and keeps its rate. What does "
        "not allow the action is skipped, and so is what was started, or has failed, after the job began. The "
        "history of each execution says who has done it, and why.",
        operation_id="startJob",
        tags=["jobs"],
        responses=answers(
            (201, "the job is started", JobView),
            (200, "the same job had been started before", JobView),
            problems_of={409: "the id is of another job, or of an execution"},
        ),
    )
    @needs("operate")
    def start_job(body: Annotated[JobStart, Body()]) -> Response[str]:
        request = JobRequest(
            body.action,
            body.ids,
            None if body.filter is None else _filter(body.filter),
            body.rate,
            body.why,
            body.options.model_dump(exclude_none=True),
        )
        job, created = engine.call(engine.operations.jobs.start(request, body.job_id))
        return reply(201 if created else 200, view(job))

    @app.post(
        "/v1/jobs/<execution_id>/stop",
        summary="Stop a bulk job",
        description="It stops within seconds. What it has done stays done. Safe to repeat; a job that has ended stays "
        "as it is.",
        operation_id="stopJob",
        tags=["jobs"],
        responses=answers((200, "it stops", JobView), problems_of=NO_JOB),
    )
    @needs("operate")
    def stop_job(execution_id: Id, body: Annotated[JobStopRequest | None, Body()] = None) -> Response[str]:
        why = body.why if body is not None else None
        return reply(200, view(engine.call(engine.operations.jobs.stop(execution_id, why))))


def _add_reading(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/jobs",
        summary="List bulk jobs, newest first",
        operation_id="listJobs",
        tags=["jobs"],
        responses=answers((200, "a page of jobs", JobList)),
    )
    @needs("read")
    def list_jobs(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Annotated[str | None, Query(max_length=1024, description="a page's `next`")] = None,
    ) -> Response[str]:
        jobs, after = engine.call(engine.operations.jobs.page(limit, cursor))
        return reply(200, JobList(jobs=[view(job) for job in jobs], next=after))

    @app.get(
        "/v1/jobs/<execution_id>",
        summary="How a bulk job stands",
        operation_id="getJob",
        tags=["jobs"],
        responses=answers((200, "the job", JobView), problems_of=NO_JOB),
    )
    @needs("read")
    def show_job(execution_id: Id) -> Response[str]:
        return reply(200, view(engine.call(engine.operations.jobs.read(execution_id))))

    @app.get(
        "/v1/jobs/<execution_id>/report",
        summary="What has come of each execution of a bulk job",
        description="In the order in which the job has seen to them. While it runs, a page may be empty: go on while "
        "`next` is not null.",
        operation_id="getJobReport",
        tags=["jobs"],
        responses=answers((200, "a page of outcomes", JobReport), problems_of=NO_JOB),
    )
    @needs("read")
    def report_of_job(
        execution_id: Id,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        cursor: Annotated[str | None, Query(max_length=64, description="a page's `next`")] = None,
    ) -> Response[str]:
        outcomes, after = engine.call(engine.operations.jobs.report(execution_id, limit, cursor))
        shown = [
            JobOutcomeView(execution_id=each.execution_id, outcome=each.outcome, reason=each.reason)
            for each in outcomes
        ]
        return reply(200, JobReport(outcomes=shown, next=after))


def _filter(asked: JobFilter) -> dict[str, Any]:
    wanted = asked.model_dump(exclude_none=True)
    for name in ("since", "until"):
        if name in wanted:
            wanted[name] = moment(f"filter.{name}", wanted[name])
    return wanted


def view(job: JobState) -> JobView:
    """The job as JSON."""
    execution, asked, stop = job.execution, job.job, job.stop
    return JobView(
        job_id=execution.execution_id,
        action=asked["action"],
        status=job.status,
        seen=job.done + job.skipped + job.failed,
        done=job.done,
        skipped=job.skipped,
        failed=job.failed,
        total=asked["count"],
        filter=None if asked["filter"] is None else _filter_view(asked["filter"]),
        rate=asked["rate"],
        why=asked["why"],
        by=asked["by"],
        stop=stop and JobStopView(at=views.time(stop["at"]), by=stop.get("by"), why=stop.get("why")),
        error=execution.error.message if execution.error is not None else None,
        started_at=views.time(execution.created_at),
        ended_at=views.time_or_none(execution.ended_at),
    )


def _filter_view(held: dict[str, Any]) -> JobFilterView:
    return JobFilterView(
        workflow=held.get("workflow"),
        status=held.get("status"),
        labels=held.get("labels") or {},
        prefix=held.get("prefix"),
        step=held.get("step"),
        error=held.get("error"),
        since=views.time_or_none(held.get("since")),
        until=views.time_or_none(held.get("until")),
        roots=held.get("roots", True),
    )
