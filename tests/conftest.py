"""What all tests share."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import is_hypothesis_test, settings

# Time is no test's matter here: machines are shared. In CI the examples are the same every time, so that
# what lands does not depend on luck; elsewhere they are new each time.
settings.register_profile("stepfast", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("stepfast")


PATIENCE = 900
"""Seconds for a test of hypothesis: one that is cut off in an example and repeats it says FlakyFailure, not Timeout."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        test = item.obj if isinstance(item, pytest.Function) else None
        if is_hypothesis_test(test) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(PATIENCE))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tells how many crash points were explored: tests that explore some record a property of that name."""
    passed = terminalreporter.stats.get("passed", ())
    points = sum(value for one in passed for name, value in one.user_properties if name == "crash points")
    if points:
        terminalreporter.write_line(f"crash points explored: {points}")
