"""For tests of workflows: the real engine in simulated time, with fakes, crashes and cues (docs/testing.md)."""

from stepfast.testing.calls import Call
from stepfast.testing.context import step_context
from stepfast.testing.cues import Cue
from stepfast.testing.environment import Environment, MakeEnvironment
from stepfast.testing.points import Stalled
from stepfast.testing.runs import Run, Waiting

__all__ = [
    "Call",
    "Cue",
    "Environment",
    "MakeEnvironment",
    "Run",
    "Stalled",
    "Waiting",
    "step_context",
]
