"""The table's stream, as a world on AWS has it: the new images of what was written with a wake, in their order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepfast.engine.memory import News
from stepfast.model import Record, Signal


@dataclass(frozen=True, eq=False)
class Change:
    """A record of the stream. image: None for an execution's own item."""

    image: Record | Signal | None


class Stream:
    """Changes stay until whoever has got them takes them away."""

    def __init__(self) -> None:
        self._changes: list[Change] = []

    def add(self, name: str, arguments: Sequence[Any], result: Any) -> None:
        """After a call of a port: what the stream brings of it."""
        if name == "commit" and result and arguments[1].wake:
            self._changes.append(Change(arguments[1].record))
        if name == "report" and result:
            self._changes.append(Change(arguments[1]))
        if name == "add_signal":
            self._changes.append(Change(result))
        if name in ("create", "rewind", "continue_as_new") or (name == "intervene" and result and arguments[0].wake):
            self._changes.append(Change(None))

    def batch(self, draw: random.Random) -> list[Change]:
        """The first changes: as many as the draw says, and at least one if there is one."""
        return self._changes[: draw.randint(1, len(self._changes))] if self._changes else []

    def done(self, batch: Sequence[Change]) -> bool:
        """Takes a batch away; True if nothing is left."""
        self._changes = [change for change in self._changes if change not in batch]
        return not self._changes


def news_in(batch: Sequence[Change]) -> News | None:
    """What the batch tells an advancer; None of an empty one: the wake was not a stream's."""
    images = [change.image for change in batch]
    return (
        News(
            [image for image in images if isinstance(image, Record)],
            [image for image in images if isinstance(image, Signal)],
            whole=None not in images,
        )
        if batch
        else None
    )
