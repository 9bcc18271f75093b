"""Replays every execution from scratch as it goes on: workflow code must ask for the same each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from stepfast.errors import ExecutionNotFound, Misconfigured, NonDeterministic, StepNotDeployed
from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Snapshot
from stepfast.replay.commands import shortened
from stepfast.replay.failures import failure_of
from stepfast.replay.replay import Command, Replay

EACH = 50
"""Points of an execution at each of which it is replayed; after them, each time as many more again have passed."""
REPLAY_POINT_GROWTH = 1.2
HINT = (
    "a replay must ask for the same steps with the same inputs each time: take the time from stepfast.now(), numbers "
    "from stepfast.random(), ids from stepfast.uuid4(), and do in a step what else can differ (sets, caches, "
    "environment variables, state of modules); check_replays=False switches this check off"
)


class NotRepeatable(AssertionError):
    """Workflow code asks for one thing, and in a replay from scratch for another. The message names both."""


class Looks(Protocol):
    """What is asked about an execution."""

    def execution(self, execution_id: str) -> Execution: ...
    def snapshot(self, execution_id: str) -> Snapshot: ...
    def replay(self, snapshot: Snapshot) -> Replay: ...


@dataclass(slots=True)
class _Known:
    """What an execution's code has asked for so far in this generation."""

    generation: int
    asked: dict[str, Command] = field(default_factory=dict)
    ended: bool = False


class ReplayCheck:
    """Compares a replay from scratch with those before it, and with what is recorded.

    The cost of an execution of n commands grows as n: after the first points the distances between them grow.
    Its end is always looked at.
    """

    def __init__(self) -> None:
        self._points: Counter[str] = Counter()
        self._next: dict[str, float] = {}
        self._known: dict[str, _Known] = {}
        self._lenient = False

    def deployed(self) -> None:
        """Other code runs from here on: what it asks for is the engine's to judge."""
        self._known.clear()
        self._lenient = True

    def look(self, looks: Looks, execution_id: str) -> None:
        """Raises NotRepeatable. Called after whatever may have changed the execution."""
        try:
            self._look(looks, execution_id)
        except (ExecutionNotFound, Misconfigured):
            pass  # it was deleted, or is of a schema that this code does not read

    def _look(self, looks: Looks, execution_id: str) -> None:
        self._points[execution_id] += 1
        point = self._points[execution_id]
        known = self._known.get(execution_id)
        execution = looks.execution(execution_id)
        if known is not None and known.ended and known.generation == execution.generation:
            return
        if execution.status == "RUNNING" and point > EACH and point < self._next.get(execution_id, 0.0):
            return
        self._next[execution_id] = point * REPLAY_POINT_GROWTH
        if execution.status != "CANCELLED":
            self._compare(looks, looks.snapshot(execution_id))

    def _compare(self, looks: Looks, snapshot: Snapshot) -> None:
        execution = snapshot.execution
        replay = looks.replay(snapshot)
        known = self._known.get(execution.execution_id)
        if known is None or known.generation != execution.generation:
            known = self._known[execution.execution_id] = _Known(execution.generation)
        if replay.stale:
            return
        known.ended = execution.status != "RUNNING"
        problem = next(_problems(known.asked, replay, execution), None)
        if problem is not None and not self._lenient:
            raise NotRepeatable(f"execution {execution.execution_id!r} does not repeat itself: {problem}; {HINT}")
        known.asked |= replay.issued


def _problems(asked: dict[str, Command], replay: Replay, execution: Execution) -> Iterator[str]:
    for id, before in asked.items():
        now = replay.issued.get(id)
        if now is None:
            others = ", ".join(repr(one) for one in list(replay.outstanding)[:5]) or "nothing"
            if not _is_cut_short(replay):
                yield f"it asked for {_told(before)}, and a replay from scratch does not; it waits for {others}"
        elif not _alike(before, now):
            yield f"it asked for {_told(before)}, and a replay from scratch asks for {_told(now)}"
    if isinstance(replay.error, NonDeterministic):
        yield str(replay.error)
    elif execution.status == "SUCCEEDED":
        yield from _other_result(replay.workflow, replay, execution.result or "null")
    elif _type_of(execution) == StepNotDeployed.__name__:
        return  # the deployment's word, and none of the code's
    elif execution.status == "FAILED" and (replay.error is None or failure_of(replay).type != _type_of(execution)):
        ends = f"with {failure_of(replay).type}" if replay.error is not None else "otherwise"
        told = execution.error.message if execution.error else ""
        yield f"it FAILED with {_type_of(execution)}: {told}; a replay from scratch ends {ends}"


def _is_cut_short(replay: Replay) -> bool:
    """True where the replay itself broke off: what it has then not asked for tells nothing more."""
    return isinstance(replay.error, NonDeterministic)


def _type_of(execution: Execution) -> str | None:
    return execution.error.type if execution.error else None


def _other_result(workflow: Workflow[..., Any], replay: Replay, result: str) -> Iterator[str]:
    if replay.result is None:
        waits = ", ".join(map(repr, list(replay.outstanding)[:5]))
        told = f"fails with {failure_of(replay).type}" if replay.error is not None else f"goes on to ask for {waits}"
        yield f"it SUCCEEDED with {shortened(result)}, and a replay from scratch {told}"
    elif not workflow.result.same(result, replay.result):
        yield f"it SUCCEEDED with {shortened(result)}, and a replay from scratch returns {shortened(replay.result)}"


def _alike(one: Command, other: Command) -> bool:
    if (one.kind, one.name) != (other.kind, other.name):
        return False
    if one.kind == "timer":
        return abs((one.delay or 0.0) - (other.delay or 0.0)) < 1e-3
    if one.step is None or one.input == other.input:
        return True
    return one.step.arguments.codec.same(one.input or "null", other.input or "null")


def _told(command: Command) -> str:
    if command.kind == "timer":
        return f"{command.id!r}, {command.delay or 0.0:g} s"
    return f"{command.id!r}" + (f" with the input {shortened(command.input)}" if command.input is not None else "")
