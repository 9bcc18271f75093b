"""The IAM statements of each function: exact actions on exact ARNs. Pure, apart from CDK's classes.

The functions' code decides what they need:

| function   | table                    | queues and stream                                   | timers |
|------------|--------------------------|-----------------------------------------------------|--------|
| api        | executions, listing,     |                                                     |        |
|            | figures, limits, starts, |                                                     |        |
|            | keys of links, pauses    |                                                     |        |
| authorizer | API keys, read only      |                                                     |        |
| advancer   | executions, figures,     | reads the stream; sends to pools, timer, park       | makes  |
|            | starts                   |                                                     |        |
| step       | executions, figures,     | consumes its pool; sends to pools and park          | makes  |
|            | limits; of the default   |                                                     |        |
|            | pool: keys of links      |                                                     |        |
| timer      | executions, starts       | consumes timer; sends to timer and park             | makes  |
| resume     | executions, starts       | consumes park                                       |        |
| events     |                          | reads the stream; consumes and sends to its queue;  |        |
|            |                          | sends to the undelivered; puts events on its bus    |        |
| sweeper    | executions, listing, its | sends to pools, timer, park                         | makes  |
|            | position, figures, starts|                                                     |        |

Every function that advances executions reads which workflows are paused.
Every function that works on executions reads and writes the bucket of their large values. api, advancer,
sweeper and, for bulk jobs, the function of the pool `default` delete executions, and with them their values. That
function lists executions, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from stepfast.backends.aws.event_bus import EVENT_SOURCE
from stepfast.backends.aws.kms import CONTEXT
from stepfast.backends.aws.s3 import OLD_PREFIX, PREFIX
from stepfast.backends.dynamodb.audit import AUDIT
from stepfast.backends.dynamodb.item_keys import DELETED
from stepfast.backends.dynamodb.labels import LABELLED
from stepfast.backends.dynamodb.limits import LIMITS
from stepfast.backends.dynamodb.links import LINKS
from stepfast.backends.dynamodb.listing_keys import CHILD, JOB
from stepfast.backends.dynamodb.metrics import PARTITION
from stepfast.backends.dynamodb.schedules import SCHEDULES
from stepfast.backends.dynamodb.starts import HOLDS
from stepfast.backends.dynamodb.workflow_pauses import NOTES, PAUSED
from stepfast.engine.start_items import THROTTLES
from stepfast.language.steps import DEFAULT_POOL
from stepfast.model import ExecutionStatus

_READ = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
# A transaction needs the permissions of the writes in it. DeleteItem, because loading an execution also deletes the
# remains of an expired execution with the same id.
_WRITE = ("dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
_STARTS = (f"{HOLDS}*", f"{LIMITS}{THROTTLES}*")
"""Who holds the keys of singletons, their lines, and the rates of throttles.

