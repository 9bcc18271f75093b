"""Maintenance after a sweep.

Finishes interrupted deletions, puts labels of before into their index, and removes the expiry that version 0.1 gave to
failures.
"""

from __future__ import annotations

import logging

from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.label_walk import LabelWalk
from stepfast.backends.dynamodb.retention_repair import Keeping, walk_of
from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.functions.sending_engine import SendingEngine

log = logging.getLogger(__name__)

RETENTION_KEY: Item = {"pk": text("sweeper"), "sk": text("kept")}
DELETION_SECONDS = 60.0
"""Seconds that one sweep may spend on deletions."""


async def tidy(engine: SendingEngine, table: Table, needed: float) -> None:
    """Works as long as the invocation has more than `needed` seconds left."""

    def has_time() -> bool:
        return engine.time_left() > needed

    store, now = engine.table_store, engine.clock.now()
    if has_time():
        await store.deleting.sweep(now + min(DELETION_SECONDS, engine.time_left() - needed))
    indexed = await LabelWalk(table, engine.settings.listing_shards).go_on(engine.clock, has_time)
    if indexed:
        log.info("%d label(s) of earlier executions were put into the index", indexed)
    held = table.get(RETENTION_KEY)
    walk = walk_of(held, now)
    if walk.over:
        return
    freed = await Keeping(table, engine.settings.listing_shards).go_on(walk, now, has_time)
    if walk != walk_of(held, 0.0):
        await table.put({**RETENTION_KEY, **walk.item()})
    if freed:
        log.info("%d FAILED execution(s) of version 0.1 would have expired: they are kept now", freed)
