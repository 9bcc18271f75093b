"""Reads the table's stream: advances executions that a write has woken, and deletes the rest of expired ones.

A batch advances each execution once, however many records it has for it, and different executions side by side: a pass
waits for AWS most of its time. A record that fails blocks its shard. So a
record that fails for another reason than an outage is given up after a minute: a message in the queue of the
undelivered names its execution, and the sweep tries that again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from stepfast.backends.aws.errors import translated
from stepfast.backends.dynamodb.item_keys import RUN
from stepfast.backends.dynamodb.typed_json import Item
from stepfast.deployment.settings import Settings
from stepfast.engine.memory import Memory
from stepfast.errors import Unavailable
from stepfast.functions import logs
from stepfast.functions.batches import Answer, RawRecord, failures_of, sequence_number_of
from stepfast.functions.clients import Clients
from stepfast.functions.engine import Engine
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host
from stepfast.functions.sending_engine import SendingEngine
from stepfast.model import run_of

__all__ = ["handler"]

log = logging.getLogger(__name__)

PASS_SECONDS = 15.0
"""A pass begins only if the invocation has this many seconds left; otherwise Lambda delivers its records again."""
GIVE_UP_SECONDS = 60.0
"""Age at which a record is given up whose failure is no outage."""
EXPIRY = "dynamodb.amazonaws.com"
"""The `userIdentity.principalId` of a record whose item Time to Live has deleted.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
"""

Task = Literal["advance", "purge", "purge-run"]
Job = tuple[Task, str]
"""What is to be done, and the execution's id. Of an earlier run: the id, a tilde and the number of the run."""


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler, which answers the records that failed.

    For a stream, Lambda retries from the first failed record on: it delivers every record after that again, also those
    that succeeded. An advance is idempotent, so that costs time and nothing else.
    """
    engine = _AdvancingEngine(settings, clients, host)
    _ = engine.advancer  # imports the workflows now, while the sandbox initializes with full CPU

    def handler(event: dict[str, Any], context: Any) -> Answer:
        engine.time_left.begin(context)
        records = event["Records"]
        return engine.call(failures_of(records, _Passes(engine, records).of, sequence_number_of))

    return handler


class _AdvancingEngine(SendingEngine):
    """Goes on with what it remembers of long executions, since it receives all that wakes them."""

    @cached_property
    def memory(self) -> Memory:
        return Memory(self.table_store, self.lives)


class _Passes:
    """The jobs of one batch, each run once: records of the same execution share its outcome."""

    def __init__(self, engine: Engine, records: Sequence[dict[str, Any]]) -> None:
        self._engine = engine
        self._jobs: dict[Job, asyncio.Task[None]] = {}
        self._last: dict[str, asyncio.Task[None]] = {}  # by execution: its jobs run one after the other
        self._images: dict[Job, list[Item]] = {}
        for record in records:
            if (job := job_of(record)) is not None:
                self._images.setdefault(job, []).append(record["dynamodb"].get("NewImage", {}))

    async def of(self, record: RawRecord) -> None:
        job = job_of(record)
        if job is None:
            return
        if job not in self._jobs:
            change = record["dynamodb"]
            born = float(change.get("ApproximateCreationDateTime", self._engine.clock.now()))
            self._jobs[job] = asyncio.ensure_future(self._after(self._last.get(job[1]), job, born))
            self._last[job[1]] = self._jobs[job]
        await self._jobs[job]

    async def _after(self, before: asyncio.Task[None] | None, job: Job, born: float) -> None:
        """Does a job once the job before it, of the same execution, has ended in whatever way."""
        if before is not None:
            await asyncio.wait([before])
        if len(self._images) == 1:
            await self._do(*job, born)  # a thread would be of no use
        else:
            await self._engine.host.side_by_side(lambda: self._do(*job, born))

    async def _do(self, task: Task, name: str, born: float) -> None:
        execution_id, _ = run_of(name)
        with logs.about(execution_id):
            try:
                if self._engine.time_left() < PASS_SECONDS:
                    raise Unavailable("no time is left for it in this invocation")
                if task == "purge":
                    await self._engine.table_store.deleting.purge(execution_id)
                    await self._engine.table_store.destroy_keys_of(execution_id)
                elif task == "purge-run":
                    await self._engine.table_store.deleting.purge_run(*run_of(name))
                else:
                    images = [_typed(image) for image in self._images[task, execution_id]]
                    news = await self._engine.table_store.news(images)
                    await self._engine.advancer.advance(execution_id, news=news)
            except Exception as error:
                if self._engine.memory is not None:  # These records may be given up.
                    self._engine.memory.forget(execution_id)
                logs.complain(log, f"execution {execution_id} was not advanced", error)
                away = isinstance(error, Unavailable)
                if away or self._engine.clock.now() - born < GIVE_UP_SECONDS or not self._engine.settings.undelivered:
                    raise
                self._give_up(execution_id, error)

    def _give_up(self, execution_id: str, error: Exception) -> None:
        """Names the execution where an alarm looks; raises where even that fails, so that the record comes again."""
        notice = {"execution_id": execution_id, "function": "advancer", "error": type(error).__name__}
        with translated("the queue of the undelivered", "is it deployed, and may the function send to it?"):
            self._engine.clients.sqs.send_message(
                QueueUrl=self._engine.settings.undelivered, MessageBody=json.dumps(notice)
            )


def _typed(image: Item) -> Item:
    """An image as boto3 would return the item: in a stream's event bytes are base64."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in image.items()}


def job_of(record: dict[str, Any]) -> Job | None:
    """The job that a stream record asks for; None for a record that the mapping's filters should have dropped."""
    change = record["dynamodb"]
    partition, sort = change["Keys"]["pk"]["S"], change["Keys"]["sk"]["S"]
    if not partition.startswith("x#"):
        return None
    if record["eventName"] == "REMOVE":
        expired = (record.get("userIdentity") or {}).get("principalId") == EXPIRY
        if expired and sort.startswith(RUN):
            return "purge-run", f"{partition[2:]}~{int(sort.removeprefix(RUN))}"
        return ("purge", partition[2:]) if expired and sort == "meta" else None
    return ("advance", partition[2:]) if "wake" in (change.get("NewImage") or {}) else None


handler = EntryPoint("advancer", build)