They are of the statement of the executions: one transaction writes both, and if all its keys are compared with each
statement, neither of two would allow it.
"""
_OF_LIMITS = ("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
_STREAM = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")
_CONSUME = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")


@dataclass(frozen=True, slots=True)
class Resources:
    """The ARNs of one deployment, as CDK tokens. `schedules`: all schedules in the group of timers.

    key_table: of data keys, "" without encryption. kms_key: an ARN of a key or an alias, or the name of an alias.
    event_queue, event_bus: "" without an event bus. secrets: of the webhooks that the API takes.
    """

    table: str
    index: str
    stream: str
    bucket: str
    pools: Mapping[str, str]
    timer_queue: str
    park_queue: str
    undelivered: str
    schedules: str
    schedule_role: str
    key_table: str = ""
    kms_key: str = ""
    event_queue: str = ""
    event_bus: str = ""
    secrets: Sequence[str] = ()


def of(kind: str, resources: Resources, pool: str = "") -> list[iam.PolicyStatement]:
    """The statements of a function, beyond its own log group."""
    encryption = [*_encryption(resources, kind)] if resources.key_table and kind not in ("authorizer", "events") else []
    return [*_by_kind(kind, resources, pool), *encryption]


def _by_kind(kind: str, resources: Resources, pool: str) -> list[iam.PolicyStatement]:
    sends = [*resources.pools.values(), resources.timer_queue, resources.park_queue]
    return {
        "api": lambda: [
            *_state(resources, *_STARTS),
            *_deleting(resources),
            _listing(resources, LABELLED),
            _figures(resources, "dynamodb:Query"),
            _limits(resources),
            _schedules(resources),
            _links(resources),
            _audit(resources),
            _paused(resources, "dynamodb:DeleteItem", "dynamodb:PutItem"),
            _held(resources),
            _allow("LookLater", ["sqs:SendMessage"], [resources.timer_queue]),
            *_secrets(resources),
        ],
        "authorizer": lambda: [_allow("Keys", ["dynamodb:GetItem"], [resources.table], _only_keys("k#*"))],
        "advancer": lambda: [
            *_state(resources, *_STARTS),
            *_deleting(resources),
            _figures(resources),
            _paused(resources),
            _held(resources),
            _allow("ReadStream", _STREAM, [resources.stream]),
            _allow("Send", ["sqs:SendMessage"], [*sends, resources.undelivered]),
            *_scheduling(resources),
        ],
        "step": lambda: [
            *_state(resources, *(_STARTS if pool == DEFAULT_POOL else ())),
            _figures(resources),
            _limits(resources),
            _paused(resources),
            *(_of_jobs_and_links(resources) if pool == DEFAULT_POOL else []),
            _allow("Consume", _CONSUME, [resources.pools[pool]]),
            # To all pools: a deployment may move a step to another pool while its message is in a queue.
            _allow("Send", ["sqs:SendMessage"], [*resources.pools.values(), resources.park_queue]),
            *_scheduling(resources),
        ],
        "timer": lambda: [
            *_state(resources, *_STARTS),
            _figures(resources),
            _schedules(resources),
            _paused(resources),
            _allow("Consume", _CONSUME, [resources.timer_queue]),
            _allow("Send", ["sqs:SendMessage"], [resources.timer_queue, resources.park_queue]),
            *_scheduling(resources),
        ],
        "events": lambda: [
            _allow("ReadStream", _STREAM, [resources.stream]),
            _allow("Consume", _CONSUME, [resources.event_queue]),
            _allow("Send", ["sqs:SendMessage"], [resources.event_queue, resources.undelivered]),
            _allow("PutEvents", ["events:PutEvents"], [resources.event_bus], _only_own_events()),
        ],
        "resume": lambda: [
            *_state(resources, *_STARTS),
            _allow("Consume", _CONSUME, [resources.park_queue]),
        ],
        "sweeper": lambda: [
            *_state(resources, "sweeper", *_STARTS),
            *_deleting(resources),
            _figures(resources),
            _paused(resources),
            _held(resources),
            _listing(resources, DELETED),
            _allow("Send", ["sqs:SendMessage"], sends),
            *_scheduling(resources),
        ],
    }[kind]()


def _encryption(resources: Resources, kind: str) -> list[iam.PolicyStatement]:
    """Making and reading data keys, each bound to its execution. The sweeper looks through all of them."""
    actions = [f"dynamodb:{name}" for name in ("DeleteItem", "GetItem", "PutItem", "Query")]
    name = resources.kms_key.rpartition(":")[2]
    bound: dict[str, dict[str, object]] = {"Null": {f"kms:EncryptionContext:{CONTEXT}": "false"}}
    if name.startswith("alias/"):
        # IAM takes no alias for a resource of these actions, but a condition on it:
        # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        bound["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": name}
        region = resources.kms_key.rpartition(":")[0] or f"arn:{Aws.PARTITION}:kms:{Aws.REGION}:{Aws.ACCOUNT_ID}"
        key = f"{region}:key/*"
    else:
        key = resources.kms_key
    return [
        _allow("DataKeys", [*actions, *(["dynamodb:Scan"] if kind == "sweeper" else [])], [resources.key_table]),
        _allow("Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [key], bound),
    ]


def tracing() -> iam.PolicyStatement:
    """X-Ray's actions take no resource ARN."""
    return _allow("Trace", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"])


def in_vpc() -> list[iam.PolicyStatement]:
    """EC2 calls that Lambda makes with this role, denied to the function's own code. They take no resource ARN.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    names = ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets")
    addresses = ("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
    actions = [f"ec2:{name}" for name in (*names, *addresses)]
    denied = _allow("VpcNotByCode", actions, ["*"], {"Null": {"lambda:SourceFunctionArn": "false"}})
    denied.effect = iam.Effect.DENY
    return [_allow("Vpc", actions, ["*"]), denied]


def logs(group: str) -> iam.PolicyStatement:
    """Writing to one log group. The stack creates it, so no function may create any."""
    return _allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [group])


def _state(resources: Resources, *more: str) -> list[iam.PolicyStatement]:
    """The items of executions, and of `more` partitions. Never API keys: code of a step must not create one."""
    return [
        _allow("State", [*_READ, *_WRITE], [resources.table], _only_keys("x#*", *more)),
        _allow("Values", ["s3:GetObject", "s3:PutObject"], [f"{resources.bucket}/{PREFIX}/*"]),
        _allow("OldValues", ["s3:GetObject"], [f"{resources.bucket}/{OLD_PREFIX}/*"]),
    ]


def _deleting(resources: Resources) -> list[iam.PolicyStatement]:
    """Deleting the values of an execution. Values of version 0.1 may be shared by several executions, and stay."""
    of_executions = {"StringLike": {"s3:prefix": f"{PREFIX}/*"}}
    return [
        _allow("DeleteValues", ["s3:DeleteObject"], [f"{resources.bucket}/{PREFIX}/*"]),
        _allow("FindValues", ["s3:ListBucket"], [resources.bucket], of_executions),
    ]


def _listing(resources: Resources, *more: str) -> iam.PolicyStatement:
    """Reading the index by status. more: keys in addition to the statuses of executions."""
    statuses = get_args(ExecutionStatus)
    lists = (kind + status for kind in ("", CHILD, JOB) for status in statuses)
    partitions = _only_keys(*(f"{key}#*" for key in (*lists, *more)))
    return _allow("Listing", ["dynamodb:Query"], [resources.index], partitions)


def _of_jobs_and_links(resources: Resources) -> list[iam.PolicyStatement]:
    """What the built-in steps do, which run in the default pool: they make links, list executions and act on them."""
    return [_links(resources), *_deleting(resources), _listing(resources, LABELLED), _held(resources)]


def _figures(resources: Resources, *more: str) -> iam.PolicyStatement:
    """Counting ended executions. more: actions in addition, to read the counts."""
    return _allow("Figures", ["dynamodb:UpdateItem", *more], [resources.table], _only_keys(f"{PARTITION}*"))


def _limits(resources: Resources) -> iam.PolicyStatement:
    """The items, lines and numbers of limits, and their gates."""
    return _allow("Limits", _OF_LIMITS, [resources.table], _only_keys(f"{LIMITS}*"))


def _schedules(resources: Resources) -> iam.PolicyStatement:
    """The items of schedules: pauses, last starts and what waits. They are never deleted."""
    return _allow("Pauses", ["dynamodb:GetItem", "dynamodb:PutItem"], [resources.table], _only_keys(f"{SCHEDULES}*"))


def _audit(resources: Resources) -> iam.PolicyStatement:
    """The audit list. No function may delete a line: the table's TTL does."""
    actions = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"]
    return _allow("Audit", actions, [resources.table], _only_keys(f"{AUDIT}*"))


def _paused(resources: Resources, *more: str) -> iam.PolicyStatement:
    """Which workflows are paused. more: actions in addition, to pause and unpause them."""
    return _allow("PausedWorkflows", ["dynamodb:Query", *more], [resources.table], _only_keys(PAUSED))


def _held(resources: Resources) -> iam.PolicyStatement:
    """The notes of what is held with paused workflows: advances write them, and what lets one go deletes its note."""
    actions = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"]
    return _allow("HeldStarts", actions, [resources.table], _only_keys(f"{NOTES}*"))


def _links(resources: Resources) -> iam.PolicyStatement:
    """The keys that sign answer links: the default pool makes links, the API checks links and rotates keys."""
    return _allow("Links", ["dynamodb:GetItem", "dynamodb:PutItem"], [resources.table], _only_keys(LINKS))


def _secrets(resources: Resources) -> list[iam.PolicyStatement]:
    """Reading the secrets of webhooks of others, and none beside."""
    parameters = [arn for arn in resources.secrets if ":ssm:" in arn]
    secrets = [arn for arn in resources.secrets if arn not in parameters]
    return [
        *([_allow("WebhookSecrets", ["secretsmanager:GetSecretValue"], secrets)] if secrets else []),
        *([_allow("WebhookParameters", ["ssm:GetParameter"], parameters)] if parameters else []),
    ]


def _only_own_events() -> Mapping[str, object]:
    """A condition that holds for events of this source alone: the bus takes none in the name of another."""
    return {"ForAllValues:StringEquals": {"events:source": EVENT_SOURCE}, "Null": {"events:source": "false"}}


def _only_keys(*patterns: str) -> Mapping[str, object]:
    """A condition that holds for requests whose partition keys all match one of the patterns."""
    # ForAllValues is also true for a request without keys, such as a Scan, so Null excludes those:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(patterns)},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def _scheduling(resources: Resources) -> list[iam.PolicyStatement]:
    to_scheduler = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    return [
        _allow("Schedule", ["scheduler:CreateSchedule"], [resources.schedules]),
        _allow("PassToScheduler", ["iam:PassRole"], [resources.schedule_role], to_scheduler),
    ]


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid, actions=sorted(actions), resources=list(resources), conditions=dict(conditions or {}) or None
    )
