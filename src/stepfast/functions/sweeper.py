"""Advances executions without progress again, every few minutes and as long as there is time (rule *sweep*).

A sweep stores its position in the table, and the next sweep continues there.
"""

from __future__ import annotations

import logging
from typing import Any

from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.typed_json import Item, float_in, number, text, text_in
from stepfast.deployment.settings import Settings
from stepfast.functions import metering
from stepfast.functions.clients import Clients
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host
from stepfast.functions.maintenance import tidy
from stepfast.functions.sending_engine import SendingEngine
from stepfast.functions.visits import Visits

__all__ = ["handler"]

log = logging.getLogger(__name__)

POSITION_KEY: Item = {"pk": text("sweeper"), "sk": text("position")}
ROUND_SIZE = 50
"""Executions per round; the sweep checks the time left after each round."""
ROUND_SECONDS = 60.0
"""Another round begins only if the invocation has this many seconds left."""
USUAL_VISIT_SECONDS, LEAST_VISIT_SECONDS = 300.0, 60.0
"""Seconds between two visits of an execution: assumed until a lap has been measured, and the minimum."""


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler. It answers the number of rounds, and whether the sweep reached the end of a lap."""
    engine = SendingEngine(settings, clients, host)
    table = Table(clients.dynamodb, settings.table, engine.clock)
    # Both are imported now, while the sandbox initializes with full CPU.
    visits, _ = Visits(engine), engine.operations

    def handler(event: Any, context: Any) -> dict[str, Any]:
        engine.time_left.begin(context)
        return engine.call(_sweep(engine, visits, table))

    return handler


async def _sweep(engine: SendingEngine, visits: Visits, table: Table) -> dict[str, Any]:
    """Continues the current lap. A lap visits every execution once and may take several sweeps.

    The item at POSITION_KEY holds `after` (the cursor), `began` (the start of this lap), `every` (the seconds between
    the starts of the last two laps) and, once that is so, `walked`: the walks over earlier executions are over.
    It was written by a sweep minutes ago; whoever reads an older one visits executions once more.
    """
    kept = table.get(POSITION_KEY, consistent=False) or {}
    walked: Item = {"walked": kept["walked"]} if "walked" in kept else {}
    after, began = text_in(kept, "after") or "", float_in(kept, "began")
    every = float_in(kept, "every") or USUAL_VISIT_SECONDS
    if after == "" or began is None:
        now = engine.clock.now()
        every, began = USUAL_VISIT_SECONDS if began is None else max(LEAST_VISIT_SECONDS, now - began), now
    rounds = 0
    while rounds == 0 or (after != "" and engine.time_left() >= ROUND_SECONDS):
        after = await engine.operations.sweep(after, every=every, limit=ROUND_SIZE, visit=visits.visit)
        rounds += 1
        item = {**POSITION_KEY, "after": text(after), "began": number(began), "every": number(every), **walked}
        await table.put(item)
    if await tidy(engine, table, ROUND_SECONDS, bool(walked)) and not walked:
        await table.put({**item, "walked": number(1)})
    stuck = visits.take_stuck()
    engine.meter.count(metering.STUCK, stuck)
    log.info("swept %d round(s), %s; %d execution(s) are stuck", rounds, "more to come" if after else "a lap", stuck)
    return {"rounds": rounds, "complete": after == ""}


handler = EntryPoint("sweeper", build)
