"""Tests of workflows: the real engine in simulated time, with fakes, crashes and cues.

docs/testing.md shows how to use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepfast.testing import mocks as mocks  # refuses mocks of steps from now on
from stepfast.testing.calls import Call
from stepfast.testing.context import step_context
from stepfast.testing.cues import Cue
from stepfast.testing.environment import Environment, MakeEnvironment
from stepfast.testing.points import Stalled
from stepfast.testing.replays import NotRepeatable
from stepfast.testing.runs import Run, Waiting

if TYPE_CHECKING:
    from stepfast.simulator.rules import Rules
    from stepfast.testing.cloud.moto_cloud import MotoCloud

__all__ = [
    "Call",
    "Cue",
    "Environment",
    "MakeEnvironment",
    "MotoCloud",
    "NotRepeatable",
    "Rules",
    "Run",
    "Stalled",
    "Waiting",
    "step_context",
]


def __getattr__(name: str) -> Any:
    """MotoCloud needs moto and boto3, which only those who test on AWS's services have."""
    if name == "Rules":
        from stepfast.simulator.rules import Rules

        return Rules
    if name != "MotoCloud":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from stepfast.testing.cloud.moto_cloud import MotoCloud
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore", "moto", "time_machine"):
            raise
        raise ImportError("MotoCloud needs moto: pip install 'stepfast[cloud-testing]'") from error
    return MotoCloud
