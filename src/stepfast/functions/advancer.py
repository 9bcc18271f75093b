"""The table's stream: executions that a write has woken are advanced, what is left of expired ones is deleted.

One pass per execution and batch, however many records it has in it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from stepfast.deployment.settings import Settings
from stepfast.errors import Unavailable
from stepfast.functions import logs
from stepfast.functions.batches import Answer, Batch, EventType
from stepfast.functions.clients import Clients
from stepfast.functions.entry import Entry
from stepfast.functions.host import Handler, Host
from stepfast.functions.sending import SendingEngine
from stepfast.functions.wiring import Engine

log = logging.getLogger(__name__)

TIME_FOR_ONE = 15.0
"""Seconds that must be left for a pass to be begun; the records of those that are not begun come again."""
EXPIRY = "dynamodb.amazonaws.com"
"""Who deletes an item whose time to live is over."""

Job = tuple[Literal["advance", "purge"], str]


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler. Of the records that failed Lambda goes on from the first, so all after it come again."""
    engine = SendingEngine(settings, clients, host)
    batch = Batch(EventType.DynamoDBStreams)
    _ = engine.advancer  # finds the workflows now, while the sandbox begins

    def handler(event: dict[str, Any], context: Any) -> Answer:
        engine.time_left.begin(context)
        return engine.call(batch.run(event["Records"], _Passes(engine).of))

    return handler


class _Passes:
    """What one batch asks for, each once: records of the same execution share the outcome."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: dict[Job, asyncio.Task[None]] = {}

    async def of(self, record: Any) -> None:
        job = job_of(record.raw_event)
        if job is None:
            return
        if job not in self._jobs:
            self._jobs[job] = asyncio.ensure_future(self._do(*job))
        await self._jobs[job]

    async def _do(self, what: Literal["advance", "purge"], execution_id: str) -> None:
        with logs.about(execution_id):
            try:
                if self._engine.time_left() < TIME_FOR_ONE:
                    raise Unavailable("no time is left for it in this invocation")
                if what == "purge":
                    await self._engine.table_store.deleting.purge(execution_id)
                else:
                    await self._engine.advancer.advance(execution_id)
            except Exception as error:
                logs.complain(log, f"execution {execution_id} was not advanced", error)
                raise


def job_of(record: dict[str, Any]) -> Job | None:
    """What a stream record asks for; None for one that the mapping's filters would have held back."""
    change = record["dynamodb"]
    partition, sort = change["Keys"]["pk"]["S"], change["Keys"]["sk"]["S"]
    if not partition.startswith("x#"):
        return None
    if record["eventName"] == "REMOVE":
        expired = (record.get("userIdentity") or {}).get("principalId") == EXPIRY
        return ("purge", partition[2:]) if expired and sort == "meta" else None
    return ("advance", partition[2:]) if "wake" in (change.get("NewImage") or {}) else None


handler = Entry("advancer", build)
