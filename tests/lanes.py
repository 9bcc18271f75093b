"""How much the tests try, and by which seeds: little and always the same in the gate (`make test`), more each night.

`make soak` draws the seed of a night, sets it as STEPFAST_SOAK, and prints the command that repeats that night.
"""

from __future__ import annotations

import os

SOAK = bool(os.environ.get("STEPFAST_SOAK"))
SEED = int(os.environ["STEPFAST_SOAK"]) if SOAK else 0
"""The seed of this night; 0 in the gate, which draws nothing."""
LONGER = 10
"""A night's examples for one of the gate's."""


def examples(gate: int) -> int:
    """The examples that hypothesis tries in a test which tries `gate` of them in the gate."""
    return gate * LONGER if SOAK else gate


def seeds(gate: int, night: int) -> list[int]:
    """The first `gate` seeds; at night the first `night` seeds, and as many that no other night has."""
    if not SOAK:
        return list(range(gate))
    tonight = SEED * 10_000
    return [*range(night), *range(tonight, tonight + night)]


def seed(gate: int) -> int:
    """The seed of a test that takes a single seed: `gate` in the gate, another each night."""
    return SEED if SOAK else gate
