"""The port of schedules, as far as a home stores them: one item for each, which a write replaces by its version."""

from __future__ import annotations

from typing import Protocol

from stepfast.engine.schedule_items import ScheduleItem


class ScheduleStore(Protocol):
    """Items of schedules. Every method may raise Unavailable and Misconfigured, as those of the Store."""

    async def read(self, name: str) -> ScheduleItem:
        """The item as it stands; an empty item where no item is stored."""

    async def write(self, item: ScheduleItem, version: str) -> ScheduleItem | None:
        """Writes the item, under a new version, if the stored item has this version ("": none is stored).

        Returns the item as it is stored, None if nothing was written.
        """
