"""The mapping of a queue to a function: batches, partial failures, concurrency, as Lambda's pollers do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.sqs.models import Message, Queue

from stepfast.simulator.agenda import AgendaEntry
from stepfast.simulator.clock import MICRO
from stepfast.simulator.invocation import Invocation
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.sqs_rules import MailRules, holder, is_deleted, record_of
from stepfast.simulator.world import World

DUPLICATE_WITHIN_SECONDS = 60.0
"""Seconds within which a message that is delivered twice comes the second time."""


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """As of an SQS event source mapping; ValueError for what AWS refuses. window: seconds to wait for a full batch."""

    batch_size: int = 10
    window: float = 0.0
    max_concurrency: int | None = None
    report_failures: bool = True

    def __post_init__(self) -> None:
        if self.max_concurrency is not None and not 2 <= self.max_concurrency <= 1000:
            raise ValueError(f"MaximumConcurrency is 2 to 1000, not {self.max_concurrency}")
        if not 1 <= self.batch_size <= (10_000 if self.window >= 1 else 10):
            raise ValueError(f"a batch has 1 to 10 messages, or 10000 with a window of 1 s, not {self.batch_size}")


class QueuePoller:
    """Takes what is visible to its function, and deletes what the function did not report as failed."""

    def __init__(
        self, world: World, rules: MailRules, queue: Queue, function: SimulatedFunction, mapping: QueueMapping
    ) -> None:
        visibility = int(queue.visibility_timeout)  # type: ignore[attr-defined]
        if visibility < function.timeout:
            raise ValueError(
                f"queue {queue.name} has a visibility timeout of {visibility} s, less than the timeout of "
                f"{function.name}, {function.timeout:g} s: AWS refuses such a mapping"
            )
        self._world, self._rules, self._queue, self._function = world, rules, queue, function
        self._mapping, self._visibility = mapping, visibility
        self._running = 0
        self._waits_until: int | None = None
        self._back: dict[str, AgendaEntry] = {}  # by receipt, when the message is visible again

    def notice(self, at: float) -> AgendaEntry:
        """Polls once a message is visible, at this many milliseconds."""
        world = self._world
        when = max(round(at * 1000), world.clock.micros) + world.delay(world.rules.queue)
        return world.agenda.put(when, self.poll)

    def poll(self) -> None:
        """Invokes the function with as many batches as there are and may run at once."""
        limit = self._mapping.max_concurrency or self._world.rules.pollers
        while self._running < limit:
            visible = self._rules.receivable(self._queue)
            if not visible or self._gathers(len(visible)):
                return
            self._deliver(self._choose(visible))

    def _gathers(self, count: int) -> bool:
        """True while the batch is not full and its window is open."""
        now = self._world.clock.micros
        if count >= self._mapping.batch_size or not self._mapping.window:
            self._waits_until = None
            return False
        if self._waits_until is None:
            self._waits_until = now + round(self._mapping.window * MICRO)
            self._world.agenda.put(self._waits_until, self.poll)
        if now < self._waits_until:
            return True
        self._waits_until = None
        return False

    def _choose(self, visible: list[Message]) -> list[Message]:
        if self._world.rules.reorder:
            self._world.draw.shuffle(visible)
        return visible[: self._mapping.batch_size]

    def _deliver(self, messages: list[Message]) -> None:
        for message in messages:
            if self._world.chance(self._world.rules.duplicates):
                self._rules.copy(self._queue, message, self._world.draw.uniform(0.0, DUPLICATE_WITHIN_SECONDS))
            message.mark_received(self._visibility)
            self._back[str(message.receipt_handle)] = self.notice(message.visible_at)
        if not self._function.free:
            # Throttled: the messages come back when their visibility ends, and this receive counts.
            for message in messages:
                del self._back[str(message.receipt_handle)]
            return
        records = [record_of(self._queue, message) for message in messages]
        self._running += 1
        self._function.invoke({"Records": records}, lambda invocation: self._ended(invocation, records))

    def _ended(self, invocation: Invocation, records: list[dict[str, Any]]) -> None:
        self._running -= 1
        failed = {record["messageId"] for record in records}
        if invocation.ok:
            failed = reported(invocation.result, failed) if self._mapping.report_failures else set()
        for record in records:
            receipt = record["receiptHandle"]
            if record["messageId"] not in failed and holder(self._queue, receipt) is not None:
                self._rules.delete(self._queue, receipt)
            back = self._back.pop(receipt)
            if is_deleted(self._queue, receipt):
                self._world.agenda.drop(back)
        self._world.agenda.put(self._world.clock.micros, self.poll)


def reported(result: Any, ids: set[str]) -> set[str]:
    """The failed ones of a batch by the function's answer; all of them if the answer is not as it should be."""
    if result is None or result == {} or result == "":
        return set()
    failures = result.get("batchItemFailures") if isinstance(result, Mapping) else None
    if failures is None:
        return set() if isinstance(result, Mapping) and "batchItemFailures" in result else ids
    try:
        named = {failure["itemIdentifier"] for failure in failures}
    except (TypeError, KeyError):
        return ids
    return named if named <= ids else ids
