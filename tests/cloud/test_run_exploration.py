"""Every AWS call is a place to die, those around the turn to a new run first.

All of them, in every way: `python -m tests.cloud.explore ledger`.
"""

from __future__ import annotations

import pytest

from stepfast.testing import MotoCloud
from tests.cloud.clients import started
from tests.cloud.exploration import WHENS, explore, points
from tests.cloud.run_examples import RUNS
from tests.lanes import SOAK

pytestmark = pytest.mark.slow


def test_dying_around_the_turn_neither_loses_a_signal_nor_takes_it_twice() -> None:
    """In the gate the call that decides, in every way; each night the others as well."""
    example = RUNS["ledger"]
    with MotoCloud(example.workflow) as cloud:
        run = started(cloud, example.workflow, example.input, "explored")
        example.play(cloud, run)
        assert run.result == [7, 1, 2, 4]
        turn = [call.operation for call in cloud.calls].index("TransactWriteItems")
    for kills in points(example) if SOAK else [{turn: when} for when in WHENS]:
        assert explore(example, kills)[0] == (7, [1, 2, 4]), kills
