"""An external step on AWS: the function that starts its task dies at any call, before or after it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from stepfast.testing import MotoCloud
from tests.cloud.clients import started
from tests.integrations.aws_account import Account, program, variables, with_network
from tests.integrations.aws_account import account as account
from tests.lanes import SOAK

pytestmark = pytest.mark.slow
CALLS = 50
"""Calls to AWS of an execution whose task answers; a run takes a few more."""


@pytest.mark.parametrize("number", range(2, CALLS, 1 if SOAK else 7))
def test_a_function_that_dies_at_any_call_to_aws_starts_a_task_under_one_token(
    number: int, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = program("external", tmp_path, monkeypatch, with_network("external", account))
    with MotoCloud(page.filming) as cloud:
        cloud.fake(page.price_of, 7)
        cloud.kill_at(number, "before" if number % 2 else "after")
        run = started(cloud, page.filming, "c", "killed")
        cloud.run_until(lambda: account.asked("RunTask"))
        link = variables(account.asked("RunTask")[0])["STEPFAST_LINK"]
        cloud.at(timedelta(minutes=2)).do(lambda: cloud.answer(link, {"location": "s3://c", "seconds": 1}))
        assert cloud.run_until(run).result == "s3://c for 7", cloud.killed
        asked = account.asked("RunTask")
        assert len({call["clientToken"] for call in asked}) == 1, cloud.killed
        assert cloud.killed
