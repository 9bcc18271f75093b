"""Texts that are encrypted where they are stored: AES-256-SIV under the data key of one execution (rule *encryption*).

An encrypted text is `#1.<name of the data key>.<base64>`. No JSON text begins with `#`, so it is never taken for a
value. The encryption is deterministic (RFC 5297): the same text at the same place is the same ciphertext. A value that
is written again takes no room of its own, and two stored values can be compared without their texts. The place of a
text is authenticated with it: a ciphertext that was moved to another place or another execution does not open.
"""

from __future__ import annotations

import base64
import binascii
from typing import Protocol

from stepfast.errors import Misconfigured
from stepfast.records import dataclass

SEALED_PREFIX = "#1."
DATA_KEY_BYTES = 64
"""AES-256-SIV takes two keys of 256 bits."""
_NAME = 16
_OVERHEAD = 16
"""Bytes of the authentication tag."""
_HEAD = len(SEALED_PREFIX) + _NAME + 1


class Cipher(Protocol):
    """What this module uses of `cryptography`'s AESSIV."""

    def encrypt(self, data: bytes, associated_data: list[bytes | bytearray | memoryview] | None, /) -> bytes: ...
    def decrypt(self, data: bytes, associated_data: list[bytes | bytearray | memoryview] | None, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class KeyId:
    """Names the data key of an execution. name: random, so that an execution of the same id later has another key."""

    execution_id: str
    name: str


class DataKey:
    """The data key of one execution, as it encrypts and opens texts."""

    __slots__ = ("_cipher", "id")

    def __init__(self, id: KeyId, key: bytes) -> None:
        self.id, self._cipher = id, _cipher(key)

    def seal(self, text: str, *place: str) -> str:
        """The text, encrypted for this place."""
        sealed = self._cipher.encrypt(text.encode(), self._bound_to(place))
        return f"{SEALED_PREFIX}{self.id.name}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, *place: str) -> str:
        """The text of an encrypted one. Misconfigured if it was changed, or is from another place."""
        from cryptography.exceptions import InvalidTag

        try:
            data = base64.b64decode(sealed[_HEAD:], validate=True)
            return self._cipher.decrypt(data, self._bound_to(place)).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise Misconfigured(
                f"an encrypted value of execution {self.id.execution_id!r} ({place[0]}) does not open: it was changed "
                "or moved where it is stored, or it belongs to another execution. Restore it from a backup, or delete "
                "the execution; nothing of it runs until then"
            ) from error

    def _bound_to(self, place: tuple[str, ...]) -> list[bytes | bytearray | memoryview]:
        return [b"stepfast 1", self.id.execution_id.encode(), *(part.encode() for part in place)]


def is_sealed(text: str | None) -> bool:
    """Whether a stored text is encrypted."""
    return text is not None and text.startswith(SEALED_PREFIX)


def key_of(execution_id: str, sealed: str | None) -> KeyId | None:
    """The data key that an encrypted text of an execution needs; None for any other text."""
    if sealed is None or not sealed.startswith(SEALED_PREFIX) or sealed[_HEAD - 1 : _HEAD] != ".":
        return None
    return KeyId(execution_id, sealed[len(SEALED_PREFIX) : _HEAD - 1])


def opened_size(stored: int) -> int:
    """The bytes of the text whose ciphertext has this many characters. Padding makes it one or two too many."""
    return max(0, (stored - _HEAD) // 4 * 3 - _OVERHEAD)


def _cipher(key: bytes) -> Cipher:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
    except ImportError as error:
        raise without_cryptography() from error
    return AESSIV(key)


def without_cryptography() -> Misconfigured:
    """What is raised where the package is missing."""
    return Misconfigured("encryption needs the package cryptography: install stepfast[encryption]")
