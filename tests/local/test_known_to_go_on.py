"""What is known of executions that this process has started, so that a wait for their end begins without a read."""

from __future__ import annotations

from dataclasses import replace

from stepfast.local import ends
from stepfast.local.ends import Ends
from stepfast.model import Execution

RUNNING = Execution("one", "vigil", "1", "RUNNING", 0.0)
OVER = replace(RUNNING, status="SUCCEEDED")


def test_a_started_execution_is_known_to_go_on_until_its_end() -> None:
    known = Ends()
    assert not known.goes_on("one")
    known.on_started(RUNNING)
    assert known.goes_on("one")
    known.on_ended(OVER)
    assert not known.goes_on("one")


def test_an_end_that_is_reported_before_its_start_counts() -> None:
    known = Ends()
    known.on_ended(OVER)
    known.on_started(RUNNING)
    assert not known.goes_on("one")


def test_few_executions_are_remembered() -> None:
    known = Ends()
    for number in range(ends.REMEMBERED_EXECUTIONS + 10):
        known.on_started(replace(RUNNING, execution_id=f"e{number}"))
    assert not known.goes_on("e0")
    assert known.goes_on(f"e{ends.REMEMBERED_EXECUTIONS + 9}")
    for number in range(ends.REMEMBERED_EXECUTIONS + 10):
        known.on_ended(replace(OVER, execution_id=f"e{number}"))
    assert len(known._over) == ends.REMEMBERED_EXECUTIONS
    assert not known._going_on
