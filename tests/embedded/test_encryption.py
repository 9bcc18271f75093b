"""Encryption with a key file: rotation, missing and wrong keys, and a workflow that waits until its key is back."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from stepfast import Embedded, step, workflow
from stepfast.backends import key_file
from stepfast.backends.key_file import KeyFileMaster
from stepfast.backends.sqlite.data_keys import SqliteDataKeys
from stepfast.cli.recorded_sources import FileSource
from stepfast.client import ExecutionFailed
from stepfast.engine.data_keys import KeyEntry
from stepfast.errors import Misconfigured, StartupError, StepfastError
from stepfast.language.durable import signal
from stepfast.local import work_failures
from stepfast.values.encryption import KeyId

pytestmark = pytest.mark.anyio
SECRET = "a-secret-that-nobody-may-read"


@step
async def greet(name: str) -> str:
    return f"{SECRET} {name}"


@workflow("greeting")
async def greeting(name: str) -> str:
    first = await greet(name)
    word = await signal("word", str)
    if word == "fail":
        raise ValueError(f"{SECRET} {word}")
    return first + word


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    key_file.create(path)
    return path


def engine(tmp_path: Path, keys: Path | None, *, encrypt_new: bool = True) -> Embedded:
    return Embedded(tmp_path / "app.db", [greeting], key_file=keys, grace=0, encrypt_new=encrypt_new)


def stored(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("app.db"))


async def test_the_file_its_log_and_the_key_store_have_no_value(tmp_path: Path, keys: Path) -> None:
    async with engine(tmp_path, keys) as app:
        done = await app.start(greeting, SECRET, execution_id="done")
        await done.signal("word", SECRET)
        assert SECRET in await done.result(timeout=10)
        failed = await app.start(greeting, SECRET, execution_id="failed")
        await failed.signal("word", "fail")
        with pytest.raises(ExecutionFailed, match=SECRET):
            await failed.result(timeout=10)
        assert (await app.list())["executions"][0]["error"]["message"] == f"{SECRET} fail"
        assert SECRET.encode() not in stored(tmp_path)
    assert SECRET.encode() not in stored(tmp_path)


async def test_a_restored_copy_of_a_deleted_execution_cannot_be_opened(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path, keys) as app:
        for id in ("kept", "gone"):
            each = await app.start(greeting, id, execution_id=id)
            await each.signal("word", "!")
            await each.result(timeout=10)
    copy = tmp_path / "backup"
    copy.mkdir()
    shutil.copy(tmp_path / "app.db", copy)
    async with engine(tmp_path, keys) as app:
        await app.execution("gone").delete()
    shutil.copy(copy / "app.db", tmp_path)  # the backup is restored beside today's key store
    monkeypatch.setenv("STEPFAST_KEY_FILE", str(keys))
    source = FileSource(tmp_path / "app.db")
    try:
        # The thread of this test has an event loop, and the source runs its own.
        assert (await asyncio.to_thread(source.load, "kept")).execution.input == '"kept"'
        with pytest.raises(Misconfigured, match="'gone' is not in the key store: the execution was deleted"):
            await asyncio.to_thread(source.load, "gone")
    finally:
        source.close()


async def test_new_executions_use_the_newest_key_and_older_ones_open(tmp_path: Path, keys: Path) -> None:
    async with engine(tmp_path, keys) as app:
        old = await app.start(greeting, "old", execution_id="old")
        newest = key_file.rotate(keys)
        new = await app.start(greeting, "new", execution_id="new")
        for each in (old, new):
            await each.signal("word", "!")
    with sqlite3.connect(tmp_path / "app.db.keys") as db:
        wrapped = dict(db.execute("SELECT execution_id, wrapped FROM data_keys"))
    assert [newest in wrapped[id] for id in ("old", "new")] == [False, True]
    async with engine(tmp_path, keys) as app:
        assert await app.execution("old").result(timeout=10) == f"{SECRET} old!"
        assert await app.execution("new").result(timeout=10) == f"{SECRET} new!"


async def test_an_execution_waits_for_its_key_and_does_not_fail(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(work_failures, "REPAIR_RETRY_SECONDS", 0.05)
    async with engine(tmp_path, keys) as app:
        one = await app.start(greeting, "x", execution_id="one")
        await one.signal("word", "!")
        assert await one.result(timeout=10) == f"{SECRET} x!"
        two = await app.start(greeting, "y", execution_id="two")
    held = keys.read_text()
    keys.unlink()
    key_file.create(keys)  # another key: that of another machine
    async with engine(tmp_path, keys) as app:
        (listed,) = (await app.list(status="RUNNING"))["executions"]
        assert listed["input"].startswith("(encrypted; its data key cannot be had")
        with pytest.raises(StepfastError, match="its log says what to mend"):
            await app.execution("two").signal("word", "!")
        assert "put that key back into the file, below the newer ones" in caplog.text
        lines = [line for line in held.splitlines(keepends=True) if not line.startswith("#")]
        keys.write_text(keys.read_text() + "".join(lines))
        await app.execution("two").signal("word", "!")
        assert await app.execution("two").result(timeout=10) == f"{SECRET} y!"
        assert two.execution_id == "two"


async def test_without_key_file_an_encrypted_execution_waits_and_others_run(tmp_path: Path, keys: Path) -> None:
    async with engine(tmp_path, keys) as app:
        await app.start(greeting, "x", execution_id="one")
    async with engine(tmp_path, None) as app:
        two = await app.start(greeting, "y", execution_id="two")
        await two.signal("word", "!")
        assert await two.result(timeout=10) == f"{SECRET} y!"
        statuses = {each["execution_id"]: each["status"] for each in (await app.list())["executions"]}
        assert statuses == {"one": "RUNNING", "two": "SUCCEEDED"}
    async with engine(tmp_path, keys, encrypt_new=False) as app:
        one = app.execution("one")
        await one.signal("word", "!")
        assert await one.result(timeout=10) == f"{SECRET} x!"


def test_a_key_file_that_is_missing_open_to_others_or_damaged_is_named(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(Misconfigured, match=r"there is no key file .*none.key: put it back"):
        KeyFileMaster(tmp_path / "none.key").keys()
    os.chmod(keys, 0o640)
    with pytest.raises(Misconfigured, match=f"can be read by others: chmod 600 {keys}"):
        KeyFileMaster(keys).keys()
    os.chmod(keys, 0o600)
    keys.write_text(keys.read_text().replace("=\n", "A\n"))
    with pytest.raises(Misconfigured, match="line 3 of the key file .* is no key: bring the line back"):
        KeyFileMaster(keys).keys()
    with pytest.raises(FileExistsError):
        key_file.create(keys)


def test_a_wrapped_key_opens_only_for_its_execution(keys: Path) -> None:
    master = KeyFileMaster(keys)
    plain, wrapped = master.make(KeyId("one", "a" * 16))
    assert master.unwrap(KeyId("one", "a" * 16), wrapped) == plain
    for other in (KeyId("two", "a" * 16), KeyId("one", "b" * 16)):
        with pytest.raises(Misconfigured, match="the key store was changed, or the key was"):
            master.unwrap(other, wrapped)


def test_the_key_store_is_private_and_overwrites_what_is_deleted(tmp_path: Path, keys: Path) -> None:
    path = tmp_path / "app.db.keys"
    store, master = SqliteDataKeys(path), KeyFileMaster(keys)

    id = KeyId("one", "a" * 16)
    _, wrapped = master.make(id)
    asyncio.run(store.put(KeyEntry(id, wrapped, 1.0)))
    assert wrapped.encode() in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    asyncio.run(store.destroy([id]))
    assert wrapped.encode() not in path.read_bytes()
    assert store.get(id) is None
    store.close()
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(StartupError, match="is no key store of stepfast"):
        SqliteDataKeys(other)
