"""Runs the steps of a pool, a message of its queue each; every pool has a function made of this file."""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.step import handler

__all__ = ["handler"]
