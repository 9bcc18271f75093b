"""Refuses a failed execution's message, so that SQS makes a dead letter of it; resumes a redriven one."""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.resume import handler

__all__ = ["handler"]
