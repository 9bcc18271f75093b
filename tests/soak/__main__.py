"""python -m tests.soak --seconds N [--seed S]: kill -9 under load, again and again; exits 1 on a broken promise."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import Soak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the server is tormented")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    again = f"python -m tests.soak --seconds {options.seconds:g} --seed {options.seed}"
    print(f"repeat it with: {again}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="stepfast-soak-"))
    soak = Soak(folder, options.seed)
    try:
        report = soak.run(options.seconds)
    finally:
        soak.close()
    print(report)
    for violation in report.violations[:20]:
        print(f"- {violation}", file=sys.stderr)
    if report.violations:
        print(
            f"{len(report.violations)} broken; its files are in {folder}; repeat it with: {again}",
            file=sys.stderr,
        )
    return bool(report.violations)


if __name__ == "__main__":
    sys.exit(main())
