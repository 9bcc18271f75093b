"""The queues: one per pool, the timer queue, the park queue, and their dead-letter queues."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.deployment.plan import Plan, QueuePlan

LONGEST_RETENTION = Duration.days(14)


class Queues(Construct):
    """Every queue is encrypted and accepts TLS only.

    dead_letters: failed executions; redriving a message from there to `park` resumes its execution.
    undelivered: step and timer messages and stream records that no function could handle. In a healthy deployment it
    stays empty. events, event_letters: events that the bus has not taken yet, and those that it has refused for too
    long; None without an event bus.
    """

    def __init__(self, scope: Construct, id: str, *, plan: Plan) -> None:
        super().__init__(scope, id)
        self.dead_letters = self._last("DeadLetters")
        self.undelivered = self._last("Undelivered")
        self.park = self._queue("Park", plan.park_queue, self.dead_letters)
        self.timer = self._queue("Timer", plan.timer_queue, self.undelivered)
        self.events: sqs.Queue | None = None
        self.event_letters: sqs.Queue | None = None
        if plan.event_queue is not None:
            self.event_letters = self._last("EventLetters")
            self.events = self._queue("Events", plan.event_queue, self.event_letters)
        self.pools: Mapping[str, sqs.Queue] = {
            name: self._queue(f"Pool-{name}", pool.queue, self.undelivered) for name, pool in plan.pools.items()
        }

    def _queue(self, id: str, plan: QueuePlan, behind: sqs.Queue) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            visibility_timeout=Duration.seconds(plan.visibility),
            retention_period=Duration.seconds(plan.retention),
            dead_letter_queue=sqs.DeadLetterQueue(queue=behind, max_receive_count=plan.max_receive_count),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )

    def _last(self, id: str) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            retention_period=LONGEST_RETENTION,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
