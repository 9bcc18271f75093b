"""Maintenance after a sweep.

Finishes interrupted deletions, puts labels of before into their index, destroys data keys of executions that are gone,
and removes the expiry that version 0.1 gave to failures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.label_walk import LabelWalk
from stepfast.backends.dynamodb.retention_repair import Keeping, walk_of
from stepfast.backends.dynamodb.typed_json import Item, float_in, number, text, text_in
from stepfast.engine.data_keys import YOUNG_SECONDS
from stepfast.functions.sending_engine import SendingEngine

log = logging.getLogger(__name__)

RETENTION_KEY: Item = {"pk": text("sweeper"), "sk": text("kept")}
KEYS_KEY: Item = {"pk": text("sweeper"), "sk": text("keys")}
DATA_KEYS_A_SWEEP = 500
"""Data keys that one sweep looks at."""
KEYS_EVERY = 86400.0
"""Seconds between two laps over all data keys: each look reads the item of an execution."""
DELETION_SECONDS = 60.0
"""Seconds that one sweep may spend on deletions."""


async def tidy(engine: SendingEngine, table: Table, needed: float, walked: bool) -> bool:
    """Works as long as the invocation has more than `needed` seconds left.

    walked: what an earlier call has answered: whether both walks are over for good, so that they are not looked up.
    """

    def has_time() -> bool:
        return engine.time_left() > needed

    store, now = engine.table_store, engine.clock.now()
    if has_time():
        await store.deleting.sweep(now + min(DELETION_SECONDS, engine.time_left() - needed))
    if engine.keyring.store is not None and has_time():
        await _tidy_keys(engine, table, now)
    return walked or await _walk(engine, table, now, has_time)


async def _walk(engine: SendingEngine, table: Table, now: float, has_time: Callable[[], bool]) -> bool:
    """Goes on with the two walks over executions of earlier versions; whether both are over for good."""
    labels = LabelWalk(table, engine.settings.listing_shards)
    indexed = await labels.go_on(engine.clock, has_time)
    if indexed:
        log.info("%d label(s) of earlier executions were put into the index", indexed)
    held = table.get(RETENTION_KEY)
    walk = walk_of(held, now)
    if walk.over:
        return labels.is_over()
    freed = await Keeping(table, engine.settings.listing_shards).go_on(walk, now, has_time)
    if walk != walk_of(held, 0.0):
        await table.put({**RETENTION_KEY, **walk.item()})
    if freed:
        log.info("%d FAILED execution(s) of version 0.1 would have expired: they are kept now", freed)
    return False


async def _tidy_keys(engine: SendingEngine, table: Table, now: float) -> None:
    """Goes on with a lap over the data keys: those of expired executions and of deleted children have no other end."""
    held = table.get(KEYS_KEY) or {}
    after, began = text_in(held, "after") or "", float_in(held, "began")
    if after == "" and began is not None and now < began + KEYS_EVERY:
        return
    began = now if after == "" or began is None else began
    destroyed, after = await engine.table_store.tidy_keys(after, DATA_KEYS_A_SWEEP, now - YOUNG_SECONDS)
    await table.put({**KEYS_KEY, "after": text(after), "began": number(began)})
    if destroyed:
        log.info("%d data key(s) of executions that are gone are destroyed", destroyed)
