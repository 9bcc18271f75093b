"""How much the tests try: little in the gate (`make test`), the rest each night (`make soak` sets STEPFAST_SOAK)."""

from __future__ import annotations

import datetime
import os

SOAK = bool(os.environ.get("STEPFAST_SOAK"))
LONGER = 10
"""A night's examples for one of the gate's."""


def examples(gate: int) -> int:
    """The examples that hypothesis tries in a test which tries `gate` of them in the gate."""
    return gate * LONGER if SOAK else gate


def seeds(gate: int, night: int) -> list[int]:
    """The first `gate` seeds; at night the first `night` seeds, and as many that no other night has."""
    if not SOAK:
        return list(range(gate))
    tonight = datetime.datetime.now(datetime.UTC).toordinal() * 10_000
    return [*range(night), *range(tonight, tonight + night)]
