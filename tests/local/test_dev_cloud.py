"""`stepfast dev --cloud moto` as a real process: what it serves, to whom, how it ends, what it refuses."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast import Client
from stepfast.client import ExecutionFailed, NotAllowed
from stepfast.engine.attempt import SKEW
from tests.local.dev_process import Dev
from tests.waiting import until

pytestmark = pytest.mark.slow

WORKFLOW = """
import asyncio
import time
from pathlib import Path

from stepfast import Retry, signal, step, workflow

@step
def work(n: int) -> int:
    with open("runs", "a") as runs:
        print(n, file=runs)
    return n

@step(retry=Retry(max_attempts=2, initial=0.01, jitter="none"))
async def deliver(n: int) -> int:
    if not Path("mended").exists():
        raise ConnectionError("away")
    return n

@step(pool="slow")
def long(name: str) -> None:
    Path("began").touch()
    while not Path(name).exists():
        time.sleep(0.01)

@step
def size(text: str) -> int:
    return len(text)

@workflow("everything")
async def everything(n: int) -> int:
    done = await asyncio.gather(*(work(one) for one in range(n)))
    await asyncio.sleep(1)
    return sum(done) + await signal("more", int)

@workflow("delivery")
async def delivery(n: int) -> int:
    return await deliver(await work(n))

@workflow("lasting")
async def lasting(name: str) -> None:
    await long(name)

@workflow("measure")
async def measure(text: str) -> int:
    return await size(text)
