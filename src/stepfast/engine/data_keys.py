"""Data keys: one for each encrypted execution, wrapped by a master key, apart from the data (rule *encryption*).

The deletion of an execution deletes its data key, which no backup of the data has.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from stepfast.errors import Misconfigured
from stepfast.records import dataclass
from stepfast.values.encryption import DataKey, KeyId

CACHED_KEYS = 1000
"""Data keys that a process keeps in memory at most."""
KEY_CACHE_SECONDS = 300.0
"""Seconds that a process keeps a data key. After that it asks the key store and the master key again."""
NAME_BYTES = 8
YOUNG_SECONDS = 3600.0
"""The age from which on a key without an execution is destroyed: a start writes the key first."""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A data key as it is stored. made_at: when, in seconds since the epoch."""

    id: KeyId
    wrapped: str
    made_at: float


class DataKeyStore(Protocol):
    """Where wrapped data keys are kept. Every method may raise Unavailable and Misconfigured, as those of the Store."""

    async def put(self, entry: KeyEntry) -> None:
        """Writes a data key. It is durable once this returns."""

    def get(self, id: KeyId) -> str | None:
        """The wrapped key, of a consistent read; None where it is not, or not any more."""

    async def destroy(self, ids: Sequence[KeyId]) -> None:
        """Deletes data keys, as far as they are there. They are gone for good once this returns."""

    async def page(self, after: str, limit: int) -> tuple[Sequence[KeyEntry], str]:
        """Data keys without their texts, in any fixed order, and the position to go on from; "" at both ends."""

    def close(self) -> None:
        """Closes what it has opened."""


class MasterKey(Protocol):
    """Wraps data keys. A wrapped key opens only with the same execution id and name."""

    def make(self, id: KeyId) -> tuple[bytes, str]:
        """A new data key, and the same wrapped. Raises Unavailable and Misconfigured."""

    def unwrap(self, id: KeyId, wrapped: str) -> bytes:
        """The data key. Raises Unavailable and Misconfigured, which says what to do."""


class SecondsClock(Protocol):
    def now(self) -> float: ...


class Keyring:
    """Makes and finds the data keys of executions. Thread-safe.

    store, master: None where no encryption is set up: then an encrypted execution cannot be read, and new ones are not
    encrypted. encrypts: whether new executions are encrypted. hint: where to set encryption up, for the error.
    """

    def __init__(
        self,
        clock: SecondsClock,
        store: DataKeyStore | None = None,
        master: MasterKey | None = None,
        *,
        encrypts: bool = True,
        hint: str = "set key_file (embedded) or kms_key (AWS) in [tool.stepfast]",
    ) -> None:
        self._clock, self.store, self._master, self._hint = clock, store, master, hint
        self.encrypts = encrypts and store is not None and master is not None
        self._kept: OrderedDict[KeyId, tuple[float, DataKey]] = OrderedDict()
        self._lock = threading.Lock()

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return self._clock.now()

    async def make(self, execution_id: str) -> DataKey:
        """A new data key, which is in the key store once this returns."""
        store, master = self._set_up(execution_id)
        id = KeyId(execution_id, secrets.token_hex(NAME_BYTES))
        plain, wrapped = master.make(id)
        await store.put(KeyEntry(id, wrapped, self._clock.now()))
        return self._keep(DataKey(id, plain))

    def find(self, id: KeyId) -> DataKey:
        """The data key of this name. Misconfigured where it cannot be had, with the reason and what to do."""
        key = self.seek(id)
        if key is None:
            raise Misconfigured(
                f"the data key of execution {id.execution_id!r} is not in the key store: the execution was deleted and "
                "this is a copy of its data, or the key store was lost or is another deployment's. Its values "
                "cannot be read without it. Bring the key store back, or delete the execution"
            )
        return key

    def seek(self, id: KeyId) -> DataKey | None:
        """The same; None where the key store does not have it, or not any more."""
        with self._lock:
            until, key = self._kept.get(id, (0.0, None))
            if key is not None and until > self._clock.now():
                self._kept.move_to_end(id)
                return key
        store, master = self._set_up(id.execution_id)
        wrapped = store.get(id)
        return None if wrapped is None else self._keep(DataKey(id, master.unwrap(id, wrapped)))

    async def destroy(self, ids: Sequence[KeyId]) -> None:
        """Deletes data keys: what they encrypt can never be read again, in no copy of it."""
        self.forget(ids)
        if self.store is not None and ids:
            await self.store.destroy(ids)

    def close(self) -> None:
        """Closes the key store."""
        if self.store is not None:
            self.store.close()

    def _set_up(self, execution_id: str) -> tuple[DataKeyStore, MasterKey]:
        if self.store is None or self._master is None:
            raise Misconfigured(f"execution {execution_id!r} is encrypted, and no key is set up here: {self._hint}")
        return self.store, self._master

    def _keep(self, key: DataKey) -> DataKey:
        with self._lock:
            self._kept[key.id] = self._clock.now() + KEY_CACHE_SECONDS, key
            self._kept.move_to_end(key.id)
            while len(self._kept) > CACHED_KEYS:
                self._kept.popitem(last=False)
        return key

    def forget(self, ids: Sequence[KeyId]) -> None:
        """Drops keys from this process's memory."""
        with self._lock:
            for id in ids:
                self._kept.pop(id, None)
