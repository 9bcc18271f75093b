"""A no-op step for each of very many items, on stepfast and its peers in the same run: `python -m bench.map peers`.

Each engine runs the items in every way that it has for them. What counts is the ratio within the run.
"""

from __future__ import annotations

import json
import statistics
import time

from bench.bed import folder
from bench.peers.__main__ import output
from bench.peers.installing import PEERS, NotHere, Peer
from bench.peers.work import ITEMS, WORK
from bench.stepfast_bench import RESULTS
from bench.table import shown, table

PEER_TIMEOUT_SECONDS = 600.0
"""The longest time for one round of one engine, in all of its ways."""
NOT_HERE = (
    "Step Functions' Distributed Map was not measured: Step Functions Local and the emulators do not run it with "
    "durable child executions, and this measures no service over a network"
)


def main(items: int, rounds: int, reference: bool) -> int:
    """Prints the table, and keeps the result."""
    speeds: dict[str, dict[str, list[float]]] = {peer.name: {} for peer in PEERS}
    reasons: dict[str, str] = {}
    for _ in range(rounds):
        for peer in PEERS:
            try:
                ways = _put_through(peer, items) if peer.name not in reasons else {}
            except NotHere as error:
                reasons[peer.name] = str(error)
                continue
            for way, speed in ways.items():
                if isinstance(speed, str):
                    reasons[f"{peer.name}, {way}"] = speed
                else:
                    speeds[peer.name].setdefault(way, []).append(speed)
    medians = {
        (name, way): statistics.median(samples) for name, ways in speeds.items() for way, samples in ways.items()
    }
    ours = max((speed for (name, _), speed in medians.items() if name == "stepfast"), default=0.0)
    rows = [[name, way, shown(speed), shown(ours / speed)] for (name, way), speed in medians.items()]
    print(table(["", f"{items:,} items as", "items/s", "stepfast to it"], rows))
    for left_out, reason in reasons.items():
        print(f"{left_out} was not measured: {reason}")
    print(NOT_HERE)
    RESULTS.mkdir(exist_ok=True)
    made = {"made": time.strftime("%Y-%m-%dT%H:%M:%S"), "items": items, "items_per_s": speeds, "not_measured": reasons}
    name = "map-peers-reference" if reference else time.strftime("map-peers-%Y%m%d-%H%M%S")
    (RESULTS / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
    return 0 if ours else 1


def _put_through(peer: Peer, items: int) -> dict[str, float | str]:
    """Items a second by way, or why a way did not come to its end. Raises NotHere."""
    python, arguments = peer.python(), peer.arguments()
    with folder() as place:
        command = [str(python), "-m", f"bench.peers.{peer.program}", str(place), *arguments]
        said = output(command, PEER_TIMEOUT_SECONDS, {WORK: "map", ITEMS: str(items)})
    ways: dict[str, float | str] = json.loads(said.splitlines()[-1])["ways"]
    return ways
