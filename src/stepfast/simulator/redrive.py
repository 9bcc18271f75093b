"""StartMessageMoveTask, which moto lacks: dead letters go back to where they came from, as new messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.sqs.exceptions import InvalidParameterValue
from moto.sqs.models import Message, Queue
from moto.sqs.responses import SQSResponse

from stepfast.simulator.patching import Patches
from stepfast.simulator.sqs_rules import MailRules, queue_of
from stepfast.simulator.world import World

FASTEST = 500
"""Messages a second; also what is done without a rate."""


@dataclass(slots=True)
class MoveTask:
    """A redrive of dead letters.

    total: how many messages it moves.
    moved: how many it has moved so far.
    status: "RUNNING", or how it ended.
    reason: why it failed, or None.
    left: the messages that it has yet to move.
    """

    handle: str
    origin: Queue
    destination: Queue | None
    rate: int
    left: list[Message]
    total: int
    moved: int = 0
    status: str = "RUNNING"
    reason: str | None = None


class Redrives:
    """The tasks of a cloud, newest last."""

    def __init__(self, world: World, rules: MailRules) -> None:
        self._world, self._rules = world, rules
        self.tasks: list[MoveTask] = []

    def start(self, source: str, destination: str | None = None, rate: int | None = None) -> MoveTask:
        """Begins to move what is in a dead-letter queue now, by its ARN or name, at most `rate` a second."""
        if rate is not None and not 1 <= rate <= FASTEST:
            raise InvalidParameterValue(f"MaxNumberOfMessagesPerSecond is 1 to {FASTEST}, not {rate}")
        origin = queue_of(source)
        if any(task.origin is origin and task.status == "RUNNING" for task in self.tasks):
            raise InvalidParameterValue("There is already a task running for this queue.")
        left = self._rules.receivable(origin)
        target = queue_of(destination) if destination else None
        task = MoveTask(f"task-{len(self.tasks) + 1}", origin, target, rate or FASTEST, left, len(left))
        self.tasks.append(task)
        self._world.agenda.put(self._world.clock.micros, lambda: self._go_on(task))
        return task

    def _go_on(self, task: MoveTask) -> None:
        """Moves what one second allows."""
        if task.status != "RUNNING":
            return
        batch, task.left = task.left[: task.rate], task.left[task.rate :]
        receivable = set(self._rules.receivable(task.origin))
        for message in (message for message in batch if message in receivable):
            source = self._rules.source(message)
            target = task.destination or (queue_of(source) if source else None)
            if target is None:
                task.status, task.reason = "FAILED", "CouldNotDetermineMessageSource"
                return
            self._rules.move(message, task.origin, target)
            task.moved += 1
        if task.left:
            self._world.later(lambda: self._go_on(task), 1.0)
        else:
            task.status = "COMPLETED"

    def patch(self, patches: Patches) -> None:
        redrives = self

        def start(self: SQSResponse) -> ActionResult:
            rate = self._get_param("MaxNumberOfMessagesPerSecond")
            task = redrives.start(
                self._get_param("SourceArn"), self._get_param("DestinationArn"), int(rate) if rate else None
            )
            return ActionResult({"TaskHandle": task.handle})

        def listed(self: SQSResponse) -> ActionResult:
            source = self._get_param("SourceArn")
            tasks = [_as_listed(task) for task in reversed(redrives.tasks) if task.origin.queue_arn == source]
            return ActionResult({"Results": tasks[: int(self._get_param("MaxResults") or 1)]})

        def cancel(self: SQSResponse) -> ActionResult:
            for task in redrives.tasks:
                if task.handle == self._get_param("TaskHandle") and task.status == "RUNNING":
                    task.status = "CANCELLED"
                    return ActionResult({"ApproximateNumberOfMessagesMoved": task.moved})
            raise InvalidParameterValue("There is no such task running.")

        patches.put(SQSResponse, "start_message_move_task", start)
        patches.put(SQSResponse, "list_message_move_tasks", listed)
        patches.put(SQSResponse, "cancel_message_move_task", cancel)


def _as_listed(task: MoveTask) -> dict[str, Any]:
    entry = {
        "Status": task.status,
        "SourceArn": task.origin.queue_arn,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.total,
    }
    if task.status == "RUNNING":
        entry["TaskHandle"] = task.handle
    if task.reason:
        entry["FailureReason"] = task.reason
    result: dict[str, Any] = json.loads(json.dumps(entry))
    return result
