"""The keyring of a database of the embedded home: its key store and its key file."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

from stepfast.backends.key_file import KeyFileMaster
from stepfast.backends.sqlite.data_keys import SqliteDataKeys, keys_path
from stepfast.backends.sqlite.read_only import ReadOnlyFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.deployment.project import Project
from stepfast.engine.data_keys import YOUNG_SECONDS, Keyring, SecondsClock
from stepfast.engine.sealed_reads import SealedReads
from stepfast.engine.sealed_store import SealedStore
from stepfast.errors import Misconfigured, StartupError, StepfastError
from stepfast.local.retention import ROUND_PERIOD_SECONDS
from stepfast.values.encryption import DataKey, KeyId, key_of

log = logging.getLogger(__name__)

HINT = "name its key file by key_file in [tool.stepfast], or by key_file= of stepfast.Embedded"
DATA_KEYS_A_READ = 500
"""Data keys that are looked at at once."""
PAUSE_SECONDS = 0.2
PROJECT = Path("pyproject.toml")


def owner_keyring(
    database: Path,
    clock: SecondsClock,
    key_file: Path | None,
    *,
    encrypts: bool = True,
) -> Keyring:
    """The keyring of the process that owns a database. StartupError if the key file is not in order."""
    if key_file is None:
        return Keyring(clock, hint=HINT)
    master = KeyFileMaster(key_file)
    try:
        master.keys()
    except Misconfigured as error:
        raise StartupError(str(error)) from error
    store = SqliteDataKeys(keys_path(database))
    return Keyring(clock, store, master, encrypts=encrypts, hint=HINT)


def reader_keyring(database: Path, clock: SecondsClock, key_file: Path | None) -> Keyring:
    """The keyring of whoever only reads a database, which may be in use."""
    path = keys_path(database)
    if key_file is None or not path.is_file():
        return Keyring(clock, hint=f"{HINT}, and keep {path} beside the database")
    return Keyring(clock, SqliteDataKeys(path, read_only=True), KeyFileMaster(key_file), encrypts=False, hint=HINT)


def key_file_of(project: Project, root: Path) -> Path | None:
    """The key file of a project, whose pyproject.toml is in this folder. STEPFAST_KEY_FILE wins over the setting."""
    named = os.environ.get("STEPFAST_KEY_FILE", "").strip() or project.key_file
    return None if named is None else root / named


def usable(key_file: Path) -> int:
    """How many keys a key file has, after the first of them has wrapped and opened a data key. Raises Misconfigured."""
    master, probe = KeyFileMaster(key_file), KeyId("stepfast doctor", "0" * 16)
    plain, wrapped = master.make(probe)
    key, same = DataKey(probe, plain), DataKey(probe, master.unwrap(probe, wrapped))
    same.open(key.seal("", "doctor"), "doctor")
    return len(master.keys())


class FileReader(SealedReads[SqliteBackend]):
    """A database that is only read, which may be in use, with the key file that the project or the environment names.

    StartupError where there is no file of ours.
    """

    def __init__(self, path: Path) -> None:
        clock = ReaderClock()
        key_file = key_file_of(Project.read(PROJECT), PROJECT.parent)
        self._backend = SqliteBackend(ReadOnlyFile(path), clock)
        super().__init__(self._backend, reader_keyring(path, clock, key_file))

    def close(self) -> None:
        """Closes the file and the key store."""
        self._backend.close()
        self._ring.close()


class ReaderClock:
    """The wall clock of a program that runs no workflow code."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def destroy_keys(keyring: Keyring, erased: Sequence[tuple[str, str]]) -> None:
    """Destroys the keys of executions that were just deleted. `keep_tidy` goes on with those that fail."""
    store = keyring.store
    ids = [id for execution_id, sent in erased if (id := key_of(execution_id, sent)) is not None]
    keyring.forget(ids)
    if isinstance(store, SqliteDataKeys):
        try:
            store.destroy_now(ids)
        except StepfastError as error:
            log.warning("data keys of deleted executions are not destroyed yet: %s", error)


async def keep_tidy(store: SealedStore[Any], clock: SecondsClock, stopping: Event) -> None:
    """Destroys the keys of executions that are gone, a part of the key store in each round, until `stopping` is set."""
    after = ""
    while not stopping.is_set():
        destroyed = 0
        try:
            while True:
                count, after = await store.tidy_keys(after, DATA_KEYS_A_READ, clock.now() - YOUNG_SECONDS)
                destroyed += count
                if after == "":
                    break
                await asyncio.sleep(PAUSE_SECONDS)
        except StepfastError as error:
            log.warning("data keys of deleted executions are not destroyed: %s; trying again", error)
        if destroyed:
            log.info("%d data key(s) of executions that are gone are destroyed", destroyed)
        await asyncio.sleep(ROUND_PERIOD_SECONDS)
