"""How much memory a replay takes, about: enough to bound what a process keeps."""

from __future__ import annotations

from stepfast.model import Record
from stepfast.stored_text import Text

COMMAND_BYTES = 3_000
"""Bytes of a record, its command, and the task and future that wait for it, as measured in a gather on Python 3.11."""
BYTES_PER_CHARACTER = 3
"""Of an input or output: its JSON text, and the value that was decoded from it."""
UNKNOWN_CHARACTERS = 300_000
"""Taken for a value whose store tells its size only to who reads it. Such values are above 16,384 characters."""


def weight(record: Record) -> int:
    """About how many bytes of memory a command with this record takes."""
    input, output = record.input, record.output
    if type(input) is type(output) is str:
        return COMMAND_BYTES + BYTES_PER_CHARACTER * (len(input) + len(output))
    return COMMAND_BYTES + BYTES_PER_CHARACTER * (_characters(input) + _characters(output))


def _characters(text: Text | None) -> int:
    """About how many: what its store keeps counts as if it was read, since the value that was decoded from it stays."""
    if text is None:
        return 0
    return len(text) if isinstance(text, str) else text.size or UNKNOWN_CHARACTERS