"""
PROJECT = "[tool.stepfast.pools.slow]\nmax_concurrency = 2\n"


class CloudDev(Dev):
    runtime = ("--cloud", "moto")

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    def lines(self, count: int) -> list[str]:
        """The next lines that it prints, after the one that says it is ready."""
        assert self.process is not None
        assert self.process.stdout is not None
        return [self.process.stdout.readline() for _ in range(count)]


def made(folder: Path) -> CloudDev:
    (folder / "workflows").mkdir()
    (folder / "workflows" / "made.py").write_text(WORKFLOW)
    (folder / "pyproject.toml").write_text(PROJECT)
    return CloudDev(folder)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[CloudDev]:
    cloud_dev = made(tmp_path)
    yield cloud_dev
    cloud_dev.end()
    cloud_dev.http.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudDev]:
    """One server that several tests share."""
    cloud_dev = made(tmp_path_factory.mktemp("cloud"))
    cloud_dev.start()
    assert cloud_dev.ready, cloud_dev.end()[1]
    yield cloud_dev
    cloud_dev.end()
    cloud_dev.http.close()


@pytest.fixture
def client(running: CloudDev) -> Iterator[Client]:
    with Client(running.url) as made:
        yield made


def queue(dev: CloudDev, name: str) -> Any:
    return dev.http.get("/_cloud").json()["queues"][name]


def refused(dev: CloudDev, *options: str) -> str:
    dev.start(*options)
    assert dev.ready == ""
    status, errors = dev.end()
    assert status == 2
    assert len(errors.strip().splitlines()) == 1, errors
    return errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_what_it_is_and_ends_cleanly_also_while_a_step_runs(dev: CloudDev, number: signal.Signals) -> None:
    dev.start()
    assert dev.ready.startswith("stepfast is ready at http://127.0.0.1:")
    assert "everything" in dev.ready
    printed = "".join(dev.lines(3))
    assert "in memory, and gone when it ends" in printed
    assert dev.http.get("/v1/health").json()["status"] == "ok"
    dev.run("lasting", "never")
    until(lambda: (dev.folder / "began").exists())
    status, errors = dev.end(number)
    assert (status, "Traceback" in errors) == (0, False), errors


def test_steps_timers_and_signals_run_through_the_functions(running: CloudDev, client: Client) -> None:
    execution = client.run("everything", 4, "all")
    execution.signal("more", 100)
    assert execution.result(60) == 106
    types = [event["type"] for event in execution.history()]
    assert types.count("attempt-started") == 4
    assert "timer-succeeded" in types


def test_large_values_go_through_the_bucket(client: Client) -> None:
    assert client.run("measure", "x" * 900_000).result(60) == 900_000


def test_the_api_answers_while_a_step_runs(running: CloudDev, client: Client) -> None:
    execution = client.run("lasting", "asked")
    until(lambda: execution.describe()["commands"][0]["status"] == "RUNNING")
    assert client.run("measure", "abc").result(30) == 3
    assert execution.status() == "RUNNING"
    (running.folder / "asked").touch()
    assert execution.result(30) is None


def test_a_failure_becomes_a_dead_letter_and_its_redrive_resumes_it(running: CloudDev, client: Client) -> None:
    execution = client.run("delivery", 7, "seven")
    with pytest.raises(ExecutionFailed, match="away"):
        execution.result(60)
    until(lambda: queue(running, "stepfast-dead-letters")["visible"] == 1, 60)
    (running.folder / "mended").touch()
    ended = datetime.fromisoformat(execution.describe()["ended_at"])
    # A redrive within the clocks' skew would pass for the failure's own message.
    until(lambda: datetime.now(UTC) > ended + timedelta(seconds=SKEW + 0.5))
    answer = running.http.post("/_cloud/redrive")
    assert (answer.status_code, answer.json()["messages"]) == (202, 1)
    until(lambda: execution.status() != "FAILED")
    assert execution.result(60) == 7
    assert (running.folder / "runs").read_text().split().count("7") == 1
    assert execution.describe()["generation"] == 1
    assert queue(running, "stepfast-dead-letters") == {"visible": 0, "in_flight": 0, "delayed": 0}
    assert running.http.get("/_cloud").json()["redrives"][-1] == {"status": "COMPLETED", "moved": 1, "messages": 1}


def test_a_key_that_is_sent_is_the_authorizers_to_judge(running: CloudDev) -> None:
    with Client(running.url, "sf_0123456789abcdef_" + "x" * 43) as stranger, pytest.raises(NotAllowed):
        stranger.list()
    assert running.http.get("/v1/executions", headers={"x-api-key": "wrong"}).status_code == 403


def test_web_pages_from_elsewhere_reach_neither_api_nor_console(running: CloudDev) -> None:
    for headers in ({"origin": "https://example.com"}, {"host": "example.com"}):
        assert running.http.get("/v1/executions", headers=headers).status_code == 403
        assert running.http.post("/_cloud/redrive", headers=headers).status_code == 403


def test_what_the_console_does_not_have_is_told(running: CloudDev) -> None:
    for method, path in (("GET", "/_cloud/redrive"), ("POST", "/_cloud"), ("GET", "/_cloud/more")):
        answer = running.http.request(method, path)
        assert answer.status_code == 404
        assert "POST /_cloud/redrive" in answer.json()["detail"]


def test_a_body_that_lambda_would_not_take_is_refused(running: CloudDev) -> None:
    body = '{"input": "' + "x" * 6_500_000 + '"}'
    headers = {"content-type": "application/json"}
    answer = running.http.post("/v1/workflows/measure/executions", content=body, headers=headers)
    assert answer.status_code == 413


def test_the_key_it_prints_works_and_is_in_no_log(dev: CloudDev) -> None:
    dev.start()
    key = re.search(r"sf_[0-9a-f]{16}_\S+", "".join(dev.lines(3)))
    assert key is not None
    with Client(dev.url, key[0]) as client:
        assert client.run("measure", "a payload").result(30) == 9
    _, errors = dev.end(signal.SIGINT)
    assert "measure" in errors
    assert key[0] not in errors
    assert "a payload" not in errors


def test_with_keys_of_the_environment_everything_wants_one(dev: CloudDev) -> None:
    dev.environment["STEPFAST_API_KEYS"] = "first-key,second-key"
    dev.start()
    assert dev.http.get("/v1/health").status_code == 200
    for path in ("/v1/executions", "/_cloud"):
        assert dev.http.get(path).status_code == 401
        assert dev.http.get(path, headers={"x-api-key": "second-key"}).status_code == 200
        assert dev.http.get(path, headers={"authorization": "Bearer first-key"}).status_code == 200


def test_without_moto_it_says_what_to_install(dev: CloudDev) -> None:
    blocked = dev.folder / "blocked"
    blocked.mkdir()
    (blocked / "moto.py").write_text("raise ModuleNotFoundError(\"No module named 'moto'\", name='moto')\n")
    dev.environment["PYTHONPATH"] = str(blocked)
    assert "pip install 'stepfast[cloud-testing]'" in refused(dev)


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (("--db", "other.db"), "--db is for the embedded runtime"),
        (("--workers", "2"), "--workers is for the embedded runtime"),
        (("--host", "0.0.0.0"), "STEPFAST_API_KEYS"),
        (("--workflows", "nowhere"), "no workflows folder"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(dev: CloudDev, options: tuple[str, ...], refusal: str) -> None:
    assert refusal in refused(dev, *options)


def test_a_pool_that_no_step_names_is_refused(dev: CloudDev) -> None:
    (dev.folder / "pyproject.toml").write_text("[tool.stepfast.pools.other]\nmemory = 512\n")
    assert "pool that no step names" in refused(dev)


def test_a_step_that_no_lambda_could_run_is_refused(dev: CloudDev) -> None:
    text = WORKFLOW.replace('@step(pool="slow")', '@step(pool="slow", timeout=3600)')
    (dev.folder / "workflows" / "made.py").write_text(text)
    assert "Lambda ends a function after 900 s" in refused(dev)


def test_schedules_of_the_settings_start_workflows(dev: CloudDev) -> None:
    at = datetime.now(UTC) + timedelta(seconds=2)
    settings = f'workflow = "measure"\nexpression = "at({at:%Y-%m-%dT%H:%M:%S})"\ninput = "abc"\n'
    (dev.folder / "pyproject.toml").write_text(f"[tool.stepfast.schedules.soon]\n{settings}")
    dev.start()
    with Client(dev.url) as client:
        until(lambda: client.list(prefix="soon-")["executions"], 60)
        (listed,) = client.list(prefix="soon-")["executions"]
        assert client.execution(listed["execution_id"]).result(30) == 3


def test_the_dashboard_is_served(running: CloudDev) -> None:
    answer = running.http.get("/")
    assert answer.status_code in (200, 404)  # which says how to build it
    assert "Content-Security-Policy" in answer.headers
