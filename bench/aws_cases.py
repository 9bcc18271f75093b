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
from stepfast.backends.dynamodb.typed_json import size_of
from stepfast.deployment.project import Project
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.simulator.rules import Rules

FLOWS: Sequence[Workflow[..., Any]] = [
    flows.chain,
    flows.hops,
    flows.gather,
    flows.retries,
    flows.timers,
    flows.signals,
]
STEPS: Sequence[Step[..., Any]] = [flows.noop, flows.elsewhere, flows.flaky]
WIDTH = 100
PACE = Rules(call=0.013)
"""A call takes as long here as a chained step is billed for: a chain looks at its execution once a second."""
AT_ONCE = Rules(pollers=5)
"""Lambda begins to take a queue's messages five at a time."""
SLOW: Sequence[float] = (10.0,)
ONE_BY_ONE: Sequence[float] = (1.0, 1.2, 1.4, 1.6, 1.8)
"""Seconds that steps take, so that five at a time end at five different times."""


@dataclass(slots=True)
class Cases:
    """What was found: bills by name; memory: MB by kind of function; facts: numbers that are no bill."""

    memory: Mapping[str, int] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)


def cases(steps: int, rounds: int, tell: Callable[[str], None]) -> Cases:
    """Plays everything; rounds: how often work is measured. tell: is told what comes next."""
    found = Cases()
    tell("sequences")
    _sequences(found, steps, rounds)
    plan: Sequence[tuple[str, Sequence[float]]] = (("gather", (0.0,)), ("gather, one by one", ONE_BY_ONE))
    for name, takes in plan:
        tell(name)
        _gather(found, name, takes, rounds)
    tell("steps that take their time, idle, expiry")
    _slow(found)
    _idle(found, rounds)
    _expiry(found, rounds)
    return found


def _sequences(found: Cases, steps: int, rounds: int) -> None:
    """Executions of which only their length differs, all in one cloud; the first of each kind only warms up."""

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
        found.memory, items = watched.memory, watched.items()
        for name, flow, sizes in plan:
            for size in sizes:
                played = signalled(watched, size) if flow is flows.signals else watched.run(flow, size)
                stretches.append((name, size, played))
        _storage(found, watched)
    bills = _billed([one for _, _, one in stretches], items, rounds)
    for name, _, sizes in plan:
        own = [(size, bill) for (other, size, _), bill in zip(stretches, bills, strict=True) if other == name]
        size, bill = own[-1]
        if len(sizes) > 1:
            less, lesser = own[-2]
            bill = bill.less(lesser).per(size - less)
        found.bills[name] = bill
    _start(found, next(one for name, _, one in stretches if name == "execution of 10 steps"))
    _retry(found, next(one for name, size, one in stretches if (name, size) == ("retry", 1)))


def _billed(stretches: Sequence[Played], items: Sequence[Any], rounds: int) -> list[Bill]:
    """Counted quantities with the medians of the measured work."""
    times = [worked(stretches, items) for _ in range(rounds)]
    return [counted(played).plus(_median([one[index] for one in times])) for index, played in enumerate(stretches)]


def _median(bills: Sequence[Bill]) -> Bill:
    names = {name for one in bills for name in one.quantities}
    return Bill({name: statistics.median(one[name] for one in bills) for name in names})


def _storage(found: Cases, watched: Watched) -> None:
    """Bytes that a chained step's record has, of which the last execution of ten steps holds nine."""
    records = [one for one in watched.items() if one["sk"]["S"].startswith("c#noop") and "then" in one]
    found.facts["bytes of a chained record"] = statistics.median(map(size_of, records))


def _start(found: Cases, played: Played) -> None:
    """From the request to the first step's claim."""
    first = played.ran("step")[0].started_at
    before = [one for one in played.invocations if one.started_at < first]
    found.facts["start: puts by the API"] = len(played.of("api", "PutItem", "UpdateItem", "TransactWriteItems"))
    found.facts["start: advancer passes"] = sum(one.function == "advancer" for one in before)
    sent = played.of("advancer", "SendMessageBatch")
    found.facts["start: messages"] = sum(len(one.params["Entries"]) for one in sent)


def _retry(found: Cases, played: Played) -> None:
    """What the invocation writes whose step has failed, beside the claim with which it began."""
    failing = played.ran("step")[0].request_id
    calls = [one.call for one in played.made if one.request_id == failing]
    writes = [one for one in calls if one.operation == "PutItem"]
    outcomes = [one for one in writes if one.params["Item"]["stat"]["S"] == "RETRYING"]
    found.facts["retry: writes"] = len(outcomes)
    found.facts["retry: write units"] = sum(one.write_units for one in outcomes)
    found.facts["retry: visibility changes"] = sum(one.operation == "ChangeMessageVisibility" for one in calls)


def _gather(found: Cases, name: str, takes: Sequence[float], rounds: int) -> None:
    """A whole execution of one gather, by its steps: a gather without any would be no workflow."""
    with cloud_of([flows.gather], [flows.noop], rules=AT_ONCE) as watched, flows.taking(*takes):
        items = watched.items()
        stretches = [watched.run(flows.gather, 5), watched.run(flows.gather, WIDTH)]
        found.facts[f"{name}: advancer passes"] = len(stretches[-1].ran("advancer"))
    found.bills[name] = _billed(stretches, items, rounds)[-1].per(WIDTH)


def _slow(found: Cases) -> None:
    """Counted only: what such a step costs in time is its own."""
    with cloud_of([flows.chain], [flows.noop]) as watched, flows.taking(*SLOW):
        less, more = watched.run(flows.chain, 12), watched.run(flows.chain, 24)
    found.bills["chained step of 10 s"] = counted(more).less(counted(less)).per(12)


def _idle(found: Cases, rounds: int) -> None:
    """A day in which nobody asks for anything."""
    with cloud_of([flows.chain], [flows.noop]) as watched:
        items = watched.items()
        watched.take()
        watched.cloud.advance(timedelta(days=1))
        played = watched.take()
        found.facts["queues"] = watched.queues
        found.facts["functions"] = watched.functions
        found.facts["seconds between sweeps"] = watched.cloud.plan.sweep_every
    others = [one for one in played.made if one.kind != "sweeper"]
    found.facts["idle: calls beside the sweep"] = len(others)
    found.facts["idle: invocations beside the sweep"] = len(played.invocations) - len(played.ran("sweeper"))
    # The simulated cloud leaves most sweeps of a quiet day out; the first one here only warms up.
    first, more = played.split(1)
    sweeps = counted(played).per(len(played.invocations))
    measured = [worked([first, more], items)[-1].per(len(more.invocations)) for _ in range(rounds)]
    found.bills["sweep"] = sweeps.plus(_median(measured))


def _expiry(found: Cases, rounds: int) -> None:
    """What becomes of executions of ten steps when their time to live is over; the first one warms up."""
    stretches = []
    with cloud_of([flows.chain], [flows.noop], Project(retention_days=1, sweep_minutes=60)) as watched:
        items = watched.items()
        for _ in range(2):
            stretches.append(watched.run(flows.chain, 10))
            watched.cloud.advance(timedelta(days=1, hours=3))
            stretches.append(watched.take().without("sweeper"))
        left = [one for one in watched.items() if one["pk"]["S"].startswith("x#")]
    if left:
        raise RuntimeError(f"{len(left)} items of expired executions are left")
    found.bills["expiry of 10 steps"] = _billed(stretches, items, rounds)[-1]
