"""Histories as JSON, and what a replay of one shows. `python -m tests.replay.histories FILE` replays a file's."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Failure, Record
from stepfast.replay.failures import describe_error
from stepfast.replay.replay import Replay
from stepfast.values.unset import unmarked
from tests.replay.driver import Play
from tests.replay.shapes import shaped


def stored(play: Play) -> dict[str, Any]:
    """Input, records and order of a play, and the facts of its replay."""
    return {
        "execution_id": play.execution.execution_id,
        "created_at": play.execution.created_at,
        "input": json.loads(play.execution.input),
        "records": [_record_json(one) for one in play.records.values()],
        "applied": list(play.applied),
        "facts": facts(play.replay()),
    }


def replayed(workflow: Workflow[..., Any], history: dict[str, Any]) -> Replay:
    """The workflow's code run against a stored history, by its durable order alone."""
    replay = Replay(workflow, execution_of(workflow, history))
    try:
        replay.advance({one["id"]: record_of(one) for one in history["records"]}, history["applied"])
    finally:
        replay.close()
    return replay


def execution_of(workflow: Workflow[..., Any], history: dict[str, Any]) -> Execution:
    return Execution(history["execution_id"], workflow.name, json.dumps(history["input"]), history["created_at"])


def facts(replay: Replay) -> dict[str, Any]:
    """Everything that must be the same in any process and version, without the marks of fields that were not set:

    version 0.1 wrote none behind a text, and neither digests nor comparisons look at them.
    """
    error = describe_error(replay.error) if replay.error is not None else None
    return {
        "finished": replay.finished,
        "result": json.loads(replay.result) if replay.result is not None else None,
        "error": [error.type, error.message] if error else None,
        "issued": list(replay.issued),
        "inputs": {one.id: unmarked(one.input) for one in replay.issued.values() if one.input is not None},
        "due": {one.id: one.due for one in replay.issued.values() if one.due is not None},
        "outstanding": list(replay.outstanding),
        "taken": list(replay.taken),
        "applied": list(replay.applied),
        "clock": replay.loop.clock,
    }


def _record_json(record: Record) -> dict[str, Any]:
    kept = ("id", "kind", "name", "status", "input", "output", "error", "attempt", "ended_at", "signal")
    told = {key: value for key, value in dataclasses.asdict(record).items() if key in kept and value is not None}
    told |= {key: unmarked(told[key]) for key in ("input", "output") if key in told}
    if record.error is not None:
        del told["error"]["parked"]  # an execution's only
        if not told["error"]["bases"]:
            del told["error"]["bases"]
        if told["error"]["error_class"] is None:
            del told["error"]["error_class"]
    return told


def record_of(history: dict[str, Any]) -> Record:
    error = history.get("error")
    return Record(**{**history, "generation": 0, "error": Failure(**error) if error else None})


def main(file: str) -> None:
    print(json.dumps([facts(replayed(shaped, one)) for one in json.loads(Path(file).read_text())]))


if __name__ == "__main__":
    main(sys.argv[1])
