"""A signal of a long embedded execution takes no more of SQLite than one of a short execution."""

from __future__ import annotations

import asyncio

from bench.growth import MOST_SIGNAL, signals


def test_a_signal_costs_sqlite_no_more_the_more_there_were() -> None:
    few, many = (asyncio.run(signals(number)).instructions for number in (20, 200))
    assert few > 100, "nothing was counted"
    assert many < MOST_SIGNAL * few
