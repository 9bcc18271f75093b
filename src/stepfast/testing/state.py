"""What a test has asked for and what it has seen, whichever stage its executions run on."""

from __future__ import annotations

from typing import Any

from stepfast.engine.signalling import name_of_link
from stepfast.language.workflows import Workflow
from stepfast.testing.calls import CallLog
from stepfast.testing.fakes import Fakes
from stepfast.testing.points import Point, Points
from stepfast.testing.reading import Reading
from stepfast.testing.replays import ReplayCheck


class KitState:
    """Fakes, points, calls and executions of a test. They outlive every crash."""

    def __init__(self, points: Points, *, check_replays: bool) -> None:
        self.points = points
        self.fakes = Fakes()
        self.calls = CallLog()
        self.started: dict[str, Workflow[..., Any]] = {}
        self.reading = Reading(self.calls)
        self._replay_check = ReplayCheck(self.reading) if check_replays else None

    def replay_from_scratch(self, execution_id: str) -> None:
        """Raises NotRepeatable if the execution's code asks for something else than before; see ReplayCheck."""
        if self._replay_check is not None and execution_id in self.started:
            self._replay_check.look(execution_id)

    def accept_other_code(self) -> None:
        """After this no execution is NotRepeatable: the test has deployed other code."""
        if self._replay_check is not None:
            self._replay_check.deployed()

    def reach_waits(self, execution_id: str) -> None:
        """Reaches a point for each signal that the execution waits for, if a trigger wants such points."""
        if not self.points.wanted("waiting"):
            return
        snapshot = self.reading.snapshot(execution_id)
        if snapshot.execution.status != "RUNNING" or snapshot.execution.waits:
            return
        for command in self.reading.replay(snapshot).outstanding.values():
            if command.kind == "signal" and command.id not in snapshot.records:
                name = name_of_link(command.name) or command.name
                self.points.reach(Point("at", "waiting", execution_id, name, 0, command.id))
