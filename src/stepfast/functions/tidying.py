"""What the sweep does beside advancing executions: it finishes deletions, and lets FAILED executions live."""

from __future__ import annotations

import logging

from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.retention_repair import Keeping, walk_of
from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.functions.sending import SendingEngine

log = logging.getLogger(__name__)

KEY: Item = {"pk": text("sweeper"), "sk": text("kept")}
AT_MOST = 60.0
"""Seconds of one sweep that deletions may take."""


async def tidy(engine: SendingEngine, table: Table, needed: float) -> None:
    """Works while more than `needed` seconds are left to this invocation."""

    def has_time() -> bool:
        return engine.time_left() > needed

    store, now = engine.table_store, engine.clock.now()
    if has_time():
        await store.deleting.sweep(now + min(AT_MOST, engine.time_left() - needed))
    held = table.get(KEY)
    walk = walk_of(held, now)
    if walk.over:
        return
    freed = await Keeping(table, engine.settings.listing_shards).go_on(walk, now, has_time)
    if walk != walk_of(held, 0.0):
        await table.put({**KEY, **walk.item()})
    if freed:
        log.info("%d FAILED execution(s) of version 0.1 would have expired: they are kept now", freed)
