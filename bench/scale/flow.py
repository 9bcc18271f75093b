"""Starts that flow through gateway, stream, queue and functions, in virtual time.

Executions are alike, so their number is a real number and time goes in ticks. What is first in a stage is first out
of it: the n-th start of the whole is the n-th at every stage, and the time between its cumulative curves is its
latency. Quotas that stages share are divided among them in proportion to what they ask for.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.scale.demand import Demand
from bench.scale.quotas import GROWTH, POLLERS_A_SECOND, POLLERS_AT_FIRST, STREAM_POLL, Setup

TICK_SECONDS = 0.05
"""One step of virtual time."""
LEAST = 1e-6
PASSING = 2
"""Ticks by which the model delays an execution from the first stage to the third."""


@dataclass(slots=True)
class Stage:
    """A queue before a function. uses: what one execution takes of each quota while it is served.

    at_once, at_first, growth: the quota of what runs at once here, how many a cold stage begins with and how many it
    may add a second. seconds: of an environment for each execution. latency: from being taken to the next stage.
    """

    name: str
    at_once: str | None
    seconds: float
    latency: float
    uses: Mapping[str, float]
    at_first: float
    growth: float
    waiting: float = 0.0
    done: list[float] = field(default_factory=list)
    """The total number of executions that were taken, at the end of each tick."""
    running: float = 0.0
    """The concurrency that is allowed by now. It grows while executions wait."""

    def most(self, setup: Setup) -> float:
        return math.inf if self.at_once is None else setup.limit(self.at_once)

    def begin(self, setup: Setup) -> None:
        self.running = self.most(setup) if setup.warm else min(self.most(setup), self.at_first)

    def asks(self) -> float:
        """The executions that this tick could take if no quota was shared."""
        return min(self.waiting, self.running * TICK_SECONDS / self.seconds)

    def grow(self, setup: Setup) -> None:
        if self.waiting > LEAST:
            self.running = min(self.most(setup), self.running + self.growth * TICK_SECONDS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a load.

    first_step, ended: median and 99th percentile of the seconds from a start to them, of the starts that came to it.
    taken_meanwhile: executions whose steps had begun when the load ended, by those that were started. drained:
    seconds after the load until the last one's steps had begun, None where that takes more than `PATIENCE_SECONDS`.
    held_up_by: the quota that held up each stage, by the seconds for which it did.
    """

    rate: float
    first_step: tuple[float, float]
    ended: tuple[float, float]
    taken_meanwhile: float
    drained: float | None
    held_up_by: Mapping[str, float]


PATIENCE_SECONDS = 3600.0


def play(demand: Demand, setup: Setup, rate: float, load_seconds: float) -> Outcome:
    """`rate` starts a second for so long, and then none until all have ended."""
    stages = _stages(demand, setup)
    for stage in stages:
        stage.begin(setup)
    total, started, held = rate * load_seconds, 0.0, Counter[str]()
    arrivals: list[float] = []
    ticks, most = 0, math.ceil((load_seconds + PATIENCE_SECONDS) / TICK_SECONDS)
    while ticks < most and (not stages[-1].done or stages[-1].done[-1] < total - LEAST * total):
        arriving = min(rate * TICK_SECONDS, total - started)
        started += arriving
        arrivals.append(started)
        stages[0].waiting += arriving
        _tick(stages, setup, held)
        ticks += 1
    within = min(round(load_seconds / TICK_SECONDS), ticks) - 1
    taken = stages[-1].done
    return Outcome(
        rate=rate,
        first_step=_percentiles(arrivals, taken, _latency(stages[:-1])),
        ended=_percentiles(arrivals, taken, _latency(stages)),
        taken_meanwhile=taken[within] / total,
        drained=max(0.0, ticks * TICK_SECONDS - load_seconds) if taken[-1] >= total - LEAST * total else None,
        held_up_by={name: ticks * TICK_SECONDS for name, ticks in held.most_common()},
    )


def _latency(stages: Sequence[Stage]) -> float:
    return sum(stage.latency for stage in stages)


def _stages(demand: Demand, setup: Setup) -> list[Stage]:
    api, advancer, step = demand.api, demand.advancer, demand.step
    front = {"gateway": 1.0, "account gateway": 1.0, **api.uses()}
    return [
        Stage("api", None, api.seconds(), api.latency(), front, GROWTH, GROWTH),
        Stage(
            "advancer",
            "advancers",
            advancer.seconds(),
            STREAM_POLL / 2 + advancer.latency(),
            advancer.uses(),
            math.inf,
            GROWTH,
        ),
        Stage(
            "step",
            "pollers",
            step.seconds(setup.batch),
            step.latency(setup.batch),
            step.uses(setup.batch),
            POLLERS_AT_FIRST,
            POLLERS_A_SECOND,
        ),
    ]


def _tick(stages: Sequence[Stage], setup: Setup, held: Counter[str]) -> None:
    """Serves the last stage first, so that an execution passes at most one stage in one tick."""
    asked = [stage.asks() for stage in stages]
    served = list(asked)
    reasons = [
        stage.at_once or "concurrency" if stage.waiting - ask > LEAST else ""
        for stage, ask in zip(stages, asked, strict=True)
    ]
    for name in setup.quotas:
        wanted = sum(stage.uses.get(name, 0.0) * count for stage, count in zip(stages, served, strict=True))
        room = setup.limit(name) * TICK_SECONDS
        if wanted > room * (1 + LEAST):
            for index, stage in enumerate(stages):
                if stage.uses.get(name, 0.0) and served[index] > LEAST:
                    served[index] *= room / wanted
                    reasons[index] = name
    for stage, reason in zip(stages, reasons, strict=True):
        if reason:
            held[f"{stage.name}: {reason}"] += 1
    for index in reversed(range(len(stages))):
        stage, count = stages[index], served[index]
        stage.waiting -= count
        stage.done.append((stage.done[-1] if stage.done else 0.0) + count)
        if index + 1 < len(stages):
            stages[index + 1].waiting += count
        stage.grow(setup)


def _percentiles(arrivals: Sequence[float], done: Sequence[float], latency: float) -> tuple[float, float]:
    """Of the time from the n-th arrival to the n-th departure, median and 99th percentile, by number of arrivals."""
    if not done or done[-1] <= LEAST:
        return math.inf, math.inf
    number = min(arrivals[-1], done[-1])
    waits = []
    for part in range(1, 1001):
        nth = number * part / 1000
        ticks = bisect_left(done, nth - LEAST) - bisect_left(arrivals, nth - LEAST) - PASSING
        waits.append(max(0, ticks) * TICK_SECONDS)
    waits.sort()
    return waits[499] + latency, waits[989] + latency
