"""stepfast: long-running workflows as plain async Python that survive crashes, outages and restarts."""

from typing import TYPE_CHECKING

from stepfast.context import StepContext, current_step
from stepfast.errors import GiveUp, RetryAfter, StepFailed
from stepfast.retry import Retry
from stepfast.workflow import (
    now,
    random,
    signal,
    step,
    uuid4,
    workflow,
)

if TYPE_CHECKING:
    from stepfast.client import Client, Execution

__all__ = [
    "Client",
    "Execution",
    "GiveUp",
    "Retry",
    "RetryAfter",
    "StepContext",
    "StepFailed",
    "current_step",
    "now",
    "random",
    "signal",
    "step",
    "uuid4",
    "workflow",
]


def __getattr__(name: str) -> object:
    # The client brings an HTTP library along, which workers and workflow authors do not need.
    if name in ("Client", "Execution"):
        from stepfast import client

        return getattr(client, name)
    raise AttributeError(f"module 'stepfast' has no attribute {name!r}")
