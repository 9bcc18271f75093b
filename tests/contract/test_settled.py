"""A pass in which the code has asked for nothing new looks through no siblings, and sends what is new all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from stepfast import step, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.engine.placement import Placement
from stepfast.engine.ports import Commit
from stepfast.engine.resending import Resend
from stepfast.language.registry import Registry
from stepfast.model import Record

WIDTH = 12


@step
async def work(number: int) -> int:
    return number


@workflow("gathers-twice")
async def gathers_twice(width: int) -> int:
    first = sum(await asyncio.gather(*(work(number) for number in range(width))))
    return first + sum(await asyncio.gather(*(work(number) for number in range(width))))


class Pools(Mapping[str, float | None]):
    """The pools of a placement, which counts how many steps were looked up."""

    def __init__(self) -> None:
        self.lookups = 0

    def __getitem__(self, pool: str) -> float | None:
        return None

    def __contains__(self, pool: object) -> bool:
        self.lookups += 1
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(["default"])

    def __len__(self) -> int:
        return 1


class Bench:
    def __init__(self, backend: Any) -> None:
        registry, self.pools, self.backend = Registry([gathers_twice]), Pools(), backend
        placement = Placement(self.pools)
        self.advancer = Advancer(backend.store, backend.queue, backend.clock, registry, placement=placement)
        operations = Operations(backend.store, backend.clock, registry, self.advancer)
        backend.run(operations.start("gathers-twice", WIDTH, "one"))

    def advance(self, resend: Resend | None = None) -> list[str]:
        """The commands that were sent."""
        advanced = self.backend.run(self.advancer.advance("one", resend=resend))
        return [message.command_id for message, _ in advanced.sent]

    def record(self, number: int) -> None:
        id = "work" if number == 0 else f"work#{number + 1}"
        made = Record(id, "step", "work", "SUCCEEDED", 0, attempt=1, output="1", ended_at=float(number))
        assert self.backend.run(self.backend.store.commit("one", Commit(made, wake=True)))


def test_a_result_that_leads_to_nothing_costs_no_look_at_its_siblings(backend: Any) -> None:
    bench = Bench(backend)
    assert len(bench.advance()) == WIDTH
    before = bench.pools.lookups
    for number in range(WIDTH - 2):
        bench.record(number)
        assert bench.advance() == []
    assert bench.pools.lookups == before


def test_what_the_code_asks_for_next_is_sent(backend: Any) -> None:
    bench = Bench(backend)
    bench.advance()
    for number in range(WIDTH):
        bench.record(number)
        sent = bench.advance()
    assert sent == [f"work#{number + 1}" for number in range(WIDTH, 2 * WIDTH)]


def test_a_sweep_looks_through_all_of_them(backend: Any) -> None:
    bench = Bench(backend)
    bench.advance()
    bench.record(0)
    assert bench.advance() == []
    assert len(bench.advance(Resend())) == WIDTH - 1
