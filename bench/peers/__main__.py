"""Measures stepfast and its peers with the same work in the same run: `python -m bench.peers [--reference]`.

In rounds, one engine after the other, each in fresh processes on fresh files of the checkout's disk. What
counts is the ratio within a run: the figures themselves are this machine's, at this time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

from bench import measure
from bench.bed import ROOT, folder
from bench.imports import timed
from bench.peers.installing import LEFT_OUT, PEERS, NotHere, Peer
from bench.stepfast_bench import RESULTS
from bench.table import shown, table

PEER_TIMEOUT_SECONDS = 150.0
"""The longest time for one round of one engine."""
IMPORTS = 3

Lines = tuple[tuple[str, str, bool], ...]
LINES: Lines = (
    ("sequence_10_ms", "ms a step, sequence of 10", False),
    ("sequence_1000_ms", "ms a step, sequence of 1,000", False),
    ("steps_per_s", "steps/s, 200 executions of 10 at once", True),
    ("gather_100_ms", "fan-out of 100, ms", False),
    ("gather_1000_s", "fan-out of 1,000, s", False),
    ("cpu_sequence_s", "CPU s per 1,000 steps, in sequence", False),
    ("cpu_throughput_s", "CPU s per 1,000 steps, 200 at once", False),
    ("resident_mb", "resident MB after all that", False),
    ("import_ms", "import, ms", False),
)
"""Field, title, and whether more is better."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="Compares durable engines here.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reference", action="store_true", help="keep the result as the committed one")
    asked = parser.parse_args()
    samples: dict[str, list[measure.Measured]] = {peer.name: [] for peer in PEERS}
    reasons: dict[str, str] = {}
    disk = []
    for number in range(asked.rounds):
        disk.append(measure.run("raw"))
        for peer in PEERS:
            if peer.name not in reasons:
                _show_progress(f"round {number + 1} of {asked.rounds}: {peer.name}")
                try:
                    samples[peer.name].append(_put_through(peer))
                except NotHere as error:
                    reasons[peer.name] = str(error)
    _show_progress("")
    medians = {name: _medians(peer_samples) for name, peer_samples in samples.items() if peer_samples}
    made = time.strftime("%Y-%m-%dT%H:%M:%S")
    result = {"made": made, "disk": disk, "medians": medians, "samples": samples, "not_measured": reasons}
    RESULTS.mkdir(exist_ok=True)
    name = "peers-reference" if asked.reference else time.strftime("peers-%Y%m%d-%H%M%S")
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    commit = statistics.median(sample["sqlite_commit_ms"] for sample in disk)
    print(_table(medians))
    print(f"\nA commit in SQLite (WAL, synchronous=FULL) took {shown(commit)} ms on this disk in this run.")
    for left_out, reason in (LEFT_OUT | reasons).items():
        print(f"{left_out} was not measured: {reason}")
    return 0 if "stepfast" in medians else 1


def _put_through(peer: Peer) -> measure.Measured:
    """Runs one round of one engine. Raises NotHere if it cannot be installed or does not finish."""
    python, arguments = peer.python(), peer.arguments()
    with folder() as place:
        said = output([str(python), "-m", f"bench.peers.{peer.program}", str(place), *arguments])
    measured: measure.Measured = json.loads(said.splitlines()[-1])
    took = timed("pass", peer.imported, IMPORTS, python)[1]
    return measured | {"import_ms": took}


def output(
    command: list[str], timeout: float = PEER_TIMEOUT_SECONDS, environment: Mapping[str, str] | None = None
) -> str:
    """The output of a program. A program that takes too long is ended, with the processes it has started.

    timeout: in seconds. environment: variables beside those of this process. Raises NotHere.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=timeout)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise NotHere(f"not through within {timeout:g} s") from None
        raise
    if process.returncode:
        raise NotHere(f"it failed: {(said.strip().splitlines() or ['no reason given'])[-1]}")
    return out


def _medians(samples: list[measure.Measured]) -> measure.Measured:
    return {field: statistics.median(sample[field] for sample in samples) for field, _, _ in LINES}


def _table(medians: dict[str, measure.Measured]) -> str:
    """A column for each engine. Each value of a peer comes with the ratio to stepfast's value."""
    present = [peer for peer in PEERS if peer.name in medians]
    durable = [peer.name for peer in present if peer.durable and peer.name != "stepfast"]
    ours = medians.get("stepfast")
    rows = []
    for field, title, more in LINES:
        cells = [shown(medians[peer.name][field]) for peer in present]
        if ours is not None and durable:
            theirs = [medians[name][field] for name in durable]
            ratio = ours[field] / max(theirs) if more else min(theirs) / ours[field]
            cells.append(f"{shown(ratio)} times")
        rows.append([title, *cells])
    head = ["", *(peer.name for peer in present)]
    return table([*head, "better than the best durable peer"] if ours and durable else head, rows)


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
