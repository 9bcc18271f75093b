"""Attributes of other packages replaced while a cloud is open, and put back after it."""

from __future__ import annotations

from typing import Any

_MISSING = object()


class Patches:
    """Replaces attributes; `undo` puts them back in the reverse order."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> Any:
        """Replaces an attribute; returns what it was, None if there was none."""
        held = vars(owner).get(name, _MISSING)
        self._kept.append((owner, name, held))
        setattr(owner, name, value)
        return None if held is _MISSING else held

    def undo(self) -> None:
        while self._kept:
            owner, name, held = self._kept.pop()
            if held is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, held)
