"""Executions on the real functions in a simulated cloud, with every AWS call metered and every invocation kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import aws_prices as prices
from bench.aws_bill import Bill
from bench.aws_meter import METER, Made, kind_of
from bench.aws_units import Call
from stepfast.backends.dynamodb.typed_json import Item
from stepfast.deployment.project import Project
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.simulator import resources
from stepfast.simulator.invocation import Invocation
from stepfast.simulator.provision import TABLE
from stepfast.simulator.rules import Rules
from stepfast.testing import MotoCloud

START = datetime(2026, 1, 1, tzinfo=UTC)
"""In the past: what was due then is due when the same events are handed to the functions in real time."""
SETTLED = timedelta(seconds=5)
LIMIT = 1_000_000
"""Invocations: what is counted here ends, however wide it is. The checks of replays are for tests, and take time."""
QUEUE_FUNCTIONS = ("step", "timer", "resume")
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
_OTHERS = {
    "CreateSchedule": "schedules",
    "PutObject": "s3_puts",
    "GetObject": "s3_gets",
    **dict.fromkeys(("GenerateDataKey", "Decrypt"), "kms"),
}
_READS = ("GetItem", "Query", "BatchGetItem")


@dataclass(slots=True)
class Played:
    """The calls and invocations of one execution or of one stretch of time."""

    made: list[Made] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)

    def of(self, kind: str, *operations: str) -> list[Call]:
        """The calls of a kind of function."""
        return [made.call for made in self.made if made.kind == kind and made.call.operation in operations]

    def ran(self, kind: str) -> list[Invocation]:
        return [invocation for invocation in self.invocations if kind_of(invocation.function) == kind]

    def without(self, kind: str) -> Played:
        others = [invocation for invocation in self.invocations if kind_of(invocation.function) != kind]
        return Played([made for made in self.made if made.kind != kind], others)

    def split(self, number: int) -> tuple[Played, Played]:
        """The first `number` invocations, and the others, each with their calls."""
        first = {invocation.request_id for invocation in self.invocations[:number]}
        made = [made_call for made_call in self.made if made_call.request_id in first]
        others = [made_call for made_call in self.made if made_call.request_id not in first]
        return Played(made, self.invocations[:number]), Played(others, self.invocations[number:])


class Watched:
    """An open cloud. `take` returns what has happened since the last call of `take`."""

    def __init__(self, cloud: MotoCloud) -> None:
        self.cloud = cloud
        self.memory = {kind: function.memory for kind, function in cloud.plan.functions.items()}
        self.memory["step"] = max(pool.function.memory for pool in cloud.plan.pools.values())
        self.queues = len(cloud.plan.pools) + 2
        """Those that Lambda polls: of the pools, of timers, of parked failures."""
        self.functions = len(cloud.plan.functions) + len(cloud.plan.pools)
        self._made, self._ended = 0, 0

    def take(self) -> Played:
        made, invocations = METER.made[self._made :], self.cloud.invocations[self._ended :]
        self._made, self._ended = len(METER.made), len(self.cloud.invocations)
        return Played(made, sorted(invocations, key=lambda invocation: invocation.started_at))

    def run(self, workflow: Workflow[..., Any], input: Any, during: Callable[[str], None] | None = None) -> Played:
        """One execution from its start to its end, under an id as long as those that stepfast makes.

        Sweeps that happen meanwhile are not its doing.
        """
        self.take()
        number = len(self.cloud.runs)
        run = self.cloud.start(workflow, input, f"0199a1b2-c3d4-7e5f-8a6b-{number:012}")
        if during is not None:
            during(run.execution_id)
        self.cloud.run_until(run)
        self.cloud.advance(SETTLED)  # until its last invocations have ended, too
        if run.status != "SUCCEEDED":
            raise RuntimeError(f"{run}: its workflow does nothing that could fail")
        return self.take().without("sweeper")

    def items(self) -> list[Item]:
        """What the table holds."""
        answer = resources.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)
        if "LastEvaluatedKey" in answer:
            raise RuntimeError("the table is larger than one page of a scan")
        items: list[Item] = answer["Items"]
        return items


@contextmanager
def cloud_of(
    workflows: Sequence[Workflow[..., Any]],
    steps: Sequence[Step[..., Any]],
    project: Project | None = None,
    rules: Rules | None = None,
) -> Iterator[Watched]:
    """A cloud in which nothing has happened."""
    registry = Registry(workflows, steps)
    cloud = MotoCloud(registry, project=project, rules=rules, start=START, limit=LIMIT, check_replays=False)
    with METER.metering(), cloud as opened:
        yield Watched(opened)


def counted(played: Played) -> Bill:
    """The quantities of all that was called, invoked and received; cpu and logs are measured elsewhere."""
    quantities: dict[str, float] = {}

    def add(name: str, number: float = 1.0) -> None:
        quantities[name] = quantities.get(name, 0.0) + number

    for made in played.made:
        call = made.call
        add(f"waited:{made.kind}", prices.LATENCY[call.operation])
        add("write_units", call.write_units)
        add("read_units", call.read_units)
        if call.operation in _WRITES:
            add("writes")
        elif call.operation in _READS:
            add("reads")
        elif call.operation in ("SendMessageBatch", "ChangeMessageVisibility"):
            add("queue_requests", call.requests)
            if call.operation == "SendMessageBatch":
                add("messages", len(call.params["Entries"]))
            else:
                add("visibility_changes")
        else:
            add(_OTHERS[call.operation])
    for invocation in played.invocations:
        kind = kind_of(invocation.function)
        add(f"invocations:{kind}")
        if kind == "api":
            add("http")
        if kind in QUEUE_FUNCTIONS and "Records" in (invocation.event or {}):
            records, kept = invocation.event["Records"], (invocation.result or {}).get("batchItemFailures", ())
            # Upper bounds: where many wait, pollers receive and delete up to ten with one request.
            add("queue_requests", len(records) + len(records) - len(kept))
    return Bill(quantities)
