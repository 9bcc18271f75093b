"""Sends the messages of schedules to the timer queue. They name no command, so they are not the Queue port's."""

from __future__ import annotations

import math
from typing import Any

from stepfast.backends.aws.errors import translated

MOST_DELAY_SECONDS = 900
"""Seconds that SQS holds a message back, at most."""


def send_later(client: Any, url: str, body: str, seconds: float) -> None:
    """Sends a text to a queue; it comes after `seconds`, or after 15 minutes where these are more."""
    with translated(f"the queue {url.rpartition('/')[2]!r}", "look at the role's sqs:SendMessage"):
        delay = min(MOST_DELAY_SECONDS, max(0, math.ceil(seconds)))
        client.send_message(QueueUrl=url, MessageBody=body, DelaySeconds=delay)
