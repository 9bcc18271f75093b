"""Ends timers that are due, and starts workflows by the clock."""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.timer import handler

__all__ = ["handler"]
