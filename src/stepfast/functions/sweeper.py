"""Every few minutes: executions without progress are advanced again (rule *sweep*), as many as there is time for.

Where a sweep ends is kept in the table, and the next one goes on from there.
"""

from __future__ import annotations

import logging
from typing import Any

from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.typed_json import Item, float_in, number, text, text_in
from stepfast.deployment.settings import Settings
from stepfast.functions import metering
from stepfast.functions.clients import Clients
from stepfast.functions.entry import Entry
from stepfast.functions.host import Handler, Host
from stepfast.functions.sending import SendingEngine
from stepfast.functions.tidying import tidy
from stepfast.functions.visits import Visits

log = logging.getLogger(__name__)

KEY: Item = {"pk": text("sweeper"), "sk": text("position")}
ROUND = 50
"""Executions that are visited between two looks at the time."""
TIME_FOR_ONE = 60.0
"""Seconds that must be left for another round."""
USUAL, LEAST = 300.0, 60.0
"""Seconds between two visits of an execution: while no lap has told, and at least."""


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler; it answers how many rounds it made and whether that was the end of a lap."""
    engine = SendingEngine(settings, clients, host)
    table = Table(clients.dynamodb, settings.table, engine.clock)
    visits = Visits(engine)  # finds the workflows now, while the sandbox begins

    def handler(event: Any, context: Any) -> dict[str, Any]:
        engine.time_left.begin(context)
        return engine.call(_sweep(engine, visits, table))

    return handler


async def _sweep(engine: SendingEngine, visits: Visits, table: Table) -> dict[str, Any]:
    """Goes on with the lap, which visits every execution once, in as many sweeps as it takes.

    Kept in the position's item: `after`, when this lap began, and how long after the one before it.
    """
    kept = table.get(KEY) or {}
    after, began = text_in(kept, "after") or "", float_in(kept, "began")
    every = float_in(kept, "every") or USUAL
    if after == "" or began is None:
        now = engine.clock.now()
        every, began = USUAL if began is None else max(LEAST, now - began), now
    rounds = 0
    while rounds == 0 or (after != "" and engine.time_left() >= TIME_FOR_ONE):
        after = await engine.operations.sweep(after, every=every, limit=ROUND, visit=visits.visit)
        rounds += 1
        item = {**KEY, "after": text(after), "began": number(began), "every": number(every)}
        await table.put(item)
    await tidy(engine, table, TIME_FOR_ONE)
    stuck = visits.take_stuck()
    engine.meter.count(metering.STUCK, stuck)
    log.info("swept %d round(s), %s; %d execution(s) are stuck", rounds, "more to come" if after else "a lap", stuck)
    return {"rounds": rounds, "complete": after == ""}


handler = Entry("sweeper", build)
