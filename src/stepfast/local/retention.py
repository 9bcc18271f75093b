"""Deletes executions and lines of the audit list of the embedded file after their retention, in small batches."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from pathlib import Path
from threading import Event

from stepfast.deployment.project import Project
from stepfast.engine.audit import AuditOperations
from stepfast.engine.embedded import EmbeddedBackend
from stepfast.engine.ports import Clock
from stepfast.errors import Unavailable

log = logging.getLogger(__name__)

DAY_SECONDS = 86400.0
ROUND_PERIOD_SECONDS = 600.0
"""The time between two rounds."""
EXPIRY_PAUSE_SECONDS = 0.2
"""The pause between two batches, so that other writes get through. A batch takes about a quarter of it."""


def retention_of(pyproject: Path) -> float | None:
    """The retention of a project's SUCCEEDED and CANCELLED executions in seconds; None keeps them for ever.

    The default of `retention_days` does not count here: an upgrade of stepfast must not start to delete executions.
    Raises StartupError for settings that are not valid.
    """
    days = Project.read(pyproject).retention_days
    if not pyproject.is_file():
        return None
    named = "retention_days" in tomllib.loads(pyproject.read_text(encoding="utf-8")).get("tool", {}).get("stepfast", {})
    return days * DAY_SECONDS if named and days else None


async def expire(backend: EmbeddedBackend, clock: Clock, retention: float) -> int:
    """Deletes the executions that ended more than `retention` seconds ago, except FAILED ones. Returns their number."""
    deleted = 0
    while gone := await backend.expire(clock.now() - retention):
        deleted += gone
        await asyncio.sleep(EXPIRY_PAUSE_SECONDS)
    if deleted:
        log.info("%d execution(s) that ended %g days ago are deleted", deleted, retention / DAY_SECONDS)
    return deleted


async def keep_expiring(backend: EmbeddedBackend, clock: Clock, retention: float | None, stopping: Event) -> None:
    """Deletes expired executions, one round after another, until `stopping` is set."""
    if retention is None:
        return
    while not stopping.is_set():
        try:
            await expire(backend, clock, retention)
        except Unavailable as error:
            log.warning("expired executions are not deleted: %s; trying again", error)
        await asyncio.sleep(ROUND_PERIOD_SECONDS)


async def keep_auditing(audit: AuditOperations, stopping: Event) -> None:
    """Drops the lines of the audit list that are past their time, one round after another, until `stopping` is set."""
    while not stopping.is_set():
        dropped = 0
        try:
            dropped = await audit.expire()
        except Unavailable as error:
            log.warning("lines of the audit list are not dropped: %s; trying again", error)
        await asyncio.sleep(EXPIRY_PAUSE_SECONDS if dropped else ROUND_PERIOD_SECONDS)
