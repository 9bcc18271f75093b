"""What one execution needs of each quota: measured service times, and units counted by `bench.aws`.

The shape is that of `bench.aws`: a start, ten chained steps in one pool, an end. Steps that take their time add it
to the invocation that runs them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.aws_bill import Bill, dollars, seconds
from bench.aws_prices import LAMBDA_GB_SECOND
from bench.scale.quotas import DEFAULTS, PARTITIONS_OF_A_NEW_TABLE, WRITES_OF_A_KEY, Setup, as_deployed

REFERENCE = Path(__file__).parents[1] / "results" / "aws-reference.json"
BATCH, PARALLELIZATION = 10, 10.0
"""The most that `batch_size` of a pool and `parallelization` can be."""
SHAPE = "execution of 10 steps"
WRITES_AT_START = 3
"""Write units, listing index included: docs/costs.md, "What is charged for what". The step function writes the rest."""
INDEX_AT_START, INDEX_AT_END = 1, 2
"""Write units of the index: an entry under RUNNING; at the end it is deleted there, and put under another status."""


@dataclass(frozen=True, slots=True)
class Service:
    """Seconds of a function for one execution, and write units that it causes meanwhile.

    busy: of its share of a processor, which executions in one batch use one after the other. waiting: for AWS and
    for steps, which a batch does together. index: write units of the listing index. running_key: of those under
    RUNNING, whose keys are the busiest.
    """

    busy: float
    waiting: float
    writes: float = 0.0
    index: float = 0.0
    running_key: float = 0.0

    def seconds(self, batch: int = 1) -> float:
        """Seconds of an environment for each execution of a batch."""
        return self.busy + self.waiting / batch

    def uses(self, batch: int = 1) -> Mapping[str, float]:
        """What one execution takes here of the quotas that functions share; of `concurrency`, environment seconds."""
        table = self.writes - self.index
        return {
            "concurrency": self.seconds(batch),
            "table writes": table,
            "warm writes": table,
            "index writes": self.index,
            "listing key": self.running_key,
        }

    def latency(self, batch: int = 1) -> float:
        """Seconds until the last execution of a batch is through."""
        return self.busy * batch + self.waiting


@dataclass(frozen=True, slots=True)
class Demand:
    """What an execution needs. step_seconds: its steps' own time, in all; dollars: all in, without that time."""

    api: Service
    advancer: Service
    step: Service
    step_seconds: float
    step_memory: int
    dollars: float

    def own_dollars(self, batch: int) -> float:
        """The steps' own time in Lambda, at the memory of the default pool; a batch waits for its steps together."""
        return self.step_seconds / batch * self.step_memory / 1024 * LAMBDA_GB_SECOND

    def needs(self, rate: float, batch: int) -> Mapping[str, float]:
        """What `rate` executions a second need of each quota, by Little's law where it counts what is at once."""
        services = (self.api.uses(), self.advancer.uses(), self.step.uses(batch))
        shared = {name: rate * sum(uses[name] for uses in services) for name in services[0]}
        return {
            "gateway": rate,
            "account gateway": rate,
            **shared,
            "advancers": rate * self.advancer.seconds(),
            "pollers": rate * self.step.seconds(batch),
            "in flight": rate * self.step.latency(batch),
        }


def measured(step_seconds: float = 0.0, reference: Path = REFERENCE) -> Demand:
    """From the result that `python -m bench.aws --reference` keeps. step_seconds: what ten steps take in all.

    Raises FileNotFoundError where no such result is.
    """
    result = json.loads(reference.read_text())
    bill, memory = Bill(result["bills"][SHAPE]), result["memory"]

    def busy(kind: str) -> float:
        return seconds(bill, kind, memory[kind]) - bill[f"waited:{kind}"]

    def waiting(kind: str) -> float:
        return bill[f"waited:{kind}"]

    written = bill["write_units"] - WRITES_AT_START
    return Demand(
        api=Service(
            busy("authorizer") + busy("api"),
            waiting("authorizer") + waiting("api"),
            WRITES_AT_START,
            INDEX_AT_START,
            INDEX_AT_START,
        ),
        advancer=Service(busy("advancer"), waiting("advancer")),
        step=Service(busy("step"), waiting("step") + step_seconds, written, INDEX_AT_END, 1),
        step_seconds=step_seconds,
        step_memory=memory["step"],
        dollars=sum(dollars(bill, memory).values()),
    )


def first_to_give_way(demand: Demand, setup: Setup) -> tuple[str, float]:
    """The quota that is reached first when starts grow, and the executions a second at which it is."""
    needs = demand.needs(1.0, setup.batch)
    name = min(setup.quotas, key=lambda quota: setup.limit(quota) / needs[quota])
    return name, setup.limit(name) / needs[name]


def prepared(demand: Demand, rate: float, headroom: float = 1.25) -> Setup:
    """A setup in which everything that can be raised is, as far as `rate` needs with some headroom."""
    batch = next((size for size in range(1, BATCH) if _fits(demand, rate * headroom, size)), BATCH)
    needs = demand.needs(rate * headroom, batch)
    limits = {}
    for name, quota in DEFAULTS.items():
        raised = quota.limit if quota.raised_by == "never" else max(quota.limit, needs[name])
        limits[name] = raised if quota.most is None else min(quota.most, raised)
    shards = max(PARTITIONS_OF_A_NEW_TABLE, math.ceil(limits["warm writes"] / WRITES_OF_A_KEY))
    limits["advancers"] = min(limits["advancers"], shards * PARALLELIZATION)
    return as_deployed(warm=True).raised(limits, batch)


def _fits(demand: Demand, rate: float, batch: int) -> bool:
    return demand.needs(rate, batch)["pollers"] <= DEFAULTS["pollers"].limit


def stacks(demand: Demand, rate: float) -> int:
    """How many stacks it takes until no quota of a stack is in the way that nobody can raise."""
    setup = prepared(demand, rate)
    needs = demand.needs(rate, setup.batch)
    return max(math.ceil(needs[name] / setup.limit(name)) for name in setup.quotas)
