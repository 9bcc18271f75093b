"""The backends of the contract tests with encryption: every value that they store is encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stepfast.backends import key_file
from stepfast.backends.key_file import KeyFileMaster
from stepfast.backends.sqlite.data_keys import SqliteDataKeys, keys_path
from stepfast.engine.data_keys import Keyring
from stepfast.engine.sealed_store import SealedStore
from tests.contract.conftest import Embedded


class QuickDataKeys(SqliteDataKeys):
    """A key store that does not wait for the disk: no test here takes the power away."""

    synchronous = "OFF"


def keyring_on(path: Path, clock: Any, **options: Any) -> Keyring:
    """The keyring of a file, with a key file that is made if it is missing."""
    keys = path.with_name("test.key")
    if not keys.exists():
        key_file.create(keys)
    return Keyring(clock, QuickDataKeys(keys_path(path)), KeyFileMaster(keys), **options)


class EncryptedEmbedded(Embedded):
    """The SQLite file with a key file and a key store."""

    def open(self) -> None:
        super().open()
        self.keyring = keyring_on(self.path, self.clock)
        self.store: Any = SealedStore(self.ports, self.keyring)

    def reopen(self) -> None:
        self.keyring.close()
        super().reopen()
