"""Lets callers of the HTTP API in by their key."""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.authorizer import handler

__all__ = ["handler"]
