"""A port: the records of one execution, read in parts, at a cost that does not depend on how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from stepfast.model import CommandKind, Execution, OrderEntry, Record
from stepfast.records import dataclass

PAGE_BYTES = 2_000_000
"""Bytes of values that a page holds at most, but that it has a record at least."""
LAST_IDS = 100
"""Ids of each kind that `last_entries` gives of an entry."""
READS = 1000
"""Records that are looked at for a page at most."""


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which records to read: those of these statuses, of this name and kind, by their ids, behind a position.

    statuses: any if it is empty. after: the `next` of the page before; "" is the beginning. largest: bytes of the
    largest value that counts towards the bytes of the page; None where all do. reads: records that are looked at at
    most.
    """

    statuses: frozenset[str] = frozenset()
    name: str | None = None
    limit: int = 100
    after: str = ""
    largest: int | None = None
    reads: int = READS
    kind: CommandKind | None = None

    def takes(self, record: Record) -> bool:
        return (
            (not self.statuses or record.status in self.statuses)
            and self.name in (None, record.name)
            and self.kind in (None, record.kind)
        )


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of records by their ids. It may be empty although pages follow, where few records match.

    next: the position to go on from; None after the last page.
    """

    records: tuple[Record, ...]
    next: str | None


class RecordReader(Protocol):
    """Reads parts of an execution. Large inputs and outputs are not read: they are StoredTexts."""

    async def page(self, execution: Execution, query: RecordQuery) -> RecordPage:
        """The records behind a position, by the bytes of their ids in UTF-8.

        The page ends before its values would be more than PAGE_BYTES. Ids of
        more than 1,000 bytes may come last. InvalidRequest where `after` is no position.
        """

    async def named(self, execution: Execution, ids: Sequence[str]) -> Mapping[str, Record]:
        """Those of the records that exist, at most 100 of them being asked for."""

    async def is_longer(self, run_id: str, records: int) -> bool:
        """Whether there are more records than this. True also where their values are too many to read them at once."""

    async def last_entries(self, run_id: str, limit: int) -> Sequence[OrderEntry]:
        """The last entries of the order's log, the newest first, each with the last of its ids alone.

        An entry of very many ids, and those before it, may be missing.
        """
