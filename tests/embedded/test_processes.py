"""Several processes on one file: one owns it, the others go through it, and take over when it is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


class Worker:
    """A process of the application."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "tests.embedded.worker", str(path)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def send(self, *call: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(call) + "\n")

    def receive(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, *call: Any) -> Any:
        self.send(*call)
        return self.receive()

    @property
    def is_owner(self) -> bool:
        return bool(self.ask("is_owner"))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int], list[Worker]]]:
    workers: list[Worker] = []

    def make(count: int) -> list[Worker]:
        made = [Worker(tmp_path / "app.db") for _ in range(count)]
        workers.extend(made)
        assert [worker.receive() for worker in made] == ["open"] * count
        return made

    yield make
    for worker in workers:
        worker.kill()
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        worker.process.stdin.close()
        worker.process.stdout.close()


def test_the_others_work_through_the_owner_and_take_over_when_it_is_killed(
    start: Callable[[int], list[Worker]], tmp_path: Path
) -> None:
    workers, file = start(3), tmp_path / "notes"
    (owner,) = (worker for worker in workers if worker.is_owner)
    left, right = (worker for worker in workers if worker is not owner)
    assert left.ask("start", "relay", str(file), "r-1") is True
    assert right.ask("start", "relay", str(file), "r-1") is False
    assert left.ask("start_traced", "order", {"item": "tea"}, "traced") is True
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    until(lambda: owner.ask("caller_of", "traced") == traceparent, what="the caller's span to be in the file")
    until(lambda: left.ask("waits", "r-1") == ["signal"], what="the signal to be waited for")
    left.send("result", "r-1")  # it waits while its owner dies
    owner.kill()
    assert right.ask("signal", "r-1", "go", "s-1") == "s-1"
    first, second = left.receive()
    assert first == owner.process.pid
    heirs = [worker for worker in (left, right) if worker.is_owner]
    assert [worker.process.pid for worker in heirs] == [second]
    assert file.read_text().count("first") == 1
    assert right.ask("start", "order", {"item": "tea"}, "o-1") is True
    assert left.ask("result", "o-1") == {"item": "tea", "total": 10}


def test_an_owner_that_is_closed_hands_over_as_well(start: Callable[[int], list[Worker]]) -> None:
    workers = start(2)
    (owner,) = (worker for worker in workers if worker.is_owner)
    (other,) = (worker for worker in workers if worker is not owner)
    assert other.ask("start", "approval", None, "a-1") is True
    assert owner.process.stdin is not None
    owner.process.stdin.close()
    assert owner.process.wait(60) == 0
    until(lambda: other.is_owner, what="the other process to own the file")
    assert other.ask("start", "approval", None, "a-1") is False
