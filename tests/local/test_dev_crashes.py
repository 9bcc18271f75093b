"""kill -9 of `stepfast dev` wherever it hurts, and restart: it goes on at once from the last recorded step."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.dev_process import Dev
from tests.waiting import until

pytestmark = pytest.mark.slow

WORKFLOWS = """
import asyncio, os, time
from pathlib import Path
from stepfast import Retry, current_step, signal, step, workflow

HERE = Path(os.environ["TRACES"])

def trace(line):
    with open(HERE / "ran.txt", "a") as file:
        file.write(line + "\\n")

@step(timeout=3600)
def first(n: int) -> int:
    trace(f"first {n}")
    return n

@step(timeout=3600)
def gated(n: int) -> int:
    trace(f"gated {n}")
    while not (HERE / "open").exists():
        time.sleep(0.01)
    return n

@step(timeout=3600, at_most_once=True)
def once(n: int) -> int:
    trace(f"once {n}")
    while not (HERE / "open").exists():
        time.sleep(0.01)
    return n

@step(retry=Retry(max_attempts=50, initial=0.05, backoff=1.0, jitter="none"))
def flaky(n: int) -> int:
    trace(f"flaky {n}")
    if not (HERE / "open").exists():
        raise ConnectionError("closed")
    return current_step().attempt

@step
async def quick(n: int) -> int:
    trace(f"quick {n}")
    return n + 1

@workflow("middle")
async def middle(n: int) -> int:
    return await gated(await first(n))

@workflow("retrying")
async def retrying(n: int) -> int:
    return await flaky(await first(n))

@workflow("payment")
async def payment(n: int) -> int:
    return await once(await first(n))

@workflow("sequence")
async def sequence(n: int) -> int:
    for index in range(n):
        await quick(index)
    return n

@workflow("fan")
async def fan(n: int) -> int:
    return sum(await asyncio.gather(*(quick(100_000 + index) for index in range(n))))

@workflow("sleeping")
async def sleeping(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return await signal("go", str)
"""


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "made.py").write_text(WORKFLOWS)
    (tmp_path / "ran.txt").touch()
    made = Dev(tmp_path, TRACES=str(tmp_path))
    yield made
    made.end()
    made.http.close()


def ran(dev: Dev) -> list[str]:
    return (dev.folder / "ran.txt").read_text().splitlines()


def ends(dev: Dev, id: str = "one") -> dict[str, object]:
    ended: dict[str, object] = until(lambda: (shown := dev.show(id))["status"] != "RUNNING" and shown)
    return ended


def more_than(dev: Dev, lines: int) -> None:
    """Waits until so much has run, or nothing is left to run, which is asked at every tenth look: it takes long."""
    looks = itertools.count(1)

    def reached() -> bool:
        if len(ran(dev)) >= lines:
            return True
        return next(looks) % 10 == 0 and "RUNNING" not in {dev.show("one")["status"], dev.show("wide")["status"]}

    until(reached)


def test_killed_in_the_middle_of_a_step(dev: Dev) -> None:
    dev.start()
    assert dev.run("middle", 7).status_code == 201
    until(lambda: dev.status_of("gated") == "RUNNING" and "gated 7" in ran(dev))
    dev.kill()
    (dev.folder / "open").touch()
    dev.start()
    assert (ends(dev)["status"], ends(dev)["result"]) == ("SUCCEEDED", 7)
    assert ran(dev) == ["first 7", "gated 7", "gated 7"]


def test_killed_in_the_middle_of_a_step_that_runs_at_most_once(dev: Dev) -> None:
    dev.start()
    dev.run("payment", 7)
    until(lambda: dev.status_of("once") == "RUNNING" and "once 7" in ran(dev))
    dev.kill()
    (dev.folder / "open").touch()
    dev.start()
    ended = ends(dev)
    assert ended["status"] == "FAILED"
    assert ended["error"]["type"] == "StepInterrupted"  # type: ignore[index]
    assert ran(dev) == ["first 7", "once 7"]
    assert dev.http.post("/v1/executions/one/resume").status_code == 200
    assert ends(dev)["status"] == "SUCCEEDED"


def test_killed_while_retrying(dev: Dev) -> None:
    dev.start()
    dev.run("retrying", 7)
    until(lambda: ran(dev).count("flaky 7") >= 3)
    dev.kill()
    before = ran(dev).count("flaky 7")
    (dev.folder / "open").touch()
    dev.start()
    assert ends(dev)["status"] == "SUCCEEDED"
    assert ran(dev).count("first 7") == 1
    assert ran(dev).count("flaky 7") == before + 1


def test_killed_between_steps_again_and_again(dev: Dev) -> None:
    """No step runs again once the next one has begun, and every step is there once it is over."""
    draw, steps = random.Random(5), 400
    dev.start()
    assert dev.run("sequence", steps).status_code == 201
    assert dev.run("fan", steps, "wide").status_code == 201
    kills = 0
    while {dev.show("one")["status"], dev.show("wide")["status"]} != {"SUCCEEDED"}:
        more_than(dev, len(ran(dev)) + draw.randrange(20, 120))
        dev.kill()
        kills += 1
        dev.start()
    assert kills >= 3
    assert dev.show("one")["result"] == steps
    assert dev.show("wide")["result"] == sum(100_001 + index for index in range(steps))
    numbers = [int(line.split()[1]) for line in ran(dev)]
    sequence = [number for number in numbers if number < 100_000]
    assert sequence == sorted(sequence)
    assert set(sequence) == set(range(steps))
    assert len(sequence) <= steps + kills
    wide = {command["input"]["n"]: command["attempt"] for command in dev.show("wide")["commands"]}
    assert wide.keys() == {number for number in numbers if number >= 100_000}
    assert all(numbers.count(number) <= attempt for number, attempt in wide.items())


def test_killed_while_it_waits_for_a_timer_and_a_signal(dev: Dev) -> None:
    dev.start()
    for number in range(20):
        assert dev.run("sleeping", 0.5, f"e{number}").status_code == 201
    dev.kill()
    dev.start()
    for number in range(20):
        sent = dev.http.post(f"/v1/executions/e{number}/signals/go", json={"payload": "now", "signal_id": "s"})
        assert sent.status_code == 202
    dev.kill()
    dev.start()
    for number in range(20):
        assert ends(dev, f"e{number}")["result"] == "now"


def test_what_a_client_was_told_survives(dev: Dev) -> None:
    dev.start()
    accepted = [f"e{number}" for number in range(50) if dev.run("sequence", 1, f"e{number}").status_code == 201]
    dev.kill()
    dev.start()
    assert len(accepted) == 50
    assert {ends(dev, id)["status"] for id in accepted} == {"SUCCEEDED"}
