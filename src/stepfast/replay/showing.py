"""What the code of a replay has shown so far by set_status() and set_labels()."""

from __future__ import annotations

from collections.abc import Mapping

from stepfast.errors import DefinitionError
from stepfast.shown import MAX_LABELS


class Showing:
    """Counts the calls, and holds what the last ones have said.

    calls: how many there were, at the same place of the code in every replay. written: how many of them are known to be
    stored. value: JSON text, or None. labels: all labels, or None where the code has not changed any.
    """

    def __init__(self, base: Mapping[str, str]) -> None:
        self.base = base
        self.calls = self.written = 0
        self.value: str | None = None
        self.labels: Mapping[str, str] | None = None

    def set_value(self, text: str) -> None:
        self.calls += 1
        self.value = text

    def set_labels(self, changes: Mapping[str, str | None]) -> None:
        merged = {**(self.base if self.labels is None else self.labels), **changes}
        labels = {key: value for key, value in merged.items() if value is not None}
        if len(labels) > MAX_LABELS:
            raise DefinitionError(
                f"set_labels() would give the execution {len(labels)} labels; it has {MAX_LABELS} at most: "
                "set one to None to remove it"
            )
        self.calls += 1
        self.labels = labels
