"""A large value that its store has not read yet: it is read when somebody looks at it, and not before.

Records of a long execution can be looked at, replayed and written again without the values that nobody needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import overload


class StoredText:
    """The JSON text of an input or an output which is still where its store keeps it. It equals its text.

    size: its bytes; None where only reading it tells. digest: the SHA-256 of the text in hex. place: how the store
    names it, so that a record which holds it can be written again as it is.
    """

    __slots__ = ("_ahead", "_read", "digest", "place", "size")

    def __init__(
        self,
        read: Callable[[], str],
        size: int | None,
        digest: str,
        place: object,
        ahead: Callable[[Sequence[StoredText]], None] | None = None,
    ) -> None:
        self._read, self._ahead = read, ahead
        self.size, self.digest, self.place = size, digest, place

    def read(self) -> str:
        """The text. Its store may keep it in memory for a while. Raises Unavailable and Misconfigured."""
        return self._read()

    def read_with(self, others: Sequence[StoredText]) -> str:
        """The text; the others, which are wanted next, are read at the same time where the store can."""
        if self._ahead is not None and others:
            self._ahead([self, *others])
        return self._read()

    def is_text(self, text: str) -> bool:
        """Whether it is exactly this text, which needs no read."""
        return hashlib.sha256(text.encode()).hexdigest() == self.digest

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredText):
            return self.digest == other.digest
        return self.is_text(other) if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<a stored text of {self.size if self.size is not None else 'many'} bytes>"


Text = str | StoredText
"""An input or an output: its JSON text, or where that is stored."""


@overload
def text_of(value: Text) -> str: ...
@overload
def text_of(value: Text | None) -> str | None: ...
def text_of(value: Text | None) -> str | None:
    """The text itself, which is read where it is stored apart."""
    return value.read() if isinstance(value, StoredText) else value


def bytes_of(value: Text | None) -> int:
    """The bytes of the text in UTF-8, without a read where its store tells them."""
    if type(value) is str:
        return len(value) if value.isascii() else len(value.encode())
    if value is None:
        return 0
    if isinstance(value, StoredText) and value.size is not None:
        return value.size
    return len(text_of(value).encode())
