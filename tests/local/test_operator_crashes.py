"""kill -9 of `stepfast dev` in the middle of what operators do: a bulk job, a fork, an answer by a link."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from stepfast.link_tokens import PATH, token_in
from tests.local.dev_process import Dev
from tests.waiting import until

pytestmark = pytest.mark.slow
STEPS = 300
CROWD = 60
MOMENTS = (0.0, 0.01, 0.03)
"""Seconds after which a request under way is interrupted by a kill."""

WORKFLOWS = """
import asyncio, os
from datetime import timedelta
from pathlib import Path
from stepfast import Retry, callback, step, workflow

@step
async def quick(n: int) -> int:
    with open(Path(os.environ["TRACES"]) / "ran.txt", "a") as file:
        file.write(f"{n}\\n")
    return n

@step(retry=Retry(max_attempts=1))
async def broken(n: int) -> int:
    raise ValueError(f"{n} is wrong")

@step
async def mailed(url: str) -> str:
    return url

@workflow("failing")
async def failing(n: int) -> int:
    return await broken(n)

@workflow("long")
async def long(n: int) -> int:
    done = await asyncio.gather(*(quick(index) for index in range(n)))
    return await broken(len(done))

@workflow("approving")
async def approving(n: int) -> int:
    async with callback("approved", int, timeout=timedelta(days=1)) as link:
        await mailed(link.url)
        return n + await link.answer()
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


def has(dev: Dev, id: str, status: str) -> dict[str, Any]:
    shown: dict[str, Any] = until(lambda: (found := dev.show(id))["status"] == status and found)
    return shown


def interrupted(dev: Dev, path: str, body: Any, after: float) -> None:
    """Sends a request and kills the server a moment later, then starts it again."""

    def send() -> None:
        with suppress(httpx.TransportError), httpx.Client(base_url=dev.http.base_url) as http:
            http.post(path, json=body)

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(after)
    dev.kill()
    thread.join()
    dev.start()


def test_a_job_goes_on_after_a_kill_and_acts_once(dev: Dev) -> None:
    dev.start()
    ids = [f"e{number:02}" for number in range(CROWD)]
    for number, id in enumerate(ids):
        assert dev.run("failing", number, id).status_code == 201
    for id in ids:
        has(dev, id, "FAILED")
    job = {"job_id": "job", "action": "close", "ids": [*ids, "nobody"], "rate": 25, "why": "a test"}
    assert dev.http.post("/v1/jobs", json=job).status_code == 201
    closed = {"status": "CLOSED", "limit": 1000}
    for some in (5, 25, 45):

        def enough(some: int = some) -> bool:
            return len(dev.http.get("/v1/executions", params=closed).json()["executions"]) >= some

        until(enough)
        dev.kill()
        dev.start()
        assert dev.http.post("/v1/jobs", json=job).status_code == 200
    done = until(lambda: (found := dev.http.get("/v1/jobs/job").json())["status"] == "SUCCEEDED" and found)
    assert (done["done"], done["skipped"], done["failed"]) == (CROWD, 1, 0)
    report = dev.http.get("/v1/jobs/job/report", params={"limit": 1000}).json()["outcomes"]
    assert sorted(each["execution_id"] for each in report) == [*ids, "nobody"]
    for id in ids:
        events = dev.http.get(f"/v1/executions/{id}/history").json()["events"]
        assert [event["type"] for event in events].count("execution-closed") == 1, events


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_fork_is_made_once_or_not_at_all(dev: Dev, moment: float) -> None:
    dev.start()
    assert dev.run("long", STEPS, "origin").status_code == 201
    origin = has(dev, "origin", "FAILED")
    ran = (dev.folder / "ran.txt").read_text()
    path, body = "/v1/executions/origin/fork", {"execution_id": "fork"}
    interrupted(dev, path, body, moment)
    assert dev.http.post(path, json=body).status_code in (200, 201)
    assert dev.http.post(path, json=body).status_code == 200
    fork = has(dev, "fork", "FAILED")
    assert fork["forked_from"]["execution_id"] == "origin"
    assert len(fork["commands"]) == len(origin["commands"])
    assert dev.show("origin")["commands"] == origin["commands"]
    assert (dev.folder / "ran.txt").read_text() == ran  # no step that was taken over runs again


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_answer_by_a_link_counts_once(dev: Dev, moment: float) -> None:
    dev.start()
    assert dev.run("approving", 10, "asked").status_code == 201

    def mailed() -> str | None:
        commands = dev.show("asked")["commands"]
        return next((each["output"] for each in commands if each["name"] == "mailed" and each["output"]), None)

    path = f"{PATH}?token={token_in(until(mailed))}"
    interrupted(dev, path, {"answer": 1}, moment)
    first = dev.http.post(path, json={"answer": 2}).status_code
    assert first in (202, 409)
    result = 12 if first == 202 else 11
    assert has(dev, "asked", "SUCCEEDED")["result"] == result
    assert dev.http.post(path, json={"answer": 3}).status_code == 409
