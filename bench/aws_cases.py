"""The executions that are counted: each case is a bill, most often the difference between two executions.

A difference is what one step more costs; what an execution costs beside its steps is a case of its own.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench.aws_bill import Bill
from bench.aws_cloud import Played, Watched, cloud_of, counted
from bench.aws_flows import flows
from bench.aws_work import worked
from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.label_walk import NOBODY
from stepfast.backends.dynamodb.typed_json import size_of, text
from stepfast.deployment.project import Project
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.simulator.rules import Rules

FLOWS: Sequence[Workflow[..., Any]] = [
    flows.chain,
    flows.hops,
    flows.gather,
    flows.large_results,
    flows.retries,
    flows.timers,
    flows.signals,
    flows.mapped,
    flows.family,
    flows.only,
    flows.turns,
]
STEPS: Sequence[Step[..., Any]] = [flows.noop, flows.elsewhere, flows.flaky, flows.large]
WIDTH = 100
MAPPED = 500
"""Items of a map: one full batch."""
PACE = Rules(call=0.013)
"""A call takes as long here as a chained step is billed for: a chain looks at its execution once a second."""
AT_ONCE = Rules(pollers=5)
"""Lambda begins to take a queue's messages five at a time."""
_NOBODY = text(item_keys.partition(NOBODY))
"""Holds how far a walk of the sweep has come, and is no execution's."""
SLOW: Sequence[float] = (10.0,)
ONE_BY_ONE: Sequence[float] = (1.0, 1.2, 1.4, 1.6, 1.8)
"""Seconds that steps take, so that five at a time end at five different times."""


@dataclass(slots=True)
class Cases:
    """The results. bills: by name. memory: MB by kind of function. facts: other numbers by name."""

    memory: Mapping[str, int] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)


def cases(steps: int, rounds: int, tell: Callable[[str], None]) -> Cases:
    """Plays all cases. rounds: how often work is measured. tell: called with the name of the next case."""
    results = Cases()
    tell("sequences")
    _sequences(results, steps, rounds)
    plan: Sequence[tuple[str, Sequence[float]]] = (("gather", (0.0,)), ("gather, one by one", ONE_BY_ONE))
    for name, takes in plan:
        tell(name)
        _gather(results, name, takes, rounds)
    tell("children, runs, a map")
    _compositions(results, rounds)
    tell("steps that take their time, encryption, idle, expiry")
    _slow(results)
    _encryption(results)
    _idle(results, rounds)
    _expiry(results, rounds)
    return results


def _sequences(results: Cases, steps: int, rounds: int) -> None:
    """Executions that differ in length only, all in one cloud. The first execution of each kind is a warm-up."""

    def signalled(watched: Watched, number: int) -> Played:
        def send(id: str) -> None:
            for _ in range(number):
                watched.cloud.advance(timedelta(seconds=5))
                watched.cloud.signal(id, "go", 1)

        return watched.run(flows.signals, number, send)

    plan: Sequence[tuple[str, Workflow[..., Any], Sequence[int]]] = (
        ("chained step", flows.chain, (10, steps, 2 * steps)),
        ("execution of 10 steps", flows.chain, (10,)),
        ("retry", flows.retries, (2, 0, 1)),
        ("step after a hop", flows.hops, (4, 10, 20)),
        ("timer", flows.timers, (2, 1, 3)),
        ("signal", flows.signals, (2, 1, 3)),
    )
    stretches: list[tuple[str, int, Played]] = []
    with cloud_of(FLOWS, STEPS, rules=PACE) as watched:
        results.memory, items = watched.memory, watched.items()
        for name, flow, sizes in plan:
            for size in sizes:
                played = signalled(watched, size) if flow is flows.signals else watched.run(flow, size)
                stretches.append((name, size, played))
        _storage(results, watched)
    bills = _billed([played for _, _, played in stretches], items, rounds)
    for name, _, sizes in plan:
        own = [(size, bill) for (other, size, _), bill in zip(stretches, bills, strict=True) if other == name]
        size, bill = own[-1]
        if len(sizes) > 1:
            less, lesser = own[-2]
            bill = bill.less(lesser).per(size - less)
        results.bills[name] = bill
    _start(results, next(played for name, _, played in stretches if name == "execution of 10 steps"))
    _retry(results, next(played for name, size, played in stretches if (name, size) == ("retry", 1)))


def _billed(stretches: Sequence[Played], items: Sequence[Any], rounds: int) -> list[Bill]:
    """Counted quantities with the medians of the measured work."""
    times = [worked(stretches, items) for _ in range(rounds)]
    return [counted(played).plus(_median([bill[index] for bill in times])) for index, played in enumerate(stretches)]


def _median(bills: Sequence[Bill]) -> Bill:
    names = {name for bill in bills for name in bill.quantities}
    return Bill({name: statistics.median(bill[name] for bill in bills) for name in names})


def _storage(results: Cases, watched: Watched) -> None:
    """Bytes that a chained step's record has, of which the last execution of ten steps holds nine."""
    records = [item for item in watched.items() if item["sk"]["S"].startswith("c#noop") and "then" in item]
    results.facts["bytes of a chained record"] = statistics.median(map(size_of, records))


