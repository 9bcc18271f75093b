"""Which role may do what on which resource, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.infra.conftest import Synthesized, resources
from tests.infra.reading import listed, named, roles, told

EXECUTIONS, POSITION, KEYS, FIGURES, LIMITS = ("x#*",), ("sweeper", "x#*"), ("k#*",), ("f#*",), ("l#*",)
SCHEDULES = ("schedule#*",)
STATUSES = ("CANCELLED", "CLOSED", "FAILED", "PAUSED", "RUNNING", "SUCCEEDED")
LISTS = tuple(sorted(f"{child}{status}#*" for child in ("", "CHILD-", "JOB-") for status in STATUSES))
LABELLED_LISTS = tuple(sorted((*LISTS, "label#*")))
ITEMS = ("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
TIMERS = "arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule/<TimersGroup>/*"


def table(actions: Iterable[str], partitions: Iterable[str], index: str = "") -> set[str]:
    only = f" if dynamodb:LeadingKeys ForAllValues:StringLike {' '.join(partitions)}"
    return {f"dynamodb:{action} on StateTable{index}{only} if dynamodb:LeadingKeys Null false" for action in actions}


def values() -> set[str]:
    return {
        *(f"s3:{call} on StateValues/x/*" for call in ("GetObject", "PutObject")),
        "s3:GetObject on StateValues/sha256/*",
    }


def deletes() -> set[str]:
    return {"s3:DeleteObject on StateValues/x/*", "s3:ListBucket on StateValues if s3:prefix StringLike x/*"}


def log(role: str) -> set[str]:
    return {f"logs:{call} on {role}Logs" for call in ("CreateLogStream", "PutLogEvents")}


def consumes(queue: str) -> set[str]:
    calls = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    return {f"sqs:{call} on Queues{queue}" for call in calls}


def sends(*queues: str) -> set[str]:
    return {f"sqs:SendMessage on Queues{queue}" for queue in queues}


def schedules() -> set[str]:
    passed = "iam:PassRole on TimersRole if iam:PassedToService StringEquals scheduler.amazonaws.com"
    return {f"scheduler:CreateSchedule on {TIMERS}", passed}


def stream() -> set[str]:
    calls = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    return {f"dynamodb:{call} on StateTable.StreamArn" for call in calls}


POOLS = ("Pooldefault", "Poolpdf")
WORKING = table(ITEMS, EXECUTIONS) | values()
COUNTING = table(["UpdateItem"], FIGURES)
ENDING = WORKING | COUNTING
LIMITING = table(("DeleteItem", "GetItem", "PutItem", "Query"), LIMITS)
STARTS = ("h#*", "l#start:*")
STARTING = table(ITEMS, (*STARTS, *EXECUTIONS)) | values()
LINKING = table(("GetItem", "PutItem"), ("links",))
AUDITING = table(("PutItem", "Query", "UpdateItem"), ("audit#*",))
PAUSING = table(("GetItem", "PutItem"), SCHEDULES)
ASKING = table(["Query"], ("paused",))
NOTING = table(("DeleteItem", "PutItem", "Query"), ("paused#*",))
HOLDING = ASKING | NOTING
EXPECTED = {
    "ApiRole": log("Api")
    | STARTING
    | COUNTING
    | LIMITING
    | PAUSING
    | LINKING
    | AUDITING
    | HOLDING
    | table(("DeleteItem", "PutItem"), ("paused",))
    | sends("Timer")
    | deletes()
    | table(["Query"], LABELLED_LISTS, "/index/listing")
    | table(["Query"], FIGURES),
    "AuthorizerRole": log("Authorizer") | table(["GetItem"], KEYS),
    "AdvancerRole": log("Advancer")
    | STARTING
    | HOLDING
    | COUNTING
    | deletes()
    | stream()
    | sends(*POOLS, "Timer", "Park", "Undelivered")
    | schedules(),
    "TimerRole": log("Timer")
    | STARTING
    | ASKING
    | COUNTING
    | PAUSING
    | consumes("Timer")
    | sends("Timer", "Park")
    | schedules(),
    "ResumeRole": log("Resume") | STARTING | consumes("Park"),
    "SweeperRole": log("Sweeper")
    | COUNTING
    | HOLDING
    | table(ITEMS, (*STARTS, *POSITION))
    | values()
    | deletes()
    | table(["Query"], sorted((*LISTS, "DELETED#*")), "/index/listing")
    | sends(*POOLS, "Timer", "Park")
    | schedules(),
    "StepDefaultRole": log("StepDefault")
    | STARTING
    | COUNTING
    | deletes()
    | table(["Query"], LABELLED_LISTS, "/index/listing")
    | LIMITING
    | HOLDING
    | LINKING
    | consumes("Pooldefault")
    | sends(*POOLS, "Park")
    | schedules(),
    "StepPdfRole": log("StepPdf")
    | ENDING
    | LIMITING
    | ASKING
    | consumes("Poolpdf")
    | sends(*POOLS, "Park")
    | schedules(),
    "TimersRole": sends("Timer", *POOLS),
    "RecurringSweepRole": {"lambda:InvokeFunction on SweeperFunction"},
}


@pytest.mark.parametrize("role", EXPECTED)
def test_a_role_may_do_this_and_nothing_else(synthesized: Synthesized, role: str) -> None:
    assert roles(synthesized.plain)[role] == EXPECTED[role]


def test_there_are_no_other_roles_and_no_policies_beside_theirs(synthesized: Synthesized) -> None:
    template = synthesized.plain
    assert set(roles(template)) == set(EXPECTED)
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert not kinds & {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User"}
    assert not any("ManagedPolicyArns" in resource for resource in resources(template, "AWS::IAM::Role").values())


def test_a_step_is_given_more_by_its_pool_alone(synthesized: Synthesized) -> None:
    template = synthesized.templates["second"]
    assert roles(template) == EXPECTED
    (policy,) = resources(template, "AWS::IAM::Policy").values()
    assert [named(role) for role in policy["Roles"]] == ["<StepPdfRole>"]
    secret = "arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:shop/token-??????"
    allowed = {line for statement in policy["PolicyDocument"]["Statement"] for line in told(statement)}
    assert allowed == {f"secretsmanager:{call} on {secret}" for call in ("DescribeSecret", "GetSecretValue")}


def test_only_the_pool_default_may_list_and_delete_executions_and_read_the_keys_of_links(
    synthesized: Synthesized,
) -> None:
    of = roles(synthesized.plain)
    more = deletes() | LINKING | NOTING | table(["Query"], LABELLED_LISTS, "/index/listing")
    assert more <= of["StepDefaultRole"]
    assert not more & of["StepPdfRole"]


@pytest.mark.parametrize("stack", ["plain", "full", "networked"])
def test_no_action_is_a_wildcard(synthesized: Synthesized, stack: str) -> None:
    for role, lines in roles(synthesized.templates[stack]).items():
        for line in lines:
            assert "*" not in line.split(" on ")[0], (role, line)


def test_only_tracing_and_networks_are_granted_on_anything(synthesized: Synthesized) -> None:
    for stack, allowed in {"plain": set(), "full": {"xray"}, "networked": {"ec2"}}.items():
        grants = roles(synthesized.templates[stack]).values()
        anything = {line.split(":")[0] for lines in grants for line in lines if line.endswith(" on *")}
        assert anything == allowed, stack


def test_roles_are_taken_on_by_their_service_only(synthesized: Synthesized) -> None:
    for name, role in resources(synthesized.plain, "AWS::IAM::Role").items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        by_scheduler = name.startswith(("Timers", "Recurring"))
        assert statement["Principal"] == {"Service": f"{'scheduler' if by_scheduler else 'lambda'}.amazonaws.com"}
        if by_scheduler:
            # Another account's schedule, or one of another group, must not borrow the role.
            group = "TimersGroup.Arn" if name.startswith("Timers") else "RecurringGroup.Arn"
            condition = {key: named(value) for key, value in statement["Condition"]["StringEquals"].items()}
            assert condition == {"aws:SourceAccount": "<AWS::AccountId>", "aws:SourceArn": group.removesuffix(".Arn")}


def test_every_function_has_a_role_of_its_own(synthesized: Synthesized) -> None:
    used = [str(resource["Role"]) for resource in resources(synthesized.full, "AWS::Lambda::Function").values()]
    assert len(set(used)) == len(used) == 7


def test_a_scheduled_start_may_send_to_the_timer_queue_only(synthesized: Synthesized) -> None:
    assert roles(synthesized.full)["RecurringStartRole"] == sends("Timer")


def test_queues_and_bucket_refuse_what_comes_without_tls(synthesized: Synthesized) -> None:
    template = synthesized.plain
    policies = resources(template, "AWS::SQS::QueuePolicy").values()
    guarded = {named(policy["Queues"][0]).strip("<>"): policy for policy in policies}
    assert set(guarded) == {f"Queues{queue}" for queue in ("DeadLetters", "Undelivered", "Park", "Timer", *POOLS)}
    for queue, policy in guarded.items():
        refused(policy, "sqs:*", [queue])
    (bucket,) = resources(template, "AWS::S3::BucketPolicy").values()
    refused(bucket, "s3:*", ["StateValues", "StateValues/*"])
    only_new = {"NumericLessThan": {"s3:TlsVersion": 1.2}}
    assert only_new in [rule["Condition"] for rule in bucket["PolicyDocument"]["Statement"]]


def refused(policy: dict[str, Any], actions: str, on: list[str]) -> None:
    first, *others = policy["PolicyDocument"]["Statement"]
    assert (first["Effect"], first["Principal"], first["Action"]) == ("Deny", {"AWS": "*"}, actions)
    assert first["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert [named(target) for target in listed(first["Resource"])] == on
    # Nobody is let in by a queue or a bucket itself: that is for roles alone.
    assert {statement["Effect"] for statement in others} <= {"Deny"}


def test_no_one_may_call_a_function_but_this_gateway(synthesized: Synthesized) -> None:
    for permission in resources(synthesized.plain, "AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert "FrontDoorApi" in str(permission["SourceArn"])
