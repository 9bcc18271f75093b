"""The text of a tool error: the reason, and what the caller can do."""

from __future__ import annotations

from pydantic import ValidationError

from stepfast.client import NotAllowed, Unreachable
from stepfast.errors import ExecutionConflict, InvalidRequest, StepfastError, Unavailable

MAX_FAULTS = 20
"""Faults of an input that are listed."""


def text_of(error: StepfastError, url: str, key_hint: str) -> str:
    """The message for the MCP client.

    url: where the API was looked for. key_hint: where the key of the request comes from.
    """
    if isinstance(error, Unreachable):
        return (
            f"no stepfast answers at {url} ({error.reason}): start it with `stepfast dev`, or give `stepfast mcp` "
            "the right --url; then call again"
        )
    if isinstance(error, Unavailable):
        return f"{error}; call again later"
    if isinstance(error, NotAllowed):
        return f"{error} ({key_hint})"
    if isinstance(error, ExecutionConflict):
        return f"{error}; choose another id, or repeat the call exactly"
    if isinstance(error, InvalidRequest):
        return "\n".join([str(error), *_faults(error)])
    return str(error)


def _faults(error: InvalidRequest) -> list[str]:
    if error.total < 2:
        return []  # The message names the only one.
    lines = [f"- {field or 'input'}: {message}" for field, message in error.fields[:MAX_FAULTS]]
    more = error.total - len(lines)
    return [*lines, f"- and {more} more"] if more > 0 else lines


def misused(error: ValidationError, tool: str) -> str:
    """The message for arguments that do not fit a tool."""
    lines = [f"the arguments of {tool} do not fit:"]
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            lines.append(f"- {place}: no such argument; the input of a workflow goes into `input`")
        else:
            lines.append(f"- {place}: {fault['msg']}")
    return "\n".join(lines)
