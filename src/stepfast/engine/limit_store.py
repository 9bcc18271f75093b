"""The port of limits, as far as a home stores them: one item for each key in use, a line beside it, and the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stepfast.engine.limit_items import LimitId, LimitItem, Waiter
from stepfast.language.limits import Numbers


class LimitStore(Protocol):
    """Items, lines and numbers of limits. An item that is idle may be gone at any time: it then reads as absent.

    Every method may raise Unavailable and Misconfigured, as those of the Store.
    """

    async def read(self, id: LimitId) -> LimitItem:
        """The item as it stands; an empty item where no item is stored."""

    async def write(self, item: LimitItem, version: str) -> LimitItem | None:
        """Writes the item, under a new version, if the stored item has this version ("": none is stored).

        Returns the item as it is stored, None if nothing was written.
        """

    async def reserve(self, item: LimitItem, interval: float, least: float, now: float) -> LimitItem | None:
        """Puts the moment of an item off by an interval, whoever has written it since it was read.

        So takes of one rate do not refuse each other. A moment before `least` is put off from `now` on. item: as it was
        read. Returns the item as it is stored; None, and nothing written, if its moment has come to lie on the other
        side of `least` since it was read. If the answer is lost and it is tried again, it may reserve one moment more.
        """

    async def join(self, id: LimitId, waiter: Waiter) -> None:
        """Puts an entry into the line; once more, it changes nothing."""

    async def leave(self, id: LimitId, waiter: Waiter) -> None:
        """Takes an entry out of the line, if it is there."""

    async def first(self, id: LimitId, after: str | None = None) -> Waiter | None:
        """The first entry of the line by its place, from the first key after `after` on; None for an end."""

    async def line(self, id: LimitId, limit: int) -> Sequence[Waiter]:
        """At most `limit` entries of the line, by their places."""

    async def items(self, name: str, limit: int, after: str = "") -> tuple[Sequence[LimitItem], str]:
        """At most `limit` items of a limit, and the position to go on from, "" after the last."""

    async def numbers(self, name: str) -> tuple[Numbers, str] | None:
        """The numbers that were set at run time, and who set them; None if none were."""

    async def set_numbers(self, name: str, numbers: Numbers | None, by: str = "") -> None:
        """Sets the numbers of a limit from now on; None goes back to those of the code and the settings."""
