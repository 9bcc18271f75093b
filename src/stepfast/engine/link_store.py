"""The port of answer links, as far as a home stores them: the keys that sign them, and heartbeats of external work."""

from __future__ import annotations

from typing import Protocol

from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class Beat:
    """The last heartbeat of external work. progress: what it sent with it, as JSON text. Times: seconds, epoch."""

    at: float
    progress: str | None = None


class LinkStore(Protocol):
    """What is stored of links. Every method may raise Unavailable and Misconfigured, as those of the Store."""

    async def keys(self) -> tuple[str, str]:
        """All keys as JSON text, and the version of that item; two empty texts where no key was made."""

    async def write_keys(self, text: str, version: str) -> bool:
        """Replaces the keys, under a new version, if the stored item has this version ("": none is stored)."""

    async def beat(self, execution_id: str, link: str, beat: Beat, keep_until: float) -> None:
        """Notes a heartbeat, in place of the one before. It wakes nobody, and goes with its execution.

        keep_until: when it may be dropped in any case.
        """

    async def last_beat(self, execution_id: str, link: str) -> Beat | None:
        """The heartbeat that was noted last; None where none was."""
