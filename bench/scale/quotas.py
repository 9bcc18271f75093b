"""What AWS and the stack allow by default, each number with where it is published and who can raise it.

AWS's numbers are those of us-east-1, read in November 2026. Several are lower in other regions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from stepfast.deployment.plan import StreamPlan

Raise = Literal["setting", "request", "never"]
"""Who raises a quota: the project's settings, a request to AWS, or nobody: then more stacks are the way."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of one stack or of its account.

    most: what a setting can be raised to, None where that is unlimited or cannot be said. source: the page of
    AWS's documentation, or the setting of stepfast.
    """

    title: str
    limit: float
    unit: str
    raised_by: Raise
    source: str
    most: float | None = None


WRITES_OF_A_KEY = 1000.0
"""Write units a second that one partition of DynamoDB takes, and so one partition key (AWS: "Best practices for
designing and using partition keys")."""
GROWTH = 100.0
"""Environments a second by which a function may grow: 1,000 in ten seconds (AWS: "Lambda scaling behavior")."""
POLLERS_AT_FIRST, POLLERS_A_SECOND = 5.0, 300 / 60
"""Invocations at once that a queue begins with and may add a second (AWS: "Configuring scaling behavior for SQS event
source mappings")."""
STREAM_POLL = 0.25
"""Seconds between two reads of a shard by Lambda (AWS: "Polling and batching streams")."""
PARTITIONS_OF_A_NEW_TABLE = 4
"""A new on-demand table takes 4,000 write units a second (AWS: "DynamoDB on-demand capacity mode"): four partitions,
each with a shard of the stream."""

DEFAULTS: Mapping[str, Quota] = MappingProxyType(
    {
        "gateway": Quota(
            "requests of the stack's own gateway", 200, "a second", "setting", "`Throttle` of the stack"
        ),
        "account gateway": Quota(
            "requests of all gateways", 10_000, "a second", "request", "API Gateway quotas, account level"
        ),
        "concurrency": Quota(
            "environments of all functions at once", 1_000, "", "request", "Lambda quotas, concurrent executions"
        ),
        "table writes": Quota(
            "write units of the table", 40_000, "a second", "request", "DynamoDB quotas, per table, on demand"
        ),
        "index writes": Quota(
            "write units of the listing index", 40_000, "a second", "request", "DynamoDB quotas, per index, on demand"
        ),
        "warm writes": Quota(
            "write units that the table takes without a ramp", 4_000, "a second", "request", "DynamoDB warm throughput"
        ),
        "listing key": Quota(
            "write units of the keys of RUNNING in the index",
            8 * WRITES_OF_A_KEY,
            "a second",
            "setting",
            "`listing_shards` times 1,000 units of a partition",
            256 * WRITES_OF_A_KEY,
        ),
        "advancers": Quota(
            "batches of the stream at once",
            float(PARTITIONS_OF_A_NEW_TABLE * StreamPlan().parallelization),
            "",
            "setting",
            "shards of the stream times `parallelization`",
        ),
        "pollers": Quota(
            "invocations of one pool at once", 1_250, "", "never", "Lambda, scaling of SQS event source mappings"
        ),
        "in flight": Quota(
            "messages of one queue in flight", 120_000, "", "request", "SQS quotas, standard queues"
        ),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setup:
    """A stack with its account: the quotas by name, and the settings that change what an execution needs.

    batch: messages that one invocation of a pool runs at once. warm: whether functions and pollers have grown
    already; a cold one begins with none.
    """

    quotas: Mapping[str, Quota]
    batch: int = 1
    warm: bool = False

    def limit(self, name: str) -> float:
        return self.quotas[name].limit

    def raised(self, limits: Mapping[str, float], batch: int = 1) -> Setup:
        """The same setup with other limits, and with this `batch_size`."""
        quotas = {name: replace(quota, limit=limits.get(name, quota.limit)) for name, quota in self.quotas.items()}
        return replace(self, quotas=quotas, batch=batch)


def as_deployed(warm: bool = False) -> Setup:
    """What `cdk deploy` gives in an account whose quotas nobody has raised."""
    return Setup(DEFAULTS, warm=warm)
