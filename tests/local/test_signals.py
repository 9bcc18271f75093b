"""Signals of an execution: their order, what is told of those that nobody takes, and what each of them costs."""

from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import signal, step, workflow
from stepfast.errors import TooManySignals, WrongStatus
from stepfast.model import SignalLimits
from tests.local.conftest import Embedded
from tests.waiting import until


class Amount(BaseModel):
    by: str
    amount: int = 0


@step
def noted(number: int) -> int:
    return number


@workflow("summing")
async def summing(count: int) -> int:
    total = 0
    for _ in range(count):
        total += (await signal("add", Amount)).amount
    return total


@workflow("listing")
async def listing(count: int) -> list[int]:
    return [await signal("n", int) for _ in range(count)]


@workflow("peeking")
async def peeking() -> list[int]:
    await signal("begin")
    payloads = []
    while True:
        try:
            payloads.append(await signal("n", int, timeout=0))
        except TimeoutError:
            return payloads


def opened(tmp_path: Path, **options: Any) -> Embedded:
    return Embedded(tmp_path / "a.db", summing, listing, peeking, durability="process", **options)


def test_signals_of_one_moment_are_taken_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    class Still:
        def now(self) -> float:
            return 1_900_000_000.0

        async def sleep(self, seconds: float) -> None:
            import asyncio

            await asyncio.sleep(seconds)

    engine = opened(tmp_path, clock=Still())
    try:
        engine.start("listing", 20)
        for number in range(20):
            engine.signal("n", number)
        assert engine.ends().result == str(list(range(20))).replace(" ", "")
    finally:
        engine.runtime.close()


def test_a_timeout_of_zero_takes_what_is_there(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    try:
        engine.start("peeking")
        for number in (1, 2, 3):
            engine.signal("n", number)
        engine.signal("begin", None)
        assert engine.ends().result == "[1,2,3]"
    finally:
        engine.runtime.close()


def test_whoever_sends_hears_what_is_waited_for_instead(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    try:
        engine.start("summing", 1)
        wrong = until(lambda: (sent := engine.signal("ad", {"by": "x"})).waited_for and sent)
        assert wrong.waited_for == ("add",)
        assert engine.signal("add", {"by": "x", "amount": 2}).waited_for == ("add",)
        assert engine.ends().result == "2"
    finally:
        engine.runtime.close()


def test_a_signal_that_nobody_took_says_why_in_history_and_description(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    try:
        engine.start("peeking", id="one")
        engine.signal("n", "not a number")  # early: nobody waits for it yet
        engine.signal("m", 1)
        engine.start("listing", 1, id="two")
        until(lambda: engine.signal("x", 1, id="two").waited_for == ("n",))
        snapshot = engine.runtime.call(engine.operations.load_brief("one"))
        assert all(received.payload == "" for received in snapshot.signals)
        early = engine.runtime.call(engine.operations.not_taken(snapshot))
        assert [signal_left.signal.name for signal_left in early] == ["n", "m"]
        assert all("nobody has waited" in signal_left.reason and "begin" in signal_left.reason for signal_left in early)

        @workflow("wrong")
        async def wrong() -> int:
            await signal("begin")
            return await signal("n", int)

        engine.reopen(wrong, summing, listing, peeking)
        engine.start("wrong", id="three")
        engine.signal("n", "not a number", id="three")
        engine.signal("begin", None, id="three")
        until(lambda: engine.signal("y", 1, id="three").waited_for == ("n",))
        brief = engine.runtime.call(engine.operations.load_brief("three"))
        reasons = {
            signal_left.signal.name: signal_left.reason
            for signal_left in engine.runtime.call(engine.operations.not_taken(brief))
        }
        assert "does not fit" in reasons["n"]
        assert "integer" in reasons["n"]
        events = engine.runtime.call(engine.operations.history("three"))
        received = [
            event.details for event in events if event.type == "signal-received" and event.details["name"] == "n"
        ]
        assert "does not fit" in str(received[0]["not_taken"])
        engine.signal("n", 7, id="three")
        assert engine.ends(id="three").result == "7"
        with pytest.raises(WrongStatus):
            engine.signal("n", 8, id="three")
    finally:
        engine.runtime.close()


def test_an_execution_takes_so_many_signals_and_no_more(tmp_path: Path) -> None:
    engine = opened(tmp_path, signal_limits=SignalLimits(count=3))
    try:
        engine.start("summing", 4)
        for number in range(3):
            engine.signal("add", {"by": "x"}, f"s{number}")
        with pytest.raises(TooManySignals, match="at most 3 of them"):
            engine.signal("add", {"by": "x"})
        assert engine.signal("add", {"by": "x"}, "s0").created is False
    finally:
        engine.runtime.close()


def seconds_each(path: Path, count: int) -> float:
    engine = opened(path)
    try:
        engine.start("summing", count)
        until(lambda: engine.signal("other", 1).waited_for)
        began = perf_counter()
        for number in range(count):
            engine.signal("add", {"by": "x", "amount": 1}, f"s{number}")
        assert engine.ends().result == str(count)
        return (perf_counter() - began) / count
    finally:
        engine.runtime.close()


@pytest.mark.timing
def test_each_signal_costs_the_same_however_many_there_were(tmp_path: Path) -> None:
    def best(count: int, runs: int) -> float:
        made = [tmp_path / f"{count}-{run}" for run in range(runs)]
        for folder in made:
            folder.mkdir()
        return min(seconds_each(folder, count) for folder in made)

    assert best(1000, 2) < 3 * best(20, 4)
