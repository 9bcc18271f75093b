"""The optional port of a store that tells what has changed in an execution since an earlier read."""

from __future__ import annotations

from typing import Protocol

from stepfast.model import Snapshot
from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class Delta:
    """What has changed in an execution: its records written after the mark that was asked for, all else as it is.

    It may hold older records too. Of the cursor it has no more than generation and revision where the mark was known.
    mark: what to ask with next time.
    """

    snapshot: Snapshot
    mark: int


class Deltas(Protocol):
    """An optional port, for a store that every write of an execution passes through, and which remembers them."""

    async def changes(self, execution_id: str, mark: int | None = None) -> Delta | None:
        """What was written after the mark, without the signals; None where there is no such execution.

        mark: of an earlier delta, of whatever process; without one, all of the execution, with its signals.
        """
