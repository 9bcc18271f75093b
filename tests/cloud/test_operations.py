"""Deployments, wrong clocks, services that are away, scheduled starts, duplicates and disorder."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stepfast import signal, workflow
from stepfast.deployment.project import Project
from stepfast.deployment.schedules import ScheduledStart
from stepfast.simulator import resources
from stepfast.testing import MotoCloud, Rules
from tests.cloud.clients import signalled, started
from tests.cloud.conftest import MakeCloud
from tests.cloud.flows import EVERYTHING, Answer, bulk, deliver, delivery, fetch, mixed, nap, question, squares, vigil
from tests.lanes import seeds

MINUTES = timedelta(minutes=1)


@workflow("late-comer")
async def late_comer() -> str:
    return await signal("now", str)


def test_an_execution_of_a_workflow_that_is_no_longer_deployed_waits_and_goes_on_when_it_is_back(
    cloud: MotoCloud,
) -> None:
    run = cloud.start(nap, 600.0)
    cloud.advance(MINUTES)
    cloud.deploy(delivery, squares)
    cloud.advance(timedelta(hours=2))
    assert run.status == "RUNNING"
    shown = cloud.request("GET", f"/v1/executions/{run.execution_id}")
    assert (shown.status, shown.json()["status"]) == (200, "RUNNING")
    cloud.deploy(*EVERYTHING)
    assert cloud.run_until(run).result == "delivered fetched before"
    assert len(run.calls(fetch)) == 1


def test_what_is_asked_of_a_run_is_read_by_the_code_that_was_deployed_last(cloud: MotoCloud) -> None:
    cloud.deploy(vigil)
    first = cloud.start(vigil, 1.0)
    cloud.deploy(late_comer)
    second = cloud.start(late_comer)
    cloud.advance(MINUTES)
    assert [str(waiting) for waiting in second.waiting] == ["signal 'now'"]
    assert second.history
    assert first.history


def test_a_step_message_of_a_workflow_that_is_not_deployed_is_kept(cloud: MotoCloud) -> None:
    run = cloud.start(delivery, "tea")
    cloud.run_until(lambda: bool(cloud.messages("default")))
    cloud.deploy(squares)
    cloud.advance(timedelta(hours=3))
    assert (run.status, len(cloud.messages("default")) >= 1, cloud.undelivered) == ("RUNNING", True, [])
    cloud.deploy(*EVERYTHING)
    assert cloud.run_until(run).status == "SUCCEEDED"


@pytest.mark.parametrize("function", ["api", "advancer", "step-default", "timer", "resume", "sweeper", "step-heavy"])
@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_that_are_minutes_off_change_nothing_but_times(cloud: MotoCloud, function: str, minutes: int) -> None:
    cloud.skew(function, minutes * MINUTES)
    cloud.fail(deliver, times=3)
    cloud.when(waiting="answer").signal("answer", Answer(yes=True))
    mixed_run, failing = cloud.start(mixed, "tea"), cloud.start(delivery, "tea")
    cloud.run_until(lambda: mixed_run.status != "RUNNING" and failing.status != "RUNNING")
    cloud.advance(30 * MINUTES)
    for one in (mixed_run, failing):
        if one.status == "FAILED":
            cloud.redrive()
            cloud.advance(30 * MINUTES)
        assert one.status == "SUCCEEDED", str(one)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_failure_is_resumed_by_its_redrive_alone_whatever_the_clocks_show(cloud: MotoCloud, minutes: int) -> None:
    for function in ("api", "advancer", "step-default", "resume"):
        cloud.skew(function, minutes * MINUTES)
    cloud.fail(deliver, times=None)
    run = cloud.run(delivery, "tea")
    cloud.advance(MINUTES)
    assert (run.status, run.generation, len(cloud.dead_letters)) == ("FAILED", 0, 1)
    cloud.restore(deliver)
    cloud.redrive()
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    assert run.generation == 1


def test_dynamodb_throttled_for_ten_minutes_delays_and_loses_nothing(cloud: MotoCloud) -> None:
    runs = [cloud.start(delivery, f"tea {number}") for number in range(5)]
    long = cloud.start(vigil, 200.0)
    cloud.advance(timedelta(seconds=2))
    start = cloud.now
    cloud.throttle(10 * MINUTES)
    runs += []
    cloud.run_until(long)
    cloud.run_until(lambda: all(one.status != "RUNNING" for one in runs))
    assert {one.status for one in (*runs, long)} == {"SUCCEEDED"}
    assert cloud.now - start < timedelta(minutes=40)
    cloud.advance(30 * MINUTES)
    assert cloud.undelivered == []


def test_dynamodb_throttled_now_and_then_is_sat_out(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(seed=1)
    cloud.throttle(timedelta(hours=3), chance=0.4)
    cloud.when(waiting="answer").do(lambda: signalled(cloud, "answer", Answer(yes=True)))
    assert cloud.run_until(started(cloud, mixed, "tea", "m-1")).status == "SUCCEEDED"


@pytest.mark.parametrize("service", ["sqs", "s3", "scheduler"])
def test_other_services_that_are_away_for_minutes_delay_and_lose_nothing(cloud: MotoCloud, service: str) -> None:
    cloud.outage(service, 8 * MINUTES)
    runs = [cloud.start(squares, 3), cloud.start(nap, 3600.0), cloud.start(bulk, 300_000)]
    cloud.run_until(lambda: all(one.status != "RUNNING" for one in runs))
    assert {one.status for one in runs} == {"SUCCEEDED"}


def schedule(name: str, at: str, text: dict[str, Any]) -> None:
    resources.client("scheduler").create_schedule(
        Name=name,
        GroupName="stepfast",
        ScheduleExpression=f"at({at})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": "arn:aws:lambda:eu-central-1:123456789012:function:timer",
            "RoleArn": "arn:aws:iam::123456789012:role/x",
            "Input": json.dumps(text),
        },
    )


def test_a_scheduled_start_that_fires_twice_starts_once(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(seed=2, rules=Rules(duplicates=1.0))
    start = {"start": {"workflow": "delivery", "input": "tea"}, "scheduled": "<aws.scheduler.scheduled-time>"}
    schedule("nightly", "2030-01-02T03:00:00", start)
    cloud.advance(timedelta(hours=27, minutes=5))
    run = cloud.execution("delivery-2030-01-02T030000Z")
    assert cloud.run_until(run).result == "delivered fetched tea"
    assert sum("start" in one.event for one in cloud.invocations) == 2
    assert len(cloud.request("GET", "/v1/executions").json()["executions"]) == 1


def test_the_schedules_of_a_project_start_its_workflows(make_cloud: MakeCloud) -> None:
    weekly = ScheduledStart("weekly", "delivery", "cron(0 6 ? * MON *)", "tea", timezone="Europe/Berlin")
    never = replace(weekly, name="never", expression="rate(1 hour)", enabled=False)
    cloud = make_cloud(project=Project(schedules={one.name: one for one in (weekly, never)}))
    cloud.advance(timedelta(days=15))  # a Tuesday at first
    listed = cloud.request("GET", "/v1/executions").json()["executions"]
    assert [one["execution_id"] for one in listed] == ["weekly-2030-01-14T050000Z", "weekly-2030-01-07T050000Z"]
    assert {one["labels"]["schedule"] for one in listed} == {"weekly"}
    assert cloud.execution("weekly-2030-01-07T050000Z").result == "delivered fetched tea"


@pytest.mark.parametrize("seed", [seed + 1 for seed in seeds(3, 60)])
def test_duplicates_and_disorder_change_no_result(make_cloud: MakeCloud, seed: int) -> None:
    cloud = make_cloud(seed=seed, rules=Rules(duplicates=0.3, reorder=True, late=50.0))
    cloud.fail(fetch, times=2)
    cloud.when(waiting="answer", times=2).signal("answer", Answer(yes=True))
    runs = [cloud.start(mixed, "tea"), cloud.start(squares, 6), cloud.start(nap, 2000.0), cloud.start(question, 1)]
    cloud.run_until(lambda: all(one.status != "RUNNING" for one in runs))
    assert [one.status for one in runs] == ["SUCCEEDED"] * 4
    assert runs[1].result == sum(number**2 for number in range(6))
    cloud.advance(timedelta(hours=1))
    assert (cloud.undelivered, cloud.dead_letters) == ([], [])


def test_a_seed_repeats_a_run_to_the_call() -> None:
    def calls(seed: int) -> list[str]:
        with MotoCloud(*EVERYTHING, seed=seed, rules=Rules(duplicates=0.2, reorder=True)) as cloud:
            cloud.run(squares, 6)
            cloud.advance(timedelta(minutes=10))
            return [f"{one} {one.at}" for one in cloud.calls]

    first, second, other = calls(3), calls(3), calls(4)
    assert first == second
    assert first != other


def test_the_commands_of_an_execution_come_by_the_page(cloud: MotoCloud) -> None:
    run = cloud.start(squares, 12)
    cloud.run_until(run)
    address = f"/v1/executions/{run.execution_id}"
    found: list[Any] = []
    asked = {"limit": "5"}
    while True:
        page = cloud.request("GET", f"{address}/commands", query=asked).json()
        found += page["commands"]
        if page["next"] is None:
            break
        asked["cursor"] = page["next"]
    assert found == cloud.request("GET", address).json()["commands"]
    assert [page["total"], page["counts"]] == [len(found), {"SUCCEEDED": len(found)}]
    assert [one["label"] for one in found if one["kind"] == "step"] == [str(number) for number in range(12)]
    assert cloud.request("GET", f"{address}/commands", query={"status": "FAILED"}).json()["total"] == 0


def test_a_list_counts_all_that_match(cloud: MotoCloud) -> None:
    for number in range(3):
        cloud.start(squares, number)
    page = cloud.request("GET", "/v1/executions", query={"limit": "1", "total": "true", "workflow": "squares"}).json()
    assert [len(page["executions"]), page["total"]] == [1, {"count": 3, "complete": True}]


def test_a_batch_of_starts_runs_each(cloud: MotoCloud) -> None:
    cloud.deploy(late_comer)
    starts = [{"workflow": "late-comer", "execution_id": f"e-{number}"} for number in range(30)]
    answer = cloud.request("POST", "/v1/executions/batch", {"starts": starts}).json()
    assert [outcome["created"] for outcome in answer["outcomes"]] == [True] * 30
    cloud.advance(MINUTES)
    described = cloud.request("GET", "/v1/executions/e-29").json()
    assert [command["kind"] for command in described["commands"]] == ["signal"]
