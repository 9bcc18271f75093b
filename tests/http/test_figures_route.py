"""GET /v1/workflows/{workflow}/figures, over executions that really ran."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.http.figure_models import FiguresView
from stepfast.http.views import time as shown

PATH = "/v1/workflows/order/figures"
DAY = 86400


@step(retry=Retry(max_attempts=3, initial=0.01, jitter="none"))
async def pay(times: int) -> str:
    if attempts_of("pay") < times:
        raise ConnectionError("down")
    return "paid"


_attempts: dict[str, int] = {}


def attempts_of(name: str) -> int:
    _attempts[name] = _attempts.get(name, 0) + 1
    return _attempts[name] - 1


@workflow("order")
async def order(times: int) -> str:
    return await pay(times)


def run(api: Any, id: str, times: int) -> str:
    _attempts.clear()
    api.start("order", times, id)
    return str(api.ends("SUCCEEDED", "FAILED", id=id)["status"])


def test_ends_durations_and_attempts_are_counted(serve: Any) -> None:
    api = serve(order)
    assert run(api, "a", 0) == "SUCCEEDED"
    assert run(api, "b", 2) == "SUCCEEDED"
    assert run(api, "c", 9) == "FAILED"
    answer = api.get(PATH)
    FiguresView.model_validate(answer, strict=True)
    assert len(answer["buckets"]) in (24, 25)
    assert sum(bucket["succeeded"] for bucket in answer["buckets"]) == 2
    assert sum(bucket["failed"] for bucket in answer["buckets"]) == 1
    assert sum(bucket["cancelled"] for bucket in answer["buckets"]) == 0
    assert answer["buckets"][-1]["succeeded"] + answer["buckets"][-2]["succeeded"] == 2
    durations = answer["durations"]
    assert durations["count"] == 2
    assert 0 < durations["p50"] <= durations["p90"] <= durations["p99"] <= durations["longest"] < 300
    [pay] = answer["steps"]
    assert (pay["name"], pay["attempts"], pay["failures"], pay["given_up"]) == ("pay", 7, 5, 1)
    assert 0 <= pay["seconds"] < 300


def test_a_resumed_execution_counts_at_both_ends_and_its_attempts_once(serve: Any) -> None:
    api = serve(order)
    assert run(api, "a", 3) == "FAILED"
    api.ask("POST", "/v1/executions/a/resume")
    api.ends("SUCCEEDED", id="a")
    answer = api.get(PATH, query="bucket=day")
    assert [sum(bucket[key] for bucket in answer["buckets"]) for key in ("succeeded", "failed")] == [1, 1]
    assert [(step["attempts"], step["failures"], step["given_up"]) for step in answer["steps"]] == [(4, 3, 1)]


def test_a_workflow_of_nobody_has_zeros(serve: Any) -> None:
    answer = serve(order).get("/v1/workflows/nobody/figures")
    assert answer["durations"] is None
    assert answer["steps"] == []
    assert all(
        (bucket["succeeded"], bucket["failed"], bucket["cancelled"]) == (0, 0, 0) for bucket in answer["buckets"]
    )


def test_spans_are_widened_to_whole_buckets(serve: Any) -> None:
    api = serve(order)
    hours = api.get(PATH, query="since=7201&until=14399")
    assert (hours["since"], hours["until"]) == (shown(7200), shown(14400))
    assert [bucket["at"] for bucket in hours["buckets"]] == [shown(7200), shown(10800)]
    days = api.get(PATH, query=f"since={DAY + 1}&until={3 * DAY}&bucket=day")
    assert [bucket["at"] for bucket in days["buckets"]] == [shown(DAY), shown(2 * DAY)]
    assert days["bucket"] == "day"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("until=-", "until"),
        ("since=10&until=10", "since"),
        ("since=-5&until=10", "since"),
        (f"since=0&until={100 * DAY}", "since"),
        ("bucket=week", "bucket"),
    ],
)
def test_what_is_no_span_is_refused(serve: Any, query: str, field: str) -> None:
    answer = serve(order).ask("GET", PATH, query=query)
    assert answer.status == 422
    assert answer.fields == [field]
