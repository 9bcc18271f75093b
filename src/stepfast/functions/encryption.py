"""The keyring of a deployment: data keys in a table of their own, wrapped by KMS. Without a kms_key, an empty one."""

from __future__ import annotations

from stepfast.deployment.settings import Settings
from stepfast.engine.data_keys import Keyring, SecondsClock
from stepfast.functions.clients import Clients

HINT = "set kms_key in [tool.stepfast] and deploy"


def keyring_of(settings: Settings, clients: Clients, clock: SecondsClock) -> Keyring:
    """Imports what encrypts only where it is needed, which a cold start pays for."""
    if not (settings.kms_key and settings.key_table):
        return Keyring(clock, hint=HINT)
    from stepfast.backends.aws.kms import KmsMaster
    from stepfast.backends.dynamodb.data_keys import DynamoDataKeys

    store = DynamoDataKeys(clients.dynamodb, settings.key_table)
    return Keyring(
        clock, store, KmsMaster(lambda: clients.kms, settings.kms_key), encrypts=settings.encrypt_new, hint=HINT
    )


def reading_keyring(clients: Clients, clock: SecondsClock, table: str) -> Keyring:
    """The keyring of whoever reads the table of a deployment with AWS credentials. table: of the data keys, or ""."""
    if not table.strip():
        return Keyring(clock, hint="set STEPFAST_KEY_TABLE to the stack's output KeyTableName")
    from stepfast.backends.aws.kms import KmsMaster
    from stepfast.backends.dynamodb.data_keys import DynamoDataKeys

    store = DynamoDataKeys(clients.dynamodb, table.strip())
    return Keyring(clock, store, KmsMaster(lambda: clients.kms, ""), encrypts=False)
