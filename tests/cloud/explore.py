"""Explores every crash point of the examples: `python -m tests.cloud.explore [--pairs N] [--seed S] [NAME...]`.

A failure is printed with the kills that led to it, by which `explore` repeats it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from stepfast.simulator.account import When
from tests.cloud.exploration import Example, calls_of, explore, pairs, points
from tests.cloud.explored import EXAMPLES as ALONE
from tests.cloud.families import FAMILY
from tests.cloud.limit_examples import LIMITED
from tests.cloud.map_examples import MAPS
from tests.cloud.operator_examples import OPERATED
from tests.cloud.run_examples import RUNS

EXAMPLES = {**ALONE, **RUNS, **MAPS, **LIMITED, **OPERATED, "family": FAMILY}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", default=[*EXAMPLES], help="which examples, by default all")
    options.add_argument("--pairs", type=int, default=200, help="double kills for each example")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    logging.disable(logging.CRITICAL)
    failures = 0
    for name in asked.names:
        example, began, explored = EXAMPLES[name], time.monotonic(), 0
        with example.world():
            expected, calls = calls_of(example)
            for number, kills in enumerate([*points(example), *pairs(example, asked.seed, asked.pairs)]):
                seed = number + 1 if len(kills) > 1 else 0
                explored += 1
                wrong = _wrong(example, kills, seed, expected)
                if wrong:
                    failures += 1
                    print(f"{name}: explore(EXAMPLES[{name!r}], {kills}, seed={seed}): {wrong}", flush=True)
        took = time.monotonic() - began
        print(f"{name}: {explored} crash points in {calls} calls, {took:.0f} s", flush=True)
    print("every outcome was the same" if not failures else f"{failures} failed")
    return 1 if failures else 0


def _wrong(example: Example, kills: dict[int, When], seed: int, expected: object) -> str:
    """What was wrong with a run, "" for nothing."""
    try:
        outcome = explore(example, kills, seed=seed)[0]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if outcome == expected else f"came to {outcome!r}, not {expected!r}"


if __name__ == "__main__":
    sys.exit(main())
