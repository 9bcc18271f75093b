"""What a deployment of the code at hand would do to recorded executions: fix, break or leave them as they are. Pure.

It says no more than a replay can. A replay runs workflow code, and no step: whether a step that has failed goes through
now is known once it has run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

from stepfast.engine.verify import Verdict, verify
from stepfast.error_text import message_of
from stepfast.errors import StepfastError
from stepfast.language.registry import Registry
from stepfast.model import ENDED_FOR_GOOD, UNDER_WAY, Execution, Snapshot
from stepfast.records import dataclass

Judgement = Literal["unchanged", "fixes", "breaks", "unclear", "retired"]
FAILED = frozenset({"FAILED", "CLOSED"})


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be said about one execution.

    judgement: `fixes`: it is FAILED, and the code gets past its failure. `breaks`: the code does not reproduce what is
    recorded, or fails as soon as an execution under way goes on. `unclear`: a replay cannot tell; `reason` says why.
    `retired`: it has ended, and its workflow is gone.
    child: whether another execution waits for it, so that its failure is no dead letter of its own.
    notes: sleeps that count as waited.
    """

    execution_id: str
    workflow: str
    status: str
    child: bool
    judgement: Judgement
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def under_way(self) -> bool:
        return self.status in UNDER_WAY


class DeployCheck:
    """Judges executions one after the other. It keeps no execution, but what failed parents wait for.

    A FAILED parent whose children have failed is fixed if all of them are: a resume begins with them. It is judged
    once its children were looked at, in `rest` at the latest.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._children: dict[str, Judgement] = {}
        self._parents: dict[str, tuple[Execution, tuple[str, ...]]] = {}
        self.counts: Counter[Judgement] = Counter()
        self.patches: dict[str, Counter[bool]] = {}
        """How many executions have which answer of each patch, of those that may go on."""

    def judge(self, snapshot: Snapshot) -> Forecast | None:
        """What is to be said; None of a parent that waits for its children. Never raises for what is recorded."""
        try:
            verdict = verify(self._registry, snapshot)
        except (StepfastError, RecursionError) as error:
            return self._made(snapshot.execution, "unclear", f"{type(error).__name__}: {message_of(error)}")
        except Exception as error:  # of workflow code that cannot be replayed at all; its text may have values
            return self._made(snapshot.execution, "unclear", f"its replay raised {type(error).__name__}")
        execution = snapshot.execution
        if execution.status not in ENDED_FOR_GOOD:
            for patch, answer in verdict.patches.items():
                self.patches.setdefault(patch, Counter())[answer] += 1
        if execution.status in FAILED and verdict.outcome == "reproduced" and execution.causes:
            kinds = {cause: snapshot.records[cause].kind for cause in execution.causes if cause in snapshot.records}
            if kinds and set(kinds.values()) == {"child"}:
                last = (snapshot.records[cause].children[-1:] for cause in kinds)
                self._parents[execution.execution_id] = (execution, tuple(id for ids in last for id in ids))
                return None
        return self._made(execution, *_judged(verdict), notes=verdict.early)

    def unreadable(self, execution_id: str, reason: str) -> Forecast:
        """What is to be said of an execution that could not be read."""
        self.counts["unclear"] += 1
        return Forecast(execution_id, "?", "?", False, "unclear", reason)

    def rest(self) -> Iterator[Forecast]:
        """The parents that wait for their children, those without parents of their own at last."""
        for execution, children in sorted(self._parents.values(), key=lambda parent: -_depth(parent[0])):
            known = {child: self._children.get(child) for child in children}
            if all(judgement == "fixes" for judgement in known.values()):
                yield self._made(execution, "fixes")
                continue
            child = next(child for child, judgement in known.items() if judgement != "fixes")
            why = "was not looked at" if known[child] is None else f"is {known[child]}"
            if known[child] == "breaks":
                yield self._made(execution, "breaks", f"its child {child} is not reproduced")
            elif known[child] == "unchanged":
                yield self._made(execution, "unchanged")
            else:
                yield self._made(execution, "unclear", "its child failed, and " + _unclear_child(known, why))
        self._parents.clear()

    def _made(
        self, execution: Execution, judgement: Judgement, reason: str = "", notes: tuple[str, ...] = ()
    ) -> Forecast:
        self.counts[judgement] += 1
        if execution.is_child and execution.status in FAILED:
            self._children[execution.execution_id] = judgement
        return Forecast(
            execution.execution_id, execution.workflow, execution.status, execution.is_child, judgement, reason, notes
        )


def _unclear_child(known: Mapping[str, Judgement | None], why: str) -> str:
    return "a replay cannot tell whether that goes through now" if "unclear" in known.values() else f"that one {why}"


def _depth(execution: Execution) -> int:
    return execution.link.depth if execution.link is not None else 0


def _judged(verdict: Verdict) -> tuple[Judgement, str]:
    execution = verdict.execution
    if verdict.outcome == "retired":
        return "retired", ""
    if verdict.outcome == "mended":
        return "fixes", ""
    if verdict.outcome == "differs":
        if execution.status in FAILED and verdict.fails:
            return "unchanged", verdict.problem or ""  # it fails in another way, as it would have without the change
        return "breaks", verdict.problem or ""
    if verdict.fails_next is not None:
        return "breaks", verdict.fails_next
    if execution.status in FAILED and execution.causes:
        step = execution.error.step if execution.error is not None else None
        named = f"step {step!r}" if step else "a step"
        return "unclear", f"{named} failed for good, and a replay runs no steps"
    return "unchanged", ""
