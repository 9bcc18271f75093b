"""What must hold of every execution, watched while a cloud runs."""

from __future__ import annotations

import json

from bench.aws_units import Call
from stepfast.backends.dynamodb import item_keys
from stepfast.testing import MotoCloud
from stepfast.testing.memory import finished
from stepfast.testing.points import Point, Trigger
from tests.backends.wire import faults


class Invariants:
    """Watches every attempt as it begins; `check` looks at what was written."""

    def __init__(self, cloud: MotoCloud) -> None:
        self._cloud = cloud
        self._inputs: dict[tuple[str, str, int], str] = {}
        self.broken: list[str] = []
        self.attempts = 0
        cloud.points.add(Trigger("before", "step", None, 1, 10**9, self._begins, "", seen={"optional"}))

    def _begins(self, point: Point) -> None:
        self.attempts += 1
        store = self._cloud._stage.state.reading.store
        execution = finished(store.read(point.execution_id))
        found = None if execution is None else finished(store.peek(execution.run_id, point.command_id))
        if found is None:
            self.broken.append(f"{point} of an execution that is not there")
            return
        _, record = found
        if record is not None and record.recorded:  # of any generation: what a resume re-opens is OPEN
            self.broken.append(f"{point}: its result is recorded")
        call = [
            one for one in self._cloud._stage.state.calls.of(point.execution_id) if one.step_id == point.command_id
        ][-1]
        key = (point.execution_id, point.command_id, call.generation)
        told = repr(sorted(call.input.items()))
        if self._inputs.setdefault(key, told) != told:
            self.broken.append(f"{point}: another input than before in this generation")

    def check(self) -> None:
        """Raises AssertionError for what was broken: reads every record of the stream, and every call to AWS."""
        results: dict[tuple[str, int], str] = {}
        self._cloud._stage.deployment.stream.collect()
        for record in self._cloud._stage.deployment.stream.records:
            image = record["dynamodb"].get("NewImage")
            if image is None or not item_keys.sort_of(image).startswith(item_keys.command_sort("")):
                continue
            if image.get("stat", {}).get("S") not in ("SUCCEEDED", "FAILED", "CANCELLED"):
                continue
            key = (image["pk"]["S"] + image["sk"]["S"], int(image["gen"]["N"]))
            told = json.dumps([image["stat"], image.get("output")])
            if results.setdefault(key, told) != told:
                self.broken.append(f"{key}: a recorded result has changed")
        for one in self._cloud.calls:
            self.broken += faults(Call(one.service, one.operation, dict(one.parameters)))
        if self.broken:
            raise AssertionError("; ".join(self.broken))
