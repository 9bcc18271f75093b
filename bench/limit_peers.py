"""The same executions on a rate, by stepfast and by a peer's queue limiter: `python -m bench.limit_peers`.

Both run embedded, on SQLite files of the checkout's disk, one after the other in each round. Restate (server 1.7.12,
SDK 1.3.0) has no rate limit to compare with, and Hatchet needs a server and a PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import time
from collections import Counter
from collections.abc import Sequence

from bench import limit_steps, limits
from bench.bed import folder
from bench.peers.__main__ import output
from bench.peers.installing import PEERS, NotHere
from bench.table import shown, table

RATE = limit_steps.RATE
Measured = tuple[float, float, float]
"""Seconds for all, the most that began in a second, and by how much of the rate a second is off, in the mean."""


def measured(began: Sequence[float], seconds: float) -> Measured:
    """Of the seconds between the first beginning and the last, the last, which is not full, is left out."""
    times = sorted(began)
    counts = Counter(int(at - times[0]) for at in times)
    full = range(max(1, int(times[-1] - times[0])))
    off = statistics.mean(abs(counts[second] - RATE) for second in full) / RATE
    most = max(sum(at <= other < at + 1 for other in times[place : place + 4 * RATE]) for place, at in enumerate(times))
    return seconds, most, off


def here(executions: int) -> Measured:
    start = time.perf_counter()
    limits.embedded("paced", range(executions))
    return measured([at for at, _ in limit_steps.began], time.perf_counter() - start)


def dbos(executions: int) -> Measured:
    """Raises NotHere where DBOS cannot be installed or does not finish."""
    (peer,) = [peer for peer in PEERS if peer.program == "dbos_engine" and not peer.options]
    python = peer.python()
    with folder() as place:
        command = [str(python), "-m", "bench.peers.dbos_limit", str(place), str(executions), str(RATE)]
        said = json.loads(output(command).splitlines()[-1])
    return measured(said["began"], said["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.limit_peers", description="Compares limits of a rate.")
    parser.add_argument("--executions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    busy, reason = os.getloadavg()[0], ""
    samples: dict[str, list[Measured]] = {"stepfast": [], "DBOS 3.4.0, SQLite": []}
    for _ in range(asked.rounds):
        samples["stepfast"].append(here(asked.executions))
        try:
            samples["DBOS 3.4.0, SQLite"].append(dbos(asked.executions))
        except NotHere as error:
            reason = str(error)
    rows = [
        (name, *(shown(statistics.median(values)) for values in zip(*kept, strict=True)))
        for name, kept in samples.items()
        if kept
    ]
    title = f"{asked.executions:,} executions at {RATE} a second"
    print(table((title, "seconds", "most in a second", "a second is off by, share of the rate"), rows))
    print(f"cores {os.cpu_count()}, load average before the run {busy:.1f}; ideal {asked.executions / RATE:.0f} s")
    if reason:
        print(f"DBOS was not measured: {reason}")


if __name__ == "__main__":
    main()
