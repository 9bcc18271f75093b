"""Queues, the stream and the functions behind them: limits that fit each other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepfast.deployment.plan import Plan
from stepfast.deployment.scheduled_starts import StartMessage, start_in
from stepfast.infra.deployment import title
from tests.infra.conftest import Synthesized, Template, only, resources
from tests.infra.reading import named


def mapping(template: Template, source: str) -> dict[str, Any]:
    mappings = resources(template, "AWS::Lambda::EventSourceMapping").values()
    matching: dict[str, Any]
    (matching,) = (candidate for candidate in mappings if named(candidate["EventSourceArn"]) == source)
    return matching


def function(template: Template, name: str) -> Any:
    return only(template, "AWS::Lambda::Function", f"{name}Function")


@pytest.mark.parametrize(
    ("queue", "consumer"),
    [("Pooldefault", "StepDefault"), ("Poolpdf", "StepPdf"), ("Timer", "Timer"), ("Park", "Resume")],
)
def test_a_message_stays_hidden_for_longer_than_its_function_runs(
    synthesized: Synthesized, queue: str, consumer: str
) -> None:
    template = synthesized.plain
    hidden = only(template, "AWS::SQS::Queue", f"Queues{queue}")["VisibilityTimeout"]
    assert hidden >= function(template, consumer)["Timeout"] + 30
    source = mapping(template, f"Queues{queue}")
    assert named(source["FunctionName"]) == f"{consumer}Function"
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("stack", ["plain", "tuned"])
def test_functions_and_queues_have_the_numbers_of_the_plan(synthesized: Synthesized, plan: Plan, stack: str) -> None:
    template, numbers = synthesized.templates[stack], {"plain": plan, "tuned": synthesized.tuned}[stack]
    functions = {**numbers.functions, **{pool.function.name: pool.function for pool in numbers.pools.values()}}
    for name, numbered in functions.items():
        properties = function(template, title(name))
        assert (properties["Timeout"], properties["MemorySize"]) == (numbered.timeout, numbered.memory), name
        assert properties["Handler"] == f"stepfast.functions.{numbered.kind}.handler"
    queues = {"Timer": numbers.timer_queue, "Park": numbers.park_queue}
    queues |= {f"Pool{name}": pool.queue for name, pool in numbers.pools.items()}
    for name, queue in queues.items():
        properties = only(template, "AWS::SQS::Queue", f"Queues{name}")
        assert (properties["VisibilityTimeout"], properties["MessageRetentionPeriod"]) == (
            queue.visibility,
            14 * 86400,
        ), name
        source = mapping(template, f"Queues{name}")
        assert (source["BatchSize"], source["MaximumBatchingWindowInSeconds"]) == (queue.batch_size, 0), name
        limit = {"MaximumConcurrency": queue.max_concurrency} if queue.max_concurrency else None
        assert (source.get("ScalingConfig"), source.get("Enabled")) == (limit, None), name
    for name in ("DeadLetters", "Undelivered"):
        last = only(template, "AWS::SQS::Queue", f"Queues{name}")
        # Who says which queues may have it behind them may also say none: then the console cannot redrive.
        assert (last["MessageRetentionPeriod"], last.get("RedriveAllowPolicy")) == (14 * 86400, None)


def test_a_function_is_told_where_its_things_are(synthesized: Synthesized, plan: Plan) -> None:
    queues = '{"default":"<QueuesPooldefault>","pdf":"<QueuesPoolpdf>"}'
    state = {"STEPFAST_TABLE": "<StateTable>", "STEPFAST_BUCKET": "<StateValues>"}
    numbers = {"STEPFAST_RETENTION_DAYS": "30", "STEPFAST_LISTING_SHARDS": "8", "STEPFAST_LOG_VALUES": "false"}
    flows = {**state, **numbers, "STEPFAST_WORKFLOWS": "workflows", "STEPFAST_OPENTELEMETRY": "false"}
    sending = {
        **flows,
        "STEPFAST_POOL_TIMEOUTS": json.dumps(plan.pool_timeouts),
        "STEPFAST_MAX_CHILD_DEPTH": "32",
        "STEPFAST_LIMITS": "{}",
        "STEPFAST_QUEUES": queues,
        "STEPFAST_TIMER_QUEUE": "<QueuesTimer>",
        "STEPFAST_PARK_QUEUE": "<QueuesPark>",
        "STEPFAST_SCHEDULES": "<TimersGroup>",
        "STEPFAST_SCHEDULE_ROLE": "TimersRole",
    }
    address = {"STEPFAST_PUBLIC_URL": "FrontDoorApi.ApiEndpoint"}
    expected = {
        "api": {
            **flows,
            "STEPFAST_LIMITS": "{}",
            "STEPFAST_TIMER_QUEUE": "<QueuesTimer>",
            "STEPFAST_AUTH": "keys",
            "STEPFAST_MAX_SIGNALS": "10000",
            "STEPFAST_MAX_SIGNAL_BYTES": "32000000",
            "STEPFAST_AUDIT_DAYS": "90",
            "STEPFAST_AUDIT_ALL": "false",
        },
        "authorizer": {"STEPFAST_TABLE": "<StateTable>"},
        **dict.fromkeys(("timer", "sweeper"), sending),
        "advancer": {**sending, "STEPFAST_UNDELIVERED": "<QueuesUndelivered>"},
        "resume": {**flows, "STEPFAST_PARK_QUEUE": "<QueuesPark>"},
        "step-default": {**sending, "STEPFAST_POOL": "default", **address},
        "step-pdf": {**sending, "STEPFAST_POOL": "pdf", **address, "PDF_QUALITY": "high"},
    }
    for name, variables in expected.items():
        properties = function(synthesized.plain, title(name))
        actual = {key: named(value) for key, value in properties["Environment"]["Variables"].items()}
        ours = {
            "POWERTOOLS_SERVICE_NAME": name,
            "POWERTOOLS_METRICS_NAMESPACE": "stepfast/plain",
            "POWERTOOLS_TRACE_DISABLED": "true",
        }
        assert actual == {**variables, **ours}, name
        assert named(properties["LoggingConfig"]["LogGroup"]) == f"<{title(name)}Logs>"


def test_a_pools_function_is_given_time_for_its_longest_step(synthesized: Synthesized, plan: Plan) -> None:
    for pool, name, step in (("default", "StepDefault", 20), ("pdf", "StepPdf", 100)):
        timeout = function(synthesized.plain, name)["Timeout"]
        assert timeout == plan.pools[pool].function.timeout
        assert step + 10 <= timeout <= 900


def test_a_pool_has_its_settings_and_one_without_sensible_ones(synthesized: Synthesized) -> None:
    pdf, default = (function(synthesized.plain, name) for name in ("StepPdf", "StepDefault"))
    assert (pdf["MemorySize"], default["MemorySize"]) == (1024, 256)
    assert pdf["Environment"]["Variables"]["PDF_QUALITY"] == "high"
    assert "PDF_QUALITY" not in default["Environment"]["Variables"]
    assert mapping(synthesized.plain, "QueuesPoolpdf")["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert "ScalingConfig" not in mapping(synthesized.plain, "QueuesPooldefault")


def test_concurrency_is_limited_at_the_mapping_and_never_at_the_function(synthesized: Synthesized) -> None:
    # A function throttled by reserved concurrency sends messages that never ran to the dead letters.
    for resource in resources(synthesized.full, "AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in resource


def test_behind_every_queue_is_another(synthesized: Synthesized) -> None:
    redrives = {}
    for name, queue in resources(synthesized.plain, "AWS::SQS::Queue").items():
        policy = queue.get("RedrivePolicy")
        target = named(policy["deadLetterTargetArn"]) if policy else None
        redrives[name.removeprefix("Queues")[:-8]] = (target, policy["maxReceiveCount"]) if policy else None
    assert redrives == {
        "Park": ("QueuesDeadLetters", 1),
        "Timer": ("QueuesUndelivered", 1000),
        "Pooldefault": ("QueuesUndelivered", 1000),
        "Poolpdf": ("QueuesUndelivered", 1000),
        "DeadLetters": None,
        "Undelivered": None,
    }


def test_the_stream_wakes_the_advancer_within_bounds(synthesized: Synthesized) -> None:
    source = mapping(synthesized.plain, "StateTable.StreamArn")
    assert (source["StartingPosition"], source.get("Enabled")) == ("TRIM_HORIZON", None)
    assert (source["BatchSize"], source["MaximumBatchingWindowInSeconds"]) == (100, 0)
    assert named(source["FunctionName"]) == "AdvancerFunction"
    assert source["BisectBatchOnFunctionError"] is True
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["MaximumRetryAttempts"] == -1
    assert source["MaximumRecordAgeInSeconds"] == 23 * 3600
    assert named(source["DestinationConfig"]["OnFailure"]["Destination"]) == "QueuesUndelivered"
    patterns = [json.loads(criterion["Pattern"]) for criterion in source["FilterCriteria"]["Filters"]]
    assert patterns == [
        {"dynamodb": {"NewImage": {"wake": {"N": [{"exists": True}]}}}},
        {
            "eventName": ["REMOVE"],
            "userIdentity": {"principalId": ["dynamodb.amazonaws.com"]},
            "dynamodb": {"Keys": {"sk": {"S": ["meta", {"prefix": "zr#"}]}}},
        },
    ]


def test_the_gateway_gives_up_after_the_api_does(synthesized: Synthesized) -> None:
    assert function(synthesized.plain, "Api")["Timeout"] < 30


def test_functions_that_send_to_their_own_queue_may(synthesized: Synthesized) -> None:
    # Lambda's loop detection would end a timer that is put off for the sixteenth time.
    loops = {name: function(synthesized.plain, name).get("RecursiveLoop") for name in ("Timer", "StepPdf", "Advancer")}
    assert loops == {"Timer": "Allow", "StepPdf": "Allow", "Advancer": None}


def test_with_snap_start_everything_calls_a_published_version(synthesized: Synthesized) -> None:
    template = synthesized.full
    for resource in resources(template, "AWS::Lambda::EventSourceMapping").values():
        assert "Live" in named(resource["FunctionName"])
    assert all(resource["SnapStart"] for resource in resources(template, "AWS::Lambda::Function").values())
    sweep = only(template, "AWS::Scheduler::Schedule", "RecurringSweep")
    assert "Live" in named(sweep["Target"]["Arn"])
    for alias in resources(template, "AWS::Lambda::Alias").values():
        name, attribute = alias["FunctionVersion"]["Fn::GetAtt"]
        assert (template["Resources"][name]["Type"], attribute) == ("AWS::Lambda::Version", "Version")


def test_the_sweep_runs_every_few_minutes_in_a_group_that_no_execution_may_touch(synthesized: Synthesized) -> None:
    sweep = only(synthesized.plain, "AWS::Scheduler::Schedule", "RecurringSweep")
    assert (sweep["ScheduleExpression"], sweep.get("State", "ENABLED")) == ("rate(5 minutes)", "ENABLED")
    assert named(sweep["GroupName"]) == "<RecurringGroup>"
    target = sweep["Target"]
    assert (named(target["Arn"]), named(target["RoleArn"])) == ("SweeperFunction", "RecurringSweepRole")


def test_a_scheduled_start_names_its_time(synthesized: Synthesized) -> None:
    resource = only(synthesized.full, "AWS::Scheduler::Schedule", "RecurringStartnightly")
    assert (resource["ScheduleExpression"], resource["ScheduleExpressionTimezone"]) == (
        "cron(0 3 * * ? *)",
        "Europe/Berlin",
    )
    assert (resource["State"], named(resource["Target"]["Arn"])) == ("ENABLED", "QueuesTimer")
    assert (named(resource["GroupName"]), named(resource["Target"]["RoleArn"])) == (
        "<RecurringGroup>",
        "RecurringStartRole",
    )
    # What Scheduler puts in the place of its keyword; the timer function takes the text as it is.
    text = resource["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", "2026-11-22T02:00:00Z")
    start = StartMessage("print", "report", "nightly-2026-11-22T020000Z", {"schedule": "nightly"})
    assert start_in(json.loads(text)) == start


def test_a_schedule_of_the_settings_is_made_and_may_be_switched_off(synthesized: Synthesized) -> None:
    resource = only(synthesized.full, "AWS::Scheduler::Schedule", "RecurringStartpaused")
    assert (resource["ScheduleExpression"], resource["ScheduleExpressionTimezone"]) == ("rate(6 hours)", "UTC")
    assert resource["State"] == "DISABLED"
    assert json.loads(resource["Target"]["Input"])["start"]["input"] == "list"