def _start(results: Cases, played: Played) -> None:
    """From the request to the first step's claim."""
    first = played.ran("step")[0].started_at
    before = [invocation for invocation in played.invocations if invocation.started_at < first]
    results.facts["start: puts by the API"] = len(played.of("api", "PutItem", "UpdateItem", "TransactWriteItems"))
    results.facts["start: advancer passes"] = sum(invocation.function == "advancer" for invocation in before)
    sent = played.of("advancer", "SendMessageBatch")
    results.facts["start: messages"] = sum(len(call.params["Entries"]) for call in sent)


def _retry(results: Cases, played: Played) -> None:
    """What the invocation writes whose step has failed, beside the claim with which it began."""
    failing = played.ran("step")[0].request_id
    calls = [made.call for made in played.made if made.request_id == failing]
    writes = [call for call in calls if call.operation == "PutItem"]
    outcomes = [call for call in writes if call.params["Item"]["stat"]["S"] == "RETRYING"]
    results.facts["retry: writes"] = len(outcomes)
    results.facts["retry: write units"] = sum(call.write_units for call in outcomes)
    results.facts["retry: visibility changes"] = sum(call.operation == "ChangeMessageVisibility" for call in calls)


def _gather(results: Cases, name: str, takes: Sequence[float], rounds: int) -> None:
    """A whole execution of one gather, by its steps: a gather without any would be no workflow."""
    with cloud_of([flows.gather], [flows.noop], rules=AT_ONCE) as watched, flows.taking(*takes):
        items = watched.items()
        stretches = [watched.run(flows.gather, 5), watched.run(flows.gather, WIDTH)]
        results.facts[f"{name}: advancer passes"] = len(stretches[-1].ran("advancer"))
    results.bills[name] = _billed(stretches, items, rounds)[-1].per(WIDTH)


def _compositions(results: Cases, rounds: int) -> None:
    """A child and a turn by the difference of two executions; a map, which is a child for each batch, by its items."""
    with cloud_of(FLOWS, STEPS, rules=AT_ONCE) as watched:
        items = watched.items()
        families = [watched.run(flows.family, number) for number in (2, 4, 8)]
        turns = [watched.run(flows.turns, number) for number in (2, 4, 8)]
        maps = [watched.run(flows.mapped, number) for number in (5, MAPPED)]
    bills = _billed([*families, *turns, *maps], items, rounds)
    results.bills["child of one step"] = bills[2].less(bills[1]).per(4)
    results.bills["turn of one step"] = bills[5].less(bills[4]).per(4)
    results.bills["item of a map"] = bills[-1].per(MAPPED)


def _slow(results: Cases) -> None:
    """Counted only: what such a step costs in time is its own."""
    with cloud_of([flows.chain], [flows.noop]) as watched, flows.taking(*SLOW):
        less, more = watched.run(flows.chain, 12), watched.run(flows.chain, 24)
    results.bills["chained step of 10 s"] = counted(more).less(counted(less)).per(12)


def _encryption(results: Cases) -> None:
    """Counted only, until the end of the execution: what its deletion adds is one delete."""
    bills = []
    for project in (Project(), Project(kms_key="alias/bench")):
        with cloud_of([flows.chain], [flows.noop], project, rules=PACE) as watched:
            watched.run(flows.chain, 10)  # warms up
            bills.append(counted(watched.run(flows.chain, 10)))
    results.bills["encryption of 10 steps"] = bills[1].less(bills[0])
    results.facts["encryption: requests of KMS"] = bills[1]["kms"]


def _idle(results: Cases, rounds: int) -> None:
    """A day in which nobody asks for anything, once the walks of the first days over earlier executions are over."""
    with cloud_of([flows.chain], [flows.noop]) as watched:
        for _ in range(4):
            watched.run(flows.chain, 1)  # else the simulated cloud leaves the sweeps out in which the walks go on
            watched.cloud.advance(timedelta(days=1))
        watched.run(flows.chain, 1)
        items = watched.items()
        watched.take()
        watched.cloud.advance(timedelta(days=1))
        played = watched.take()
        results.facts["queues"] = watched.queues
        results.facts["functions"] = watched.functions
        results.facts["seconds between sweeps"] = watched.cloud.plan.sweep_every
    others = [made for made in played.made if made.kind != "sweeper"]
    results.facts["idle: calls beside the sweep"] = len(others)
    results.facts["idle: invocations beside the sweep"] = len(played.invocations) - len(played.ran("sweeper"))
    # The simulated cloud leaves most sweeps of a quiet day out; the first one here only warms up.
    first, more = played.split(1)
    sweeps = counted(played).per(len(played.invocations))
    measured = [worked([first, more], items)[-1].per(len(more.invocations)) for _ in range(rounds)]
    results.bills["sweep"] = sweeps.plus(_median(measured))


def _expiry(results: Cases, rounds: int) -> None:
    """What becomes of executions of ten steps when their time to live is over; the first one warms up."""
    stretches = []
    with cloud_of([flows.chain], [flows.noop], Project(retention_days=1, sweep_minutes=60)) as watched:
        items = watched.items()
        for _ in range(2):
            stretches.append(watched.run(flows.chain, 10))
            watched.cloud.advance(timedelta(days=1, hours=3))
            stretches.append(watched.take().without("sweeper"))
        left = [item for item in watched.items() if item["pk"]["S"].startswith("x#") and item["pk"] != _NOBODY]
    if left:
        raise RuntimeError(f"{len(left)} items of expired executions are left")
    results.bills["expiry of 10 steps"] = _billed(stretches, items, rounds)[-1]
