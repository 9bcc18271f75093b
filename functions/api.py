"""The HTTP API behind API Gateway: start, look, signal, cancel, resume."""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.api import handler

__all__ = ["handler"]
