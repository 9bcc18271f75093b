"""What `map_items` returns: counts, what failed, and the results, which are read batch by batch."""

from __future__ import annotations

import json
import weakref
from collections.abc import AsyncIterator
from dataclasses import field
from typing import Any, Generic, TypeVar

from stepfast.language import map_steps
from stepfast.records import dataclass
from stepfast.values.codec import Codec

R = TypeVar("R")
MAX_FAILURES = 1_000
"""A report names so many failed items and counts the rest."""


@dataclass(frozen=True, slots=True)
class MapFailure:
    """An item of `map_items()` that failed.

    item: its position in the list, from 0, or the number of its line in the file, from 1.
    error_type, message: the class and the text of the error; "InvalidItem" for an item that was never run, since it is
    not JSON or does not fit the type of the argument. A long text is cut.
    batch_id: the execution of its batch. command_id: the step or child in it; None for an item that was never run.
    child_id: the execution of the item, where each item is a child.
    """

    item: int
    error_type: str
    message: str
    batch_id: str
    command_id: str | None = None
    child_id: str | None = None


@dataclass(frozen=True, slots=True)
class MapBatch:
    """A batch: the id of its execution, and how many of its items succeeded."""

    batch_id: str
    succeeded: int


@dataclass(frozen=True)
class MapResults(Generic[R]):
    """The results of the items that succeeded, in the order of the items: `async for result in report.results`.

    batches: the batches that hold the results, in order.

    Each batch is read when the loop comes to it, by a step that is recorded, so a loop over all results brings all of
    them into the records of this execution. To handle very many results, let a step read them with `stepfast.Client`.
    `len()` is the number of results.
    """

    batches: tuple[MapBatch, ...] = ()

    def __len__(self) -> int:
        return sum(batch.succeeded for batch in self.batches)

    def __aiter__(self) -> AsyncIterator[R]:
        return self._read(_codecs.get(self))

    async def _read(self, codec: Codec | None) -> AsyncIterator[R]:
        for batch in self.batches:
            after: int | None = -1 if batch.succeeded else None
            while after is not None:
                piece = await map_steps.map_results(batch.batch_id, after)
                for _, text in piece["values"]:
                    yield json.loads(text) if codec is None else codec.decode(text)
                after = piece["next"]


_codecs: weakref.WeakKeyDictionary[MapResults[Any], Codec] = weakref.WeakKeyDictionary()
"""The codecs of results. They are no attributes, since a report may be stored and read back as a value."""


def typed(results: MapResults[R], codec: Codec) -> MapResults[R]:
    """The same results, which are decoded by this codec."""
    _codecs[results] = codec
    return results


@dataclass(frozen=True)
class MapReport(Generic[R]):
    """How a `map_items()` ended.

    succeeded: how many items succeeded. failed: how many failed. tolerated: how many of these were tolerated, which is
    all of them, or none where there were too many.
    failures: what failed, in the order of the items; of more than 1,000, those of the batches that ended first.
    results: the results of what succeeded.
    """

    succeeded: int
    failed: int
    tolerated: int
    failures: tuple[MapFailure, ...] = ()
    results: MapResults[R] = field(default_factory=MapResults)

    @property
    def total(self) -> int:
        """How many items there were."""
        return self.succeeded + self.failed
