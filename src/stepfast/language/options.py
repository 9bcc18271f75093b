"""Checks of the options of @step, options() and signal(): names, seconds, policies. All raise DefinitionError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from stepfast.errors import DefinitionError
from stepfast.language.retry import Retry

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
Seconds = float | timedelta
AS_DECLARED: Any = type("AsDeclared", (), {"__repr__": lambda self: "<as declared>"})()
"""Stands for an option that a call does not change."""


def name_of(name: object, kind: str) -> str:
    """The name, which must fit into ids and into names of queues. kind: how the error calls the named thing."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DefinitionError(f"a {kind} name is 1 to 64 of A-Z a-z 0-9 . _ -, not {name!r}")
    return name


def seconds_of(value: Seconds, where: str, least: float = 1e-6) -> float:
    """Seconds as a float, from seconds or a timedelta.

    where: how the error calls the value. least: the smallest number of seconds allowed.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds < float("inf"):
        raise DefinitionError(f"{where} is a number of seconds above 0 or a timedelta, not {value!r}")
    return float(seconds)


def policy_of(retry: object, step: str, required: bool = False) -> Retry | None:
    """The policy. None is refused where a policy is required."""
    if isinstance(retry, Retry) or (retry is None and not required):
        return retry
    raise DefinitionError(f"step {step!r}: retry takes a Retry, not {retry!r}")


def refuse_others(step: str, other: Mapping[str, object]) -> None:
    """Raises DefinitionError for an option that a call cannot change, and for an unknown option."""
    for option in other:
        why = "that is no option of a step"
        if option in ("pool", "at_most_once", "function", "limits"):
            why = f"a call cannot change {option}, by which a deployment was planned: make a second step with @step"
        raise DefinitionError(f"step {step!r}: options() takes retry, timeout, heartbeat and name, not {option}; {why}")
