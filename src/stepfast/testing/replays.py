"""Replays executions from scratch while a test runs: workflow code must ask for the same commands each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stepfast.errors import ExecutionNotFound, Misconfigured, NonDeterministic, StepNotDeployed, WorkflowNotDeployed
from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Snapshot
from stepfast.replay.commands import shortened
from stepfast.replay.failures import failure_of
from stepfast.replay.replay import Command, Replay
from stepfast.testing.reading import Reading

EACH_POINT_UNTIL = 50
"""An execution is replayed at each of its first 50 points."""
REPLAY_POINT_GROWTH = 1.2
"""From then on it is replayed when the number of points has grown by this factor."""
HINT = (
    "a replay must ask for the same steps with the same inputs each time: take the time from stepfast.now(), numbers "
    "from stepfast.random(), ids from stepfast.uuid4(), and do in a step what else can differ (sets, caches, "
    "environment variables, state of modules); check_replays=False switches this check off"
)


class NotRepeatable(AssertionError):
    """Workflow code asks for one thing, and in a replay from scratch for another. The message names both."""


@dataclass(slots=True)
class _Known:
    """The commands that an execution's code has asked for so far in this generation."""

    generation: int
    asked: dict[str, Command] = field(default_factory=dict)
    ended: bool = False


class ReplayCheck:
    """Compares a replay from scratch with those before it, and with what is recorded.

    A replay of n commands costs time in proportion to n. So after the first points the distances between replays grow.
    The end of an execution is always checked.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._points: Counter[str] = Counter()
        self._next: dict[str, float] = {}
        self._known: dict[str, _Known] = {}
        self._lenient = False

    def deployed(self) -> None:
        """Other code runs from here on. Only the engine judges what it asks for."""
        self._lenient = True

    def look(self, execution_id: str) -> None:
        """Checks an execution, after anything that may have changed it; NotRepeatable."""
        if self._lenient:
            return
        try:
            self._look(execution_id)
        except (ExecutionNotFound, Misconfigured):
            pass  # it was deleted, or this code cannot read its schema

    def _look(self, execution_id: str) -> None:
        self._points[execution_id] += 1
        point = self._points[execution_id]
        known = self._known.get(execution_id)
        execution = self._reading.execution(execution_id)
        if known is not None and known.ended and known.generation == execution.generation:
            return
        if execution.status == "RUNNING" and point > EACH_POINT_UNTIL and point < self._next.get(execution_id, 0.0):
            return
        self._next[execution_id] = point * REPLAY_POINT_GROWTH
        if execution.status != "CANCELLED":
            self._compare(self._reading.snapshot(execution_id))

    def _compare(self, snapshot: Snapshot) -> None:
        execution = snapshot.execution
        if execution.waits:
            return  # Its code has not run, and it may get another input.
        replay = self._reading.replay(snapshot)
        known = self._known.get(execution.execution_id)
        if known is None or known.generation != execution.generation:
            known = self._known[execution.execution_id] = _Known(execution.generation)
        if replay.stale:
            return
        known.ended = execution.status != "RUNNING"
        problem = next(_problems(known.asked, replay, execution), None)
        if problem is not None:
            raise NotRepeatable(f"execution {execution.execution_id!r} does not repeat itself: {problem}; {HINT}")
        known.asked |= replay.issued


def _problems(asked: dict[str, Command], replay: Replay, execution: Execution) -> Iterator[str]:
    for id, before in asked.items():
        now = replay.issued.get(id)
        if now is None:
            others = ", ".join(map(repr, list(replay.outstanding)[:5])) or "nothing"
            if not _is_cut_short(replay):
                yield f"it asked for {_shown(before)}, and a replay from scratch does not; it waits for {others}"
        elif not _alike(before, now):
            yield f"it asked for {_shown(before)}, and a replay from scratch asks for {_shown(now)}"
    if isinstance(replay.error, NonDeterministic):
        yield str(replay.error)
    elif execution.status == "SUCCEEDED":
        yield from _other_result(replay.workflow, replay, execution.result or "null")
    elif _type_of(execution) in (StepNotDeployed.__name__, WorkflowNotDeployed.__name__):
        return  # the deployment lacks the step or the workflow: the code is not at fault
    elif execution.status == "FAILED" and (replay.error is None or failure_of(replay).type != _type_of(execution)):
        ends = f"with {failure_of(replay).type}" if replay.error is not None else "otherwise"
        message = execution.error.message if execution.error else ""
        yield f"it FAILED with {_type_of(execution)}: {message}; a replay from scratch ends {ends}"


def _is_cut_short(replay: Replay) -> bool:
    """True if the replay itself broke off. Then commands that it has not asked for say nothing about the code."""
    return isinstance(replay.error, NonDeterministic)


def _type_of(execution: Execution) -> str | None:
    return execution.error.type if execution.error else None


def _other_result(workflow: Workflow[..., Any], replay: Replay, result: str) -> Iterator[str]:
    if replay.result is None:
        waits = ", ".join(map(repr, list(replay.outstanding)[:5]))
        outcome = f"fails with {failure_of(replay).type}" if replay.error is not None else f"goes on to ask for {waits}"
        yield f"it SUCCEEDED with {shortened(result)}, and a replay from scratch {outcome}"
    elif not workflow.result.same(result, replay.result):
        yield f"it SUCCEEDED with {shortened(result)}, and a replay from scratch returns {shortened(replay.result)}"


def _alike(before: Command, now: Command) -> bool:
    if (before.kind, before.name) != (now.kind, now.name):
        return False
    if before.kind == "timer":
        return abs((before.delay or 0.0) - (now.delay or 0.0)) < 1e-3
    if before.step is None or before.input == now.input:
        return True
    return before.step.arguments.codec.same(before.input or "null", now.input or "null")


def _shown(command: Command) -> str:
    if command.kind == "timer":
        return f"{command.id!r}, {command.delay or 0.0:g} s"
    return f"{command.id!r}" + (f" with the input {shortened(command.input)}" if command.input is not None else "")
