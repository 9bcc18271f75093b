"""The table behind a SealedStore, with what only this home has: news, partial reads and the memory's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepfast.backends.dynamodb.data_keys import DynamoDataKeys
from stepfast.backends.dynamodb.item_keys import COMMAND, execution_id_of, run_id_of_item, sort_of
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.backends.dynamodb.typed_json import Item, text_in
from stepfast.engine import sealing
from stepfast.engine.data_keys import YOUNG_SECONDS, Keyring
from stepfast.engine.memory import News
from stepfast.engine.ports import Query
from stepfast.engine.sealed_reads import SealedReads, key_id_of
from stepfast.engine.sealed_store import SealedStore
from stepfast.model import Execution, Record, run_of
from stepfast.values.encryption import DataKey, key_of

_TEXTS = ("input", "output", "prog", "repair", "payload")


class SealedDynamoStore(SealedStore[DynamoStore]):
    """What the functions use of a DynamoStore. `table` is that store itself."""

    def __init__(self, table: DynamoStore, keyring: Keyring) -> None:
        super().__init__(table, keyring)
        self._now = keyring.now
        self.table, self.deleting = table, table.deleting
        self.holder, self.hold, self.glance, self.differs = table.holder, table.hold, table.glance, table.differs
        if keyring.store is not None:
            self.deleting.on_child_deleted, self.deleting.on_gone_on = self._destroy_key, self.destroy_keys_of

    async def peek_many(self, run_id: str, command_ids: Sequence[str]) -> tuple[Execution, Sequence[Record]] | None:
        """As of port PartialReads."""
        peeked = await self.table.peek_many(run_id, command_ids)
        key = None if peeked is None else self._keys.of(peeked[0])
        if peeked is None or key is None:
            return peeked
        records = [sealing.open_record(key, record, run_of(run_id)[1]) for record in peeked[1]]
        return sealing.open_execution(key, peeked[0]), records

    async def glimpse(self, execution: Execution, command_ids: Sequence[str]) -> Sequence[Record]:
        """As of port PartialReads: half a read unit for each."""
        records = (await self.table.records.named(execution, command_ids, consistent=False)).values()
        key = self._keys.of(execution) if records else None
        return [record if key is None else sealing.open_record(key, record, execution.run) for record in records]

    async def news(self, images: Sequence[Item]) -> News:
        """As DynamoStore.news. All images are of one execution."""
        news = self.table.news(images)
        if not (news.records or news.signals):
            return news
        key = await self._key_of_images(images)
        if key is None:
            return news
        runs = [run_of(run_id_of_item(image))[1] for image in images if sort_of(image).startswith(COMMAND)]
        return replace(
            news,
            records=[sealing.open_record(key, record, run) for record, run in zip(news.records, runs, strict=True)],
            signals=[sealing.open_signal(key, signal) for signal in news.signals],
        )

    async def _destroy_key(self, execution_id: str, sent: str | None) -> None:
        """Destroys the key of a child that was deleted with its parent."""
        id = key_of(execution_id, sent)
        await self._ring.destroy([] if id is None else [id])

    async def destroy_keys_of(self, execution_id: str) -> None:
        """Destroys the keys of an execution that is gone. `tidy_keys` finds those that a crash leaves."""
        store = self._ring.store
        if isinstance(store, DynamoDataKeys):
            used = {key_id_of(stored) for stored in await self.table.read_many([execution_id])}
            before = self._now() - YOUNG_SECONDS
            old = [entry.id for entry in store.of(execution_id) if entry.made_at < before]
            await self._ring.destroy([id for id in old if id not in used])

    async def _key_of_images(self, images: Sequence[Item]) -> DataKey | None:
        """The data key that the images name. Those without a text of their own are looked up."""
        execution_id = execution_id_of(images[0])
        for image in images:
            for name in _TEXTS:
                id = key_of(execution_id, text_in(image, name) if "S" in image.get(name, {}) else None)
                if id is not None:
                    return self._ring.find(id)
        return await self._keys.look_up(execution_id)


class SealedTable(SealedReads[Any]):
    """A ReadOnlyStore with what is encrypted in it opened."""

    def ids(self, query: Query) -> tuple[list[str], str | None]:
        """As ReadOnlyStore.ids."""
        listed: tuple[list[str], str | None] = self._store.ids(query)
        return listed
