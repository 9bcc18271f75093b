"""One lane of a stream's mapping to a function: batches in order, retries, bisecting, giving up."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from stepfast.simulator.clock import MICRO
from stepfast.simulator.invocation import MAX_PAYLOAD, Invocation
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.queues import reported
from stepfast.simulator.sqs_rules import queue_of, send
from stepfast.simulator.streams import Record, Stream
from stepfast.simulator.world import World

TRIMMED = 24 * 3600.0
"""Seconds that a stream keeps a record."""
BACKOFF = 60.0
"""The longest wait between two tries of a batch, which begin at a second and double."""


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """As of a stream event source mapping; seconds. retry_attempts, max_age: None for as long as there are records.

    failure_queue: name, URL or ARN of the queue that receives a notice of each batch that was given up.
    """

    batch_size: int = 100
    window: float = 0.0
    filters: tuple[Mapping[str, Any], ...] = ()
    parallelization: int = 1
    retry_attempts: int | None = None
    max_age: float | None = None
    bisect: bool = False
    report_failures: bool = True
    failure_queue: str | None = None
    starting_position: Literal["TRIM_HORIZON", "LATEST"] = "TRIM_HORIZON"


@dataclass(slots=True)
class StreamBatch:
    """Records that are tried together; `tries` are those that have failed."""

    records: list[Record]
    tries: int = 0
    last: Invocation | None = None


@dataclass(slots=True, eq=False)
class Lane:
    """Hands records over one batch after the other: a batch that fails holds up what is behind it."""

    world: World
    stream: Stream
    function: SimulatedFunction
    mapping: StreamMapping
    shard: int
    waiting: deque[Record] = field(default_factory=deque)
    batches: deque[StreamBatch] = field(default_factory=deque)
    running: bool = False
    opened: int | None = None

    def offer(self, record: Record) -> None:
        self.waiting.append(record)
        # Records that were written at one moment come in one batch.
        self.world.agenda.put(self.world.clock.micros, self.go_on)

    def go_on(self) -> None:
        if self.running:
            return
        if not self.batches and not self._gather():
            return
        batch = self.batches[0]
        self._drop_old(batch)
        if not batch.records:
            self.batches.popleft()
            self.go_on()
        elif not self.function.free:
            self.world.later(self.go_on, 1.0)  # throttled: no try is lost
        else:
            self.running = True
            self.function.invoke({"Records": batch.records}, lambda invocation: self._ended(batch, invocation))

    def _gather(self) -> bool:
        """Makes a batch of the waiting records; False while no record waits, or while the window is open."""
        now = self.world.clock.micros
        if not self.waiting:
            return False
        if len(self.waiting) < self.mapping.batch_size and self.mapping.window:
            if self.opened is None:
                self.opened = now + round(self.mapping.window * MICRO)
                self.world.agenda.put(self.opened, self.go_on)
            if now < self.opened:
                return False
        self.opened = None
        batch, size = StreamBatch([]), 0
        while self.waiting and len(batch.records) < self.mapping.batch_size:
            size += len(json.dumps(self.waiting[0])) + 2
            if size > MAX_PAYLOAD - 100 and batch.records:
                break
            batch.records.append(self.waiting.popleft())
        self.batches.append(batch)
        return True

    def _drop_old(self, batch: StreamBatch) -> None:
        now = self.world.clock.now
        batch.records = [record for record in batch.records if now - _created(record) < TRIMMED]
        if self.mapping.max_age is not None:
            old = [record for record in batch.records if now - _created(record) > self.mapping.max_age]
            if old:
                batch.records = [record for record in batch.records if record not in old]
                self._report(old, batch, "RecordAgeExceeded")

    def _ended(self, batch: StreamBatch, invocation: Invocation) -> None:
        self.running = False
        self.batches.popleft()
        batch.last = invocation
        wait = 0.0
        rest = self._failed(batch, invocation)
        if len(rest) < len(batch.records) and rest:
            self.batches.appendleft(StreamBatch(rest))  # the checkpoint has moved on: what is left counts anew
        elif rest:
            batch.tries += 1
            wait = self._again(batch)
        self.world.later(self.go_on, wait)

    def _failed(self, batch: StreamBatch, invocation: Invocation) -> list[Record]:
        """From the first record on that has to be tried again."""
        if not invocation.ok:
            return batch.records
        if not self.mapping.report_failures:
            return []
        numbers = {record["dynamodb"]["SequenceNumber"] for record in batch.records}
        failed = reported(invocation.result, numbers)
        if not failed:
            return []
        lowest = min(map(int, failed))
        return [record for record in batch.records if int(record["dynamodb"]["SequenceNumber"]) >= lowest]

    def _again(self, batch: StreamBatch) -> float:
        """Has a batch tried again, in halves or as a whole, or gives it up; returns how long to wait."""
        limit, failed_whole = self.mapping.retry_attempts, batch.last is not None and not batch.last.ok
        if self.mapping.bisect and failed_whole and len(batch.records) > 1:
            half = len(batch.records) // 2
            # Splitting costs no try.
            parts = [batch.records[:half], batch.records[half:]]
            self.batches.extendleft(StreamBatch(part, batch.tries - 1, batch.last) for part in reversed(parts))
        elif limit is not None and batch.tries > limit:
            self._report(batch.records, batch, "RetryAttemptsExhausted")
            return 0.0
        else:
            self.batches.appendleft(batch)
        return float(min(BACKOFF, 2 ** max(0, batch.tries - 1)))

    def _report(self, records: list[Record], batch: StreamBatch, condition: str) -> None:
        """Sends the position of records that were given up to the on-failure destination; not the records."""
        if self.mapping.failure_queue is None:
            return
        notice: dict[str, Any] = {
            "requestContext": {
                "requestId": batch.last.request_id if batch.last else "",
                "functionArn": self.function.arn,
                "condition": condition,
                "approximateInvokeCount": batch.tries,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": _iso(self.world.clock.now, "milliseconds"),
            "DDBStreamBatchInfo": {
                "shardId": f"shardId-{self.shard:020d}-stepfast",
                "startSequenceNumber": records[0]["dynamodb"]["SequenceNumber"],
                "endSequenceNumber": records[-1]["dynamodb"]["SequenceNumber"],
                "approximateArrivalOfFirstRecord": _iso(_created(records[0]), "seconds"),
                "approximateArrivalOfLastRecord": _iso(_created(records[-1]), "seconds"),
                "batchSize": len(records),
                "streamArn": self.stream.arn,
            },
        }
        send(queue_of(self.mapping.failure_queue), json.dumps(notice))


def _created(record: Record) -> float:
    created: float = record["dynamodb"]["ApproximateCreationDateTime"]
    return created


def _iso(at: float, precision: str) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
