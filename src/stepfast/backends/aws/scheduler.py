"""Messages that are due later than a queue can wait: one-time schedules that put them into the queue.

A schedule fires a minute early and the message waits out the rest, since schedules are exact to a minute only.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from stepfast.backends.aws.clients import LazyClient
from stepfast.backends.aws.errors import code_of, translated
from stepfast.engine.messages import Message

EARLY = 60.0
LATEST = datetime(2099, 1, 1, tzinfo=UTC).timestamp()
"""What is due later is looked at then, and put off again."""


class ScheduleGroup:
    """A group of schedules that send to queues.

    client: an EventBridge Scheduler client, or a function that makes one for the first schedule. role_arn: what
    the scheduler assumes to send.
    """

    def __init__(self, client: Any, group: str, role_arn: str) -> None:
        self._client, self._group, self._role = LazyClient(client), group, role_arn

    def put(self, message: Message, due: float, queue_url: str, body: str) -> None:
        """Schedules a message for a minute before `due`; one that is scheduled already is left as it is."""
        at = datetime.fromtimestamp(min(math.floor(due - EARLY), LATEST), UTC)
        client = self._client()
        with translated(
            f"the schedule group {self._group!r}",
            "look at STEPFAST_SCHEDULES, STEPFAST_SCHEDULE_ROLE and the role's scheduler: and iam:PassRole permissions",
        ):
            try:
                client.create_schedule(
                    Name=schedule_name(message, due),
                    GroupName=self._group,
                    ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
                    ScheduleExpressionTimezone="UTC",
                    FlexibleTimeWindow={"Mode": "OFF"},
                    ActionAfterCompletion="DELETE",
                    Target={
                        "Arn": queue_arn(queue_url, client.meta.region_name, client.meta.partition),
                        "RoleArn": self._role,
                        "Input": body,
                    },
                )
            except ClientError as error:
                if code_of(error) != "ConflictException":
                    raise


def schedule_name(message: Message, due: float) -> str:
    """The same for the same command, generation and second: a schedule is deleted some time after it has fired,
    so another attempt of the command must not meet the one before.
    """
    identity = f"{message.execution_id}/{message.command_id}/{message.generation}/{math.ceil(due)}"
    return hashlib.sha256(identity.encode()).hexdigest()[:48]


def queue_arn(url: str, region: str, partition: str = "aws") -> str:
    """The ARN of a queue, from its URL: https://sqs.<region>.amazonaws.com/<account>/<name>."""
    account, name = urlsplit(url).path.strip("/").split("/")[-2:]
    return f"arn:{partition}:sqs:{region}:{account}:{name}"
