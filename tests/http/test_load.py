"""Many connections at a time, at a real `stepfast dev`; what is bounded is a ratio within one run."""

from __future__ import annotations

import sys

import pytest

from bench.connections import Load, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="a process may not open as many sockets there"),
]


def test_reads_are_answered_beside_2000_idle_and_500_busy_connections() -> None:
    figures = run(Load(reads=200))
    assert figures.still_open == 2000
    assert figures.failed == 0
    assert figures.answered > 100


@pytest.mark.timing
def test_reads_take_little_longer_beside_2000_idle_and_500_busy_connections() -> None:
    assert run(Load(reads=200)).ratio < 10
