"""kill -9 of an encrypted `stepfast dev` while data keys are made and destroyed, and while the key file is rotated."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from stepfast.backends import key_file
from stepfast.backends.key_file import KeyFileMaster
from stepfast.backends.sqlite.data_keys import SqliteDataKeys, keys_path
from stepfast.testing.memory import finished
from tests.local.dev_process import STEPFAST, Dev
from tests.waiting import until

pytestmark = pytest.mark.slow
SECRET = "a-secret-that-nobody-may-read"
ROUNDS = (0.02, 0.05, 0.1, 0.2)
"""Seconds after which a round of starts and deletions is interrupted by a kill."""

WORKFLOWS = """
from stepfast import child, step, workflow

@step
async def say(text: str) -> str:
    return text

@workflow("below")
async def below(text: str) -> str:
    return await say(text)

@workflow("above")
async def above(text: str) -> str:
    return await say(text) + await child(below, text)
"""


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "made.py").write_text(WORKFLOWS)
    key_file.create(tmp_path / "master.key")
    made = Dev(tmp_path, STEPFAST_KEY_FILE=str(tmp_path / "master.key"))
    yield made
    made.end()
    made.http.close()


def busy(dev: Dev, round: int, started: list[str], deleted: set[str], stopping: threading.Event) -> None:
    """Starts one after the other, and deletes every second one once it has ended, until the server is gone."""
    with suppress(httpx.TransportError), httpx.Client(base_url=dev.http.base_url, timeout=30) as http:
        for number in range(1000):
            if stopping.is_set():
                return
            id = f"r{round}-{number}"
            body = {"input": SECRET, "execution_id": id}
            assert http.post("/v1/workflows/above/executions", json=body).status_code == 201
            started.append(id)
            if number % 2 and http.delete(f"/v1/executions/{started[-2]}").status_code == 200:
                deleted.add(started[-2])


def keys_in(dev: Dev) -> set[str]:
    store = SqliteDataKeys(keys_path(dev.folder / "dev.db"), read_only=True)
    try:
        entries, _ = finished(store.page("", 100_000))
    finally:
        store.close()
    return {entry.id.execution_id for entry in entries}


def test_keys_survive_with_their_executions_and_go_with_them(dev: Dev) -> None:
    started: list[str] = []
    deleted: set[str] = set()
    for round, seconds in enumerate(ROUNDS):
        dev.start()
        stopping = threading.Event()
        load = threading.Thread(target=busy, args=(dev, round, started, deleted, stopping))
        load.start()
        rotating = subprocess.Popen(
            [STEPFAST, "key-file", "rotate", "master.key"], cwd=dev.folder, stdout=subprocess.DEVNULL
        )
        until(lambda round=round: any(id.startswith(f"r{round}-") for id in started) or None)  # type: ignore[misc]
        time.sleep(seconds)
        dev.kill()
        if round % 2:
            rotating.kill()  # in the middle of writing the key file, perhaps
        rotating.wait()
        stopping.set()
        load.join()
        assert KeyFileMaster(dev.folder / "master.key").keys(), "the key file is whole"
    dev.start()
    for id in started:
        if id not in deleted:
            until(lambda id=id: _ended_or_gone(dev, id))  # type: ignore[misc]
    listed = {
        one["execution_id"]: one for one in dev.http.get("/v1/executions", params={"limit": 1000}).json()["executions"]
    }
    assert not deleted & listed.keys()
    there = [id for id in started if id in listed]
    assert len(there) > len(ROUNDS)
    for id in there:
        shown = dev.show(id)
        assert (shown["status"], shown["result"]) == ("SUCCEEDED", SECRET * 2)
    keys = keys_in(dev)
    assert set(there) <= keys
    assert not keys & deleted, "whoever is told that an execution is deleted knows its key to be gone"
    assert not [key for key in keys if key.partition(".")[0] in deleted], "so are the keys of its children"
    dev.kill()
    for path in dev.folder.glob("dev.db*"):
        assert SECRET.encode() not in path.read_bytes(), path


def _ended_or_gone(dev: Dev, id: str) -> bool:
    answer = dev.http.get(f"/v1/executions/{id}")
    return answer.status_code == 404 or answer.json()["status"] == "SUCCEEDED"
