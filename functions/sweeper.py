"""Every few minutes: advances executions again that have made no progress."""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.sweeper import handler

__all__ = ["handler"]
