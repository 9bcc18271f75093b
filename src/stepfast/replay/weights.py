"""How much memory a replay takes, about: enough to bound what a process keeps."""

from __future__ import annotations

from stepfast.model import Record

COMMAND_BYTES = 3_000
"""Bytes of a record, its command, and the task and future that wait for it, as measured in a gather on Python 3.11."""
BYTES_PER_CHARACTER = 3
"""Of an input or output: its JSON text, and the value that was decoded from it."""


def weight(record: Record | None) -> int:
    """About how many bytes of memory a command with this record takes; 0 without a record."""
    if record is None:
        return 0
    return COMMAND_BYTES + BYTES_PER_CHARACTER * (len(record.input or "") + len(record.output or ""))
