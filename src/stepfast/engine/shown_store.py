"""The port of what workflow code shows of itself (rule *shown*)."""

from __future__ import annotations

from typing import Protocol

from stepfast.model import Execution
from stepfast.shown import ShownState


class ShownStore(Protocol):
    """Status values and labels that code has set."""

    async def show(self, execution: Execution, shown: ShownState) -> bool:
        """Writes the status value and the labels, with the index of labels, and wakes nobody (rule *shown*).

        The stored execution must be RUNNING in this generation, and what it shows must have a lower mark.
        """
