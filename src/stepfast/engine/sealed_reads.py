"""What a store reads, with encrypted texts opened (rule *encryption*). It passes on all that is in the clear."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from stepfast.engine import sealing
from stepfast.engine.data_keys import Keyring
from stepfast.engine.deltas import Delta
from stepfast.engine.ports import Page, Query, Store
from stepfast.engine.record_reader import RecordPage, RecordQuery, RecordReader
from stepfast.errors import Misconfigured, Unavailable
from stepfast.model import Event, Execution, Record, Signal, Snapshot, run_of
from stepfast.values.encryption import DATA_KEY_BYTES, DataKey, KeyId, key_of

log = logging.getLogger(__name__)

REMEMBERED = 20_000
"""Executions of which a process remembers which data key they have, or that they have none."""
S = TypeVar("S", bound=Store)


def key_id_of(execution: Execution) -> KeyId | None:
    """The data key of an execution as it is stored; None for one in the clear."""
    return key_of(execution.execution_id, execution.sent)


class KeyFinder:
    """Knows which data key an execution has. Thread-safe.

    An entry counts up to the generation that it was seen in: an execution that takes the id of a deleted one
    has a later one, and is looked up then.
    """

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store, self.ring = store, keyring
        self._seen: OrderedDict[str, tuple[int, KeyId | None]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, stored: Execution) -> DataKey | None:
        """The data key of an execution as it is stored. Misconfigured where it cannot be had."""
        id = key_id_of(stored)
        if self.ring.store is not None:
            self._remember(stored.execution_id, stored.generation, id)
        return None if id is None else self.ring.find(id)

    async def for_write(self, execution_id: str, generation: int) -> DataKey | None:
        """The data key for a write of an execution in this generation."""
        if self.ring.store is None:
            return None  # As in `look_up`.
        with self._lock:
            seen = self._seen.get(execution_id)
        if seen is None or seen[0] < generation:
            return await self.look_up(execution_id)
        id = seen[1]
        if id is None or (key := self.ring.seek(id)) is not None:
            return None if id is None else key
        if any(key_id_of(stored) == id for stored in await self._store.read_many([execution_id])):
            return self.ring.find(id)  # raises, and says why
        # The execution was deleted meanwhile, so the store will refuse the write: under whatever key.
        return DataKey(id, secrets.token_bytes(DATA_KEY_BYTES))

    async def look_up(self, execution_id: str) -> DataKey | None:
        """The data key of an execution, as its item says now; None where there is no such execution."""
        if self.ring.store is None:
            return None  # Nothing is encrypted here, and reading one that is raises Misconfigured.
        for stored in await self._store.read_many([execution_id]):
            return self.of(stored)
        return None

    def has(self, execution_id: str, generation: int, key: DataKey | None) -> None:
        """Remembers the key of an execution that was just written."""
        self._remember(execution_id, generation, None if key is None else key.id)

    def _remember(self, execution_id: str, generation: int, id: KeyId | None) -> None:
        with self._lock:
            seen = self._seen.get(execution_id)
            if seen is None or seen[0] <= generation:
                self._seen[execution_id] = generation, id
                self._seen.move_to_end(execution_id)
                if len(self._seen) > REMEMBERED:
                    self._seen.popitem(last=False)

    def opened(self, stored: Execution) -> Execution:
        key = self.of(stored)
        return stored if key is None else sealing.open_execution(key, stored)

    def listed(self, stored: Execution) -> Execution:
        """The same for a list, which an execution whose key cannot be had must not spoil."""
        if key_id_of(stored) is None:
            return stored
        try:
            return self.opened(stored)
        except (Unavailable, Misconfigured) as error:
            log.warning("execution %s is listed without its values: %s", stored.execution_id, error)
            return sealing.veiled(stored)

    def snapshot(self, stored: Snapshot) -> Snapshot:
        execution = stored.execution
        key = self.of(execution)
        if key is None:
            return stored
        records = {id: sealing.open_record(key, record, execution.run) for id, record in stored.records.items()}
        return replace(
            stored,
            execution=sealing.open_execution(key, execution),
            records=records,
            signals=tuple(sealing.open_signal(key, signal) for signal in stored.signals),
        )


class SealedReads(Generic[S]):
    """The reading half of SealedStore."""

    def __init__(self, store: S, keyring: Keyring) -> None:
        self._store, self._ring = store, keyring
        self._keys = KeyFinder(store, keyring)
        self.reader: RecordReader = _SealedReader(store.reader, self._keys)
        # Reads that return no value go to the store itself.
        self.entries, self.faults, self.figures, self.idle = store.entries, store.faults, store.figures, store.idle

    async def read(self, execution_id: str) -> Execution | None:
        stored = await self._store.read(execution_id)
        return None if stored is None else self._keys.opened(stored)

    async def read_many(self, execution_ids: Sequence[str]) -> list[Execution]:
        """An execution whose key cannot be had has a note in the place of what is encrypted."""
        return [self._keys.listed(stored) for stored in await self._store.read_many(execution_ids)]

    async def load(self, execution_id: str, *, signals: bool = True) -> Snapshot | None:
        stored = await self._store.load(execution_id, signals=signals)
        return None if stored is None else self._keys.snapshot(stored)

    async def changes(self, execution_id: str, mark: int | None = None) -> Delta | None:
        """As of port Deltas, if the store has it."""
        store: Any = self._store
        delta: Delta | None = await store.changes(execution_id, mark)
        return None if delta is None else Delta(self._keys.snapshot(delta.snapshot), delta.mark)

    async def signals(self, run_id: str, after: int = 0, *, payloads: bool = True) -> Sequence[Signal]:
        stored = await self._store.signals(run_id, after, payloads=payloads)
        return await self._signals(run_of(run_id)[0], stored)

    async def _signals(self, execution_id: str, stored: Sequence[Signal]) -> Sequence[Signal]:
        names = {id for signal in stored if (id := key_of(execution_id, signal.payload)) is not None}
        keys = {id: self._ring.find(id) for id in names}
        if not keys:
            return stored
        return [
            signal if (id := key_of(execution_id, signal.payload)) is None else sealing.open_signal(keys[id], signal)
            for signal in stored
        ]

    async def signal(self, execution_id: str, signal_id: str) -> Signal | None:
        stored = await self._store.signal(execution_id, signal_id)
        return None if stored is None else (await self._signals(execution_id, [stored]))[0]

    async def peek(self, run_id: str, command_id: str) -> tuple[Execution, Record | None] | None:
        peeked = await self._store.peek(run_id, command_id)
        if peeked is None:
            return None
        stored, record = peeked
        if stored.sent is None and self._ring.store is None:
            return peeked  # in the clear, and nobody remembers that
        key = self._keys.of(stored)
        if key is None:
            return peeked
        opened = None if record is None else sealing.open_record(key, record, run_of(run_id)[1])
        return sealing.open_execution(key, stored), opened

    async def history(self, run_id: str) -> list[Event]:
        return self._events(run_of(run_id)[0], await self._store.history(run_id))

    def _events(self, execution_id: str, stored: Iterable[Event]) -> list[Event]:
        events = []
        for event in stored:
            sealed = event.details.get(sealing.SEALED)
            id = key_of(execution_id, sealed) if isinstance(sealed, str) else None
            events.append(event if id is None else sealing.open_event(self._ring.find(id), event))
        return events

    async def runs(self, execution_id: str, limit: int, before: int | None = None) -> Sequence[Execution]:
        return [self._keys.opened(stored) for stored in await self._store.runs(execution_id, limit, before)]

    async def load_run(self, execution_id: str, run: int) -> Snapshot | None:
        stored = await self._store.load_run(execution_id, run)
        return None if stored is None else self._keys.snapshot(stored)

    async def run_history(self, execution_id: str, run: int) -> list[Event]:
        return self._events(execution_id, await self._store.run_history(execution_id, run))

    async def page(self, query: Query) -> Page:
        stored = await self._store.page(query)
        return Page(tuple(map(self._keys.listed, stored.executions)), stored.next)


class _SealedReader:
    """The RecordReader of a SealedStore."""

    def __init__(self, reader: RecordReader, keys: KeyFinder) -> None:
        self._reader, self._keys = reader, keys
        self.is_longer, self.last_entries = reader.is_longer, reader.last_entries

    async def page(self, execution: Execution, query: RecordQuery) -> RecordPage:
        stored = await self._reader.page(execution, query)
        return replace(stored, records=tuple(await self._opened(execution, stored.records)))

    async def named(self, execution: Execution, ids: Sequence[str]) -> Mapping[str, Record]:
        stored = await self._reader.named(execution, ids)
        return dict(zip(stored, await self._opened(execution, list(stored.values())), strict=True))

    async def _opened(self, execution: Execution, records: Sequence[Record]) -> Sequence[Record]:
        if not records:
            return records
        key = await self._keys.for_write(execution.execution_id, execution.generation)
        return records if key is None else [sealing.open_record(key, record, execution.run) for record in records]
