"""How much the tests try, and by which seeds: little and always the same in the gate (`make test`), more each night.

`make check` leaves out the tests that are marked slow, and those of LONG.

`make soak` draws the seed of a night, sets it as STEPFAST_SOAK, and prints the command that repeats that night.
"""

from __future__ import annotations

import os
from pathlib import Path

SOAK = bool(os.environ.get("STEPFAST_SOAK"))
SEED = int(os.environ["STEPFAST_SOAK"]) if SOAK else 0
"""The seed of this night; 0 in the gate, which draws nothing."""
LONGER = 10
"""A night's examples for one of the gate's."""


LONG = (
    "tests/backends",
    "tests/bench",
    "tests/browser",
    "tests/cloud",
    "tests/e2e",
    "tests/examples",
    "tests/functions",
    "tests/infra",
    "tests/properties",
    "tests/prose",
    "tests/protocol",
    "tests/cli/test_cli_commands.py",
    "tests/client/test_client.py",
    "tests/contract/test_deleting.py",
    "tests/contract/test_never_awaited.py",
    "tests/contract/test_resume_goes_on.py",
    "tests/contract/test_store_contract.py",
    "tests/contract/test_taken_back.py",
    "tests/engine/test_rewind_properties.py",
    "tests/http/test_connections.py",
    "tests/local/test_large_values.py",
    "tests/local/test_process_pools.py",
    "tests/local/test_runtime_blocked.py",
    "tests/local/test_runtime_steps.py",
    "tests/replay/test_random_shapes.py",
    "tests/simulation/test_deleting.py",
    "tests/testing_kit/test_plugin.py",
    "tests/testing_kit/test_recipes.py",
    "tests/testing_kit/test_replays.py",
    "tests/values/test_costs.py",
    "tests/versioning/test_verify.py",
)
"""Folders and files whose tests take ten seconds or more in all, and those of the prose, which lint reads as well.

They are marked slow, so that `make check` stays short.
"""
ROOT = Path(__file__).resolve().parents[1]


def is_long(path: Path) -> bool:
    """Whether LONG names this folder or file, or a folder around it."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
    return any(name == long or name.startswith(f"{long}/") for long in LONG)


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
