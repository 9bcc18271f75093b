"""The Queue port on SQS: one queue for each pool of steps, one for timers, one for parked failures.

A queue delays a message by 15 minutes at most; what is due later goes through a schedule.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from stepfast.backends.aws.batches import batches
from stepfast.backends.aws.clients import LazyClient
from stepfast.backends.aws.errors import Misconfigured, translated
from stepfast.backends.aws.messages import body_of
from stepfast.backends.aws.scheduler import ScheduleGroup
from stepfast.engine.messages import Message
from stepfast.engine.ports import Clock
from stepfast.errors import Unavailable

log = logging.getLogger(__name__)

SQS_DELAY_SECONDS = 900
"""Seconds that SQS holds a message back, at most."""
PAUSES = (0.05, 0.2, 0.5)
"""Seconds before each further try of what a batch has left."""
Entry = dict[str, Any]


class SqsQueue:
    """Sends messages to the queue of their kind and pool.

    client: an SQS client, or a function that makes one for the first message. pools: pool to queue URL.
    timers, parks: URLs, may be empty where such messages are never sent; schedules may be None likewise.
    """

    def __init__(
        self,
        client: Any,
        clock: Clock,
        *,
        pools: Mapping[str, str],
        timers: str = "",
        parks: str = "",
        schedules: ScheduleGroup | None = None,
    ) -> None:
        self._client, self._clock = LazyClient(client), clock
        self._pools, self._timers, self._parks, self._schedules = pools, timers, parks, schedules

    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        """Sends all of the messages; before any is sent, Misconfigured for one that has no queue here."""
        now = self._clock.now()
        queues: dict[str, list[Entry]] = {}
        later: list[tuple[Message, float, str, str]] = []
        for message, due in messages:
            url, body = self._url(message), body_of(message, due, now)
            delay = 0 if due is None else max(0, math.ceil(due - now))
            if due is not None and delay > SQS_DELAY_SECONDS:
                later.append((message, due, url, body))
            else:
                queues.setdefault(url, []).append({"MessageBody": body, "DelaySeconds": delay})
        if later and self._schedules is None:
            raise Misconfigured("no schedule group is set, so nothing can wait longer than 15 minutes: deploy one")
        for url, entries in queues.items():
            for batch in batches(entries, lambda entry: str(entry["MessageBody"])):
                await self._send(url, batch)
        for message, due, url, body in later:
            assert self._schedules is not None
            self._schedules.put(message, due, url, body)

    def _url(self, message: Message) -> str:
        match message.kind:
            case "step":
                url, missing = self._pools.get(message.pool, ""), f"step pool {message.pool!r} has no queue"
            case "timer":
                url, missing = self._timers, "timers have no queue"
            case "park":
                url, missing = self._parks, "parked failures have no queue"
            case _:
                assert_never(message.kind)
        if not url:
            known = ", ".join(sorted(self._pools)) or "none"
            raise Misconfigured(
                f"{missing} in this deployment, which has the pools: {known}. Deploy the workflows that are "
                f"installed here as one stack; execution {message.execution_id!r} waits until then"
            )
        return url

    async def _send(self, url: str, entries: list[Entry]) -> None:
        """Sends one batch; what SQS did not take of it is sent again, then Unavailable."""
        with_ids = [{"Id": str(number), **entry} for number, entry in enumerate(entries)]
        queue = f"the queue {url.rpartition('/')[2]!r}"
        check = "look at its name in the environment and the role's sqs:SendMessage"
        for pause in (*PAUSES, None):
            with translated(queue, check):
                answer = self._client().send_message_batch(QueueUrl=url, Entries=with_ids)
            failed = answer.get("Failed", [])
            if not failed:
                return
            codes = ", ".join(sorted({str(entry.get("Code")) for entry in failed}))
            if any(entry.get("SenderFault") for entry in failed):
                raise Misconfigured(f"{queue} refuses a message ({codes}): {check}")
            if pause is None:
                raise Unavailable(f"{queue} did not take {len(failed)} message(s) ({codes}); try again later")
            log.warning("%s did not take %d of %d messages (%s)", queue, len(failed), len(with_ids), codes)
            left = {entry["Id"] for entry in failed}
            with_ids = [entry for entry in with_ids if entry["Id"] in left]
            await self._clock.sleep(pause)
