"""`stepfast verify` as users run it: on the file of a running `stepfast dev`, with code not yet deployed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.dev_process import STEPFAST, Dev
from tests.waiting import until

pytestmark = pytest.mark.slow

CODE = """
from stepfast import Retry, signal, step, workflow

@step(retry=Retry(max_attempts=1))
async def pay(amount: int) -> int:
    if amount < 0:
        raise ValueError("nothing to pay")
    return amount

@workflow("paying")
async def paying(amount: int) -> str:
    paid = await pay(amount)
    if paid > 10:
        await signal("approved")
    return f"paid {paid}"
"""


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    for folder, code in (
        ("workflows", CODE),
        ("broken", CODE.replace("await pay(amount)", "await pay(amount + 1)")),
        ("mended", CODE.replace("await pay(amount)", "await pay(amount) if amount > 0 else 0")),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "paying.py").write_text(code)
    made = Dev(tmp_path)
    yield made
    made.end()
    made.http.close()


def verify(dev: Dev, *options: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [STEPFAST, "verify", "--db", "dev.db", *options], cwd=dev.folder, capture_output=True, text=True, timeout=60
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_changed_code_is_checked_against_the_file_of_a_running_server(dev: Dev) -> None:
    dev.start()
    for id, amount in (("small", 1), ("large", 100), ("wrong", -1)):
        assert dev.run("paying", amount, id).status_code == 201
    until(lambda: (dev.show("small")["status"], dev.show("wrong")["status"]) == ("SUCCEEDED", "FAILED"))
    until(lambda: dev.status_of("signal:approved", "large"))

    assert verify(dev, "--all") == (0, ["3 executions: 3 reproduced"])
    assert verify(dev, "large", "small") == (0, ["2 executions: 2 reproduced"])
    assert verify(dev, "--all", "--workflows", "mended") == (
        0,
        ["3 executions: 2 reproduced, 1 failed and will no longer: resume them"],
    )

    status, lines = verify(dev, "--all", "--workflows", "broken")
    assert status == 1
    assert lines == [
        f"{id}  paying  {status}: NonDeterministic: 'pay' was recorded with the input "
        f'{{"amount":{amount}}}; the code now asks for it with {{"amount":{amount + 1}}}'
        for id, amount, status in (("wrong", -1, "FAILED"), ("large", 100, "RUNNING"), ("small", 1, "SUCCEEDED"))
    ] + ["3 executions: 0 reproduced, 3 not reproduced"]

    status, lines = verify(dev, "--all", "--status", "running", "--workflows", "broken", "--json")
    told = json.loads("\n".join(lines))
    assert (status, told["executions"], told["differs"]) == (1, 1, 1)
    assert [(one["execution_id"], one["status"]) for one in told["problems"]] == [("large", "RUNNING")]

    dev.http.post("/v1/executions/large/signals/approved", json={})
    until(lambda: dev.show("large")["status"] == "SUCCEEDED")
    dev.kill()
    assert verify(dev, "--all") == (0, ["3 executions: 3 reproduced"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name the executions: IDs, or --all"),
        (("one", "--all"), "name the executions: IDs, or --all"),
        (("one", "--status", "FAILED"), "--status needs --all"),
        (
            ("--all", "--status", "LOST"),
            "--status must be one of RUNNING, PAUSED, SUCCEEDED, FAILED, CLOSED, CANCELLED, not LOST",
        ),
        (("--all",), "there is no file dev.db"),
        (("--all", "--workflows", "nowhere"), "no workflows folder at nowhere"),
    ],
)
def test_what_cannot_be_verified_is_one_line_and_exit_2(dev: Dev, options: tuple[str, ...], said: str) -> None:
    status, (line,) = verify(dev, *options)
    assert (status, line.startswith("stepfast: ")) == (2, True)
    assert said in line


def test_an_id_that_is_unknown_is_told(dev: Dev) -> None:
    dev.start()
    assert verify(dev, "nobody") == (2, ["stepfast: no execution has the id 'nobody'"])
