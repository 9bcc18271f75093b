"""Figures of a workflow: counts and durations of its ended executions, in buckets of hours or days."""

from __future__ import annotations

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from stepfast.engine import metrics
from stepfast.engine.metrics import HOUR, Tallies, Tally
from stepfast.errors import InvalidRequest
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.figure_models import BucketView, DurationsView, FiguresView, StepFiguresView
from stepfast.http.models import NAME
from stepfast.http.moments import Moment, moment
from stepfast.http.resolver import Resolver
from stepfast.model import ENDED

DAY_SECONDS = 86400
MAX_SPAN_SECONDS = 90 * DAY_SECONDS
"""The longest span of one request, in seconds; DynamoDB keeps the counts a day longer."""

Bucket = Literal["hour", "day"]
_LENGTH = {"hour": HOUR, "day": DAY_SECONDS}


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/workflows/<workflow>/figures",
        summary="How the executions of a workflow have ended: counts, durations, attempts of steps",
        description=(
            "Counted as executions end, in hours of UTC; an execution that is resumed counts at each of its ends. "
            "The span is widened to whole buckets. A name that no workflow has is answered with zeros."
        ),
        operation_id="getFigures",
        tags=["about"],
        responses=answers((200, "the figures", FiguresView), problems_of={404: "this can be no workflow's name"}),
    )
    @needs("read")
    def figures_of(
        workflow: Annotated[str, Path(pattern=NAME)],
        since: Moment = None,
        until: Moment = None,
        bucket: Annotated[Bucket, Query(description="what a bucket spans, in UTC")] = "hour",
    ) -> Response[str]:
        end = moment("until", until)
        end = engine.operations.now() if end is None else end
        begin = moment("since", since)
        first, last = _span(end - DAY_SECONDS if begin is None else begin, end, _LENGTH[bucket])
        hours = engine.call(engine.operations.figures(workflow, first // HOUR, last // HOUR))
        total = metrics.added(hours.values())
        return reply(
            200,
            FiguresView(
                workflow=workflow,
                since=views.time(first),
                until=views.time(last),
                bucket=bucket,
                buckets=[
                    _bucket(at, [hours.get(hour, {}) for hour in range(at // HOUR, (at + _LENGTH[bucket]) // HOUR)])
                    for at in range(first, last, _LENGTH[bucket])
                ],
                durations=_durations(total),
                steps=_steps(total),
            ),
        )


def _span(begin: float, end: float, length: int) -> tuple[int, int]:
    """The span in whole buckets. Raises InvalidRequest if it ends before it begins or is too long."""
    if not 0 <= begin < end:
        message = "since must be before until, and not before 1970"
        raise InvalidRequest(message, (("since", message),))
    first, last = int(begin // length) * length, -int(-end // length) * length
    if last - first > MAX_SPAN_SECONDS + length:
        message = f"at most {MAX_SPAN_SECONDS // DAY_SECONDS} days can be asked for at once"
        raise InvalidRequest(message, (("since", message),))
    return first, last


def _bucket(at: int, hours: list[Tallies]) -> BucketView:
    ended = {status: sum(hour[status].count for hour in hours if status in hour) for status in ENDED}
    return BucketView(
        at=views.time(at), succeeded=ended["SUCCEEDED"], failed=ended["FAILED"], cancelled=ended["CANCELLED"]
    )


def _durations(total: Tallies) -> DurationsView | None:
    counts = {
        int(name[len(metrics.TOOK) :]): tally.count for name, tally in total.items() if name.startswith(metrics.TOOK)
    }
    if not counts:
        return None
    return DurationsView(
        count=sum(counts.values()),
        p50=metrics.percentile(counts, 0.5),
        p90=metrics.percentile(counts, 0.9),
        p99=metrics.percentile(counts, 0.99),
        longest=metrics.percentile(counts, 1.0),
    )


def _steps(total: Tallies) -> list[StepFiguresView]:
    steps = {name[len(metrics.STEP) :]: tally for name, tally in total.items() if name.startswith(metrics.STEP)}
    return [_step(name, tally) for name, tally in sorted(steps.items())]


def _step(name: str, tally: Tally) -> StepFiguresView:
    return StepFiguresView(
        name=name,
        attempts=tally.count,
        failures=tally.failures,
        given_up=tally.given_up,
        seconds=tally.seconds / tally.succeeded if tally.succeeded else None,
    )
