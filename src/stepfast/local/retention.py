"""Deletes executions of the embedded file whose time is over, a little at a time."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from pathlib import Path
from threading import Event

from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.deployment.project import Project
from stepfast.engine.ports import Clock
from stepfast.errors import Unavailable

log = logging.getLogger(__name__)

DAY_SECONDS = 86400.0
ROUND_PERIOD_SECONDS = 600.0
"""Seconds from one round to the next."""
BATCH_PAUSE_SECONDS = 0.2
"""Seconds between two batches: others write meanwhile, and a batch takes a quarter of that."""


def retention_of(pyproject: Path) -> float | None:
    """Seconds for which a project's `retention_days` keeps what has ended for good; None for ever.

    Only a setting that is written down counts: an upgrade must not begin to delete what was kept so far. Raises
    StartupError for settings that are wrong.
    """
    days = Project.read(pyproject).retention_days
    if not pyproject.is_file():
        return None
    named = "retention_days" in tomllib.loads(pyproject.read_text(encoding="utf-8")).get("tool", {}).get("stepfast", {})
    return days * DAY_SECONDS if named and days else None


async def expire(backend: SqliteBackend, clock: Clock, retention: float) -> int:
    """Deletes all that has been SUCCEEDED or CANCELLED for longer than `retention` seconds; returns how many."""
    deleted = 0
    while gone := await backend.expire(clock.now() - retention):
        deleted += gone
        await asyncio.sleep(BATCH_PAUSE_SECONDS)
    if deleted:
        log.info("%d execution(s) that ended %g days ago are deleted", deleted, retention / DAY_SECONDS)
    return deleted


async def keep_expiring(backend: SqliteBackend, clock: Clock, retention: float | None, stopping: Event) -> None:
    """Goes round until it is told to stop."""
    if retention is None:
        return
    while not stopping.is_set():
        try:
            await expire(backend, clock, retention)
        except Unavailable as error:
            log.warning("expired executions are not deleted: %s; trying again", error)
        await asyncio.sleep(ROUND_PERIOD_SECONDS)
