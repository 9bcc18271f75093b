"""What all tests share."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

# Time is no test's matter here: machines are shared. In CI the examples are the same every time, so that
# what lands does not depend on luck; elsewhere they are new each time.
settings.register_profile("stepfast", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("stepfast")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tells how many crash points were explored: tests that explore some record a property of that name."""
    passed = terminalreporter.stats.get("passed", ())
    points = sum(value for one in passed for name, value in one.user_properties if name == "crash points")
    if points:
        terminalreporter.write_line(f"crash points explored: {points}")
