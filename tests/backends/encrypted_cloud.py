"""The AWS backends with encryption: a KMS key and a key table on moto."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stepfast.backends.aws.kms import KmsMaster
from stepfast.backends.dynamodb import data_keys
from stepfast.backends.dynamodb.sealed import SealedDynamoStore
from stepfast.engine.data_keys import Keyring
from stepfast.engine.messages import Message
from stepfast.engine.sealed_parts import SealedQueue, opened_message
from stepfast.values.encryption import DataKey
from tests.backends.cloud import Arrived, Cloud, shared_client

KEY_TABLE = "stepfast-keys"


class EncryptedCloud(Cloud):
    """A table whose values are encrypted, and whose messages are."""

    def _make(self) -> None:
        super()._make()
        shared_client("dynamodb").create_table(**data_keys.definition(KEY_TABLE))
        self.kms_key = shared_client("kms").create_key()["KeyMetadata"]["Arn"]
        self.keyring = self.make_keyring()

    def make_keyring(self, **options: Any) -> Keyring:
        """Another process's keyring."""
        store = data_keys.DynamoDataKeys(shared_client("dynamodb"), KEY_TABLE)
        return Keyring(self.clock, store, KmsMaster(lambda: shared_client("kms"), self.kms_key), **options)

    def make_store(self, dynamodb: Any = None, **settings: Any) -> Any:
        if not isinstance(self.queue, SealedQueue):
            self.queue: Any = SealedQueue(self.queue, self._key_of)
        return SealedDynamoStore(super().make_store(dynamodb, **settings), self.keyring)

    async def _key_of(self, message: Message) -> DataKey | None:
        key: DataKey | None = await self.store.keys.for_write(message.execution_id, message.generation)
        return key

    def _received(self, url: str) -> list[Arrived]:
        return [self._opened(arrived) for arrived in super()._received(url)]

    def _opened(self, arrived: Arrived) -> Arrived:
        message = opened_message(arrived.delivery.message, self.keyring)
        return replace(arrived, delivery=replace(arrived.delivery, message=message))
