"""The MasterKey of a deployment: data keys are made and opened by AWS KMS, each bound to its execution."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from stepfast.backends.aws.errors import code_of, translated
from stepfast.errors import Misconfigured
from stepfast.values.encryption import DATA_KEY_BYTES, KeyId

CONTEXT = "stepfast:execution"
"""The encryption context has the execution's id under this name; CloudTrail shows it, and grants can name it."""
_WRONG = {"InvalidCiphertextException", "IncorrectKeyException", "InvalidKeyUsageException"}


class KmsMaster:
    """Wraps by a KMS key. client: makes a KMS client at the first use. key: its ARN, or the ARN or name of an alias."""

    def __init__(self, client: Callable[[], Any], key: str) -> None:
        self._client, self._key = client, key

    def make(self, id: KeyId) -> tuple[bytes, str]:
        with self._translated():
            answer = self._client().generate_data_key(
                KeyId=self._key, NumberOfBytes=DATA_KEY_BYTES, EncryptionContext=_context(id)
            )
        return answer["Plaintext"], f"kms:{base64.b64encode(answer['CiphertextBlob']).decode()}"

    def unwrap(self, id: KeyId, wrapped: str) -> bytes:
        kind, _, held = wrapped.partition(":")
        if kind != "kms":
            raise Misconfigured(f"the data key of execution {id.execution_id!r} was not wrapped by KMS ({kind})")
        with self._translated():
            try:
                # Without a KeyId: a key that was replaced by another still opens what it has wrapped, as long as the
                # role may use it. Which keys open anything at all is decided by the role.
                answer = self._client().decrypt(CiphertextBlob=base64.b64decode(held), EncryptionContext=_context(id))
            except ClientError as error:
                if code_of(error) not in _WRONG:
                    raise
                raise Misconfigured(
                    f"KMS does not open the data key of execution {id.execution_id!r} ({code_of(error)}): it was "
                    "changed, or is of another execution or deployment"
                ) from error
        return bytes(answer["Plaintext"])

    def _translated(self) -> Any:
        check = "see that the key is enabled, in this region, and that its policy lets this role use it (kms_key)"
        return translated(f"the KMS key {self._key!r}", check)


def _context(id: KeyId) -> dict[str, str]:
    return {CONTEXT: id.execution_id, "stepfast:key": id.name}
