"""Steps that compute in processes of their own, several at a time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from stepfast import step, workflow
from tests.backends.test_sqlite_owner import double_in_a_process

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def test_process_pools_in_steps_of_one_moment_do_not_disturb_each_other(embedded: Any) -> None:
    @step(timeout=60)
    def doubles(number: int) -> int:
        return double_in_a_process(number)

    @workflow("doubling")
    async def doubling() -> int:
        return sum(await asyncio.gather(*(doubles(number) for number in range(12))))

    app = embedded(doubling)
    assert app.run("doubling").result == str(2 * sum(range(12)))
    assert {record.attempt for record in app.records().values()} == {1}


def test_nothing_that_guards_fork_is_imported() -> None:
    """filelock's guard refuses a fork while another thread forks: see findings/filelock-forks.sh."""
    code = "import sys, stepfast.local.runtime, stepfast.local.dev; print('filelock' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
