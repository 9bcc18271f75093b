"""What must hold of a family of executions, whatever happens: who sees it, and when it is broken.

`tests/simulation/test_families.py` breaks the engine in each rule of children and runs, and sees it noticed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from stepfast.model import UNDER_WAY, Execution, Record, run_of
from stepfast.testing.memory import finished

if TYPE_CHECKING:
    from tests.simulation.family_world import FamilyWorld

ROOT = "root"
INVARIANTS = {
    "a-recorded-result-never-changes": "in its generation, a command's outcome is written once",
    "one-command-one-input": "one command is never run with two different inputs in one generation",
    "an-older-generation-reports-nothing": "an outcome of a child is of the parent's generation, and of its run",
    "a-resume-leaves-the-old-failure-behind": "a failure from before a parent's resume is not reported after it",
    "the-outcome-is-of-what-was-asked": "code and records do not contradict each other",
    "no-execution-is-stuck": "the root comes to its end without a sweep, but for failures that are resumed",
    "no-child-is-left-running": "after the root's end, each child has ended or was left",
    "a-family-is-paused-as-one": "below what is PAUSED nothing runs, and below what runs nothing is PAUSED with it",
    "only-roots-have-dead-letters": "a child that fails is parked only where its parent has left it",
    "a-fork-leaves-its-origin-alone": "a fork writes nothing but its own rows",
    "a-deletion-takes-its-own-alone": "a deletion of a fork leaves its origin whole, and the other way round",
    "a-closed-one-is-not-resumed": "by a resume, a repair or a job, unless it is reopened",
    "a-repair-stands": "the outcome that was given by hand, whatever an attempt from before it reports",
    "a-job-acts-once": "on each execution, and sees to all of its list, whatever crashes",
    "a-link-works-once": "one answer is taken, and no other",
    "an-update-is-answered-once": "whoever asks for an update by its id is told the same, whatever happened meanwhile",
    "a-refused-update-leaves-nothing": "no signal, and so nothing to run",
    "nothing-is-in-the-clear": "no value of an encrypted execution stands in the file",
    "each-has-a-key-of-its-own": "what is stored of an execution is encrypted under its own data key",
    "a-living-one-keeps-its-key": "no execution that is there has lost its data key",
    "a-deleted-one-is-unreadable": "once it is told so, its data key is destroyed; after a crash, the sweep does it",
    "a-signal-is-taken-once": "in whatever run: each that was sent, and none twice",
}


class Violation(AssertionError):
    """An invariant that did not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        assert invariant in INVARIANTS, invariant
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


class FamilyWatch:
    """Sees every attempt as it begins and every write that was accepted."""

    def __init__(self, world: FamilyWorld) -> None:
        self._world = world
        self.violation: Violation | None = None
        self._inputs: dict[tuple[str, int, str], set[str]] = defaultdict(set)
        self._outcomes: dict[tuple[str, int, str], Record] = {}

    def violated(self, invariant: str, what: str) -> None:
        """Kept for the scheduler, too: the engine goes on after errors of any kind, as it should."""
        self.violation = self.violation or Violation(invariant, what)
        raise self.violation

    def begun(self, key: tuple[str, int, str], arguments: Any) -> None:
        """A step begins. key: its execution, generation and id."""
        self._inputs[key].add(repr(dict(arguments)))
        if len(self._inputs[key]) > 1:
            self.violated("one-command-one-input", f"{key} ran with {self._inputs[key]}")

    def parked(self, execution: Execution | None) -> None:
        if execution is not None and execution.is_child:
            self.violated("only-roots-have-dead-letters", execution.execution_id)

    def wrote(self, name: str, arguments: tuple[Any, ...]) -> None:
        """After a write that was accepted."""
        if name in ("commit", "report"):
            self._recorded(name, arguments[0], arguments[1].record if name == "commit" else arguments[1])

    def _recorded(self, name: str, run_id: str, record: Record) -> None:
        if not record.recorded:
            return
        key = (run_id, record.generation, record.id)
        before = self._outcomes.setdefault(key, record)
        if (before.status, before.output) != (record.status, record.output):
            self.violated("a-recorded-result-never-changes", f"{key}: {before} and {record}")
        if name == "report":
            id, run = run_of(run_id)
            parent = self._read(id)
            if parent is None or (parent.generation, parent.run) != (record.generation, run):
                self.violated("an-older-generation-reports-nothing", f"{key}, to {parent}")
            else:
                self._reported(parent, record)

    def _reported(self, parent: Execution, record: Record) -> None:
        """What a report says has happened since the parent was resumed, if it is a failure, and to its own child."""
        child = self._read(record.children[-1]) if record.children else None
        if child is None or child.status != "FAILED" or record.status != "FAILED":
            return
        if (child.ended_at or 0.0) < (parent.resumed_at or 0.0):
            self.violated("a-resume-leaves-the-old-failure-behind", f"{child}, to {parent}")

    def _read(self, execution_id: str) -> Execution | None:
        return finished(self._world.backend.read(execution_id))

    def contradicted(self, members: list[Execution]) -> None:
        """Code and records of an execution fit each other."""
        for member in members:
            if member.error is not None and member.error.type == "NonDeterministic":
                self.violated("the-outcome-is-of-what-was-asked", f"{member.execution_id}: {member.error.message}")

    def over(self, members: list[Execution]) -> str:
        """Nothing goes on any more: the status of the root."""
        statuses = {member.execution_id: member.status for member in members}
        if statuses.get(ROOT) not in ("SUCCEEDED", "CANCELLED"):
            self.violated("no-execution-is-stuck", f"{statuses.get(ROOT)}: {statuses}")
        left = [member.execution_id for member in members if member.status in UNDER_WAY]
        if left:
            self.violated("no-child-is-left-running", ", ".join(left))
        for member in members:
            self._signals(member)
        return statuses[ROOT]

    def _signals(self, member: Execution) -> None:
        """Whoever waits for signals and has succeeded has got each of its signals once."""
        expected = self._world.signals_of(member.workflow)
        if expected and member.status == "SUCCEEDED":
            got = sorted(json.loads(member.result or "{}")["got"])
            if got != list(range(expected)):
                self.violated("a-signal-is-taken-once", f"{member.execution_id} got {got}")
