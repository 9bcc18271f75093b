"""Golden histories: executions as they were recorded once, which every later version must replay alike.

python -m tests.replay.golden            compares
python -m tests.replay.golden --write    writes them anew; executions in flight will then fail
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from stepfast.replay.replay import Command, Replay
from tests.replay.driver import Play
from tests.replay.golden_workflows import WORKFLOWS
from tests.replay.histories import execution_of, facts, record_of, replayed, stored

FOLDER = Path(__file__).parent / "golden"
ADVICE = (
    "Code that replays this history differently fails the executions that are in flight when it is deployed. "
    "If it is the product that has changed and this is meant, say so in CHANGELOG.md and write the histories "
    "anew: python -m tests.replay.golden --write"
)


def recorded(name: str) -> dict[str, Any]:
    """A new history: results come in a mixed order that is always the same."""
    workflow, input, signals = WORKFLOWS[name]
    play, draw = Play(workflow, input, signals), random.Random(name)

    def choose(ready: list[Command]) -> Command:
        timers = [one for one in ready if one.kind == "timer"]
        work = [one for one in ready if one.kind != "timer"]
        return draw.choice(work) if work else min(timers, key=lambda one: one.due or 0.0)

    play.run(choose)
    history = {"workflow": name, **stored(play)}
    return {**history, "waits": waits(name, history)}


def waits(name: str, history: dict[str, Any]) -> list[list[str]]:
    """What the workflow waited for at first, and after each result."""
    seen = []
    for count in range(len(history["records"]) + 1):
        records = {one["id"]: record_of(one) for one in history["records"][:count]}
        replay = Replay(WORKFLOWS[name][0], execution_of(WORKFLOWS[name][0], history))
        replay.advance(records, extend=True)
        seen.append([] if replay.finished else list(replay.outstanding))
        replay.close()
    return seen


def differences(name: str) -> list[str]:
    """What the code makes of the history of this name, other than what was recorded."""
    history = json.loads((FOLDER / f"{name}.json").read_text())
    now = facts(replayed(WORKFLOWS[name][0], history))
    found = [
        f"{what} was {json.dumps(history['facts'][what])}, is {json.dumps(now[what])}"
        for what in now
        if now[what] != history["facts"][what]
    ]
    for count, (before, after) in enumerate(zip(history["waits"], waits(name, history), strict=True)):
        if before != after:
            found.append(f"after {count} results it waited for {before}, now for {after}")
    return [f"golden history {name!r}: {one}" for one in found]


def main(write: bool) -> int:
    if write:
        FOLDER.mkdir(exist_ok=True)
        for name in WORKFLOWS:
            (FOLDER / f"{name}.json").write_text(json.dumps(recorded(name), indent=2) + "\n")
        return 0
    found = [one for name in WORKFLOWS for one in differences(name)]
    print("\n".join([*found, ADVICE] if found else ["all golden histories replay as recorded"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv[1:]))
