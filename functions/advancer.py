"""Reads the stream of the table: replays an execution and sends what is outstanding."""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.advancer import handler

__all__ = ["handler"]
