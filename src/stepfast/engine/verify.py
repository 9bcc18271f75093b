"""Whether the code at hand reproduces what an execution has recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any, Literal, assert_never

from stepfast.engine.attempt import SKEW
from stepfast.errors import FailsExecution, NonDeterministic
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.model import UNDER_WAY, Execution, Snapshot
from stepfast.records import dataclass
from stepfast.replay.commands import shortened
from stepfast.replay.failures import failure_of
from stepfast.replay.replay import Replay

Outcome = Literal["reproduced", "mended", "retired", "differs"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one execution's replay.

    outcome: `reproduced`. `mended`: the execution is FAILED and the code no longer fails, so a resume goes on from
    there. `retired`: the execution has ended for good and its workflow is not deployed. `differs`: `problem` says how.
    early: sleeps and timeouts that the records say are over although the code would still wait. Only executions that
    have not ended for good have them. They count as waited, and are not a difference.
    fails: the difference is that a FAILED execution now fails with another error of its code, other than
    NonDeterministic.
    fails_next: how an execution under way fails by its own code as soon as it goes on. That may be meant, so it is no
    difference.
    patches: the answers of `patched` by id, as far as the code has come.
    """

    execution: Execution
    outcome: Outcome
    problem: str | None = None
    early: tuple[str, ...] = ()
    fails: bool = False
    fails_next: str | None = None
    patches: Mapping[str, bool] = field(default_factory=dict)


def verify(registry: Registry, snapshot: Snapshot) -> Verdict:
    """Replays an execution with the code of the registry and compares what comes of it with what is recorded.

    RUNNING: it goes on as the next advance would. SUCCEEDED: the same result. FAILED: the same type of error,
    or none any more. CANCELLED: as it was before it was cancelled, it goes on.
    """
    execution = snapshot.execution
    workflow = registry.get(execution.workflow)
    if workflow is None:
        if execution.status in ("SUCCEEDED", "CANCELLED"):
            return Verdict(execution, "retired")
        return Verdict(
            execution, "differs", f"no workflow is named {execution.workflow!r}: it waits until there is one"
        )
    replay = _replayed(workflow, snapshot)
    return replace(_compared(registry, workflow, replay), patches=dict(replay.patches))


def _compared(registry: Registry, workflow: Workflow[..., Any], replay: Replay) -> Verdict:
    execution = replay.execution
    if isinstance(replay.error, NonDeterministic):
        return Verdict(execution, "differs", f"NonDeterministic: {replay.error}")
    match execution.status:
        case "SUCCEEDED":
            problem = _succeeds(workflow, replay, execution.result or "null")
        case "FAILED" | "CLOSED" if replay.error is None and _lacks_workflow(replay, registry):
            problem = None  # it fails as before: the workflow of a child is still missing
        case "FAILED" | "CLOSED" if replay.error is None:
            return Verdict(execution, "mended", None, tuple(_early(replay)))
        case "FAILED" | "CLOSED":
            problem = _fails_alike(replay, execution)
            early = tuple(_early(replay))
            return Verdict(execution, "differs" if problem else "reproduced", problem, early, fails=problem is not None)
        case "RUNNING" | "PAUSED" | "CANCELLED":
            problem = _now_fails(replay) if isinstance(replay.error, FailsExecution) else None
        case _:
            assert_never(execution.status)
    outcome: Outcome = "differs" if problem else "reproduced"
    early = tuple(_early(replay))
    return Verdict(execution, outcome, problem, early, fails_next=_fails_next(replay))


def _replayed(workflow: Workflow[..., Any], snapshot: Snapshot) -> Replay:
    execution, records = snapshot.execution, snapshot.records
    if execution.status == "CANCELLED":
        # Cancelled commands have no outcome that the code has ever seen.
        records = {id: record for id, record in records.items() if record.status != "CANCELLED"}
    replay = Replay(workflow, execution)
    replay.sent = snapshot.cursor.dispatched
    try:
        replay.advance(records, snapshot.cursor.applied, extend=execution.status in ("RUNNING", "PAUSED", "CANCELLED"))
    finally:
        replay.close()
    return replay


def _lacks_workflow(replay: Replay, registry: Registry) -> bool:
    """Whether the code waits for a child of a workflow that is not deployed."""
    return any(command.child is not None and not registry.get(command.name) for command in replay.outstanding.values())


def _early(replay: Replay) -> Iterator[str]:
    """A longer sleep, or another one, is where the recorded one was: timers are identified by position alone."""
    if replay.execution.status not in ("RUNNING", "PAUSED", "FAILED", "CLOSED"):
        return
    for command in replay.issued.values():
        record = replay.records.get(command.id)
        if command.kind != "timer" or record is None or record.status != "SUCCEEDED":
            continue
        if (record.ended_at or 0.0) + SKEW < (command.due or 0.0):
            waited = (record.ended_at or 0.0) - command.issued_at
            asked = f"the code now asks for {command.delay or 0.0:g} s"
            yield f"{command.id!r} counts as waited after {waited:.1f} s; {asked}"


def _fails_next(replay: Replay) -> str | None:
    """Of an execution under way. A step that has failed, which its next advance will find, is not the code's fault."""
    if replay.execution.status not in UNDER_WAY or replay.error is None or failure_of(replay).step is not None:
        return None
    return _now_fails(replay)


def _succeeds(workflow: Workflow[..., Any], replay: Replay, result: str) -> str | None:
    if replay.shutting_down:
        return None  # it ended when ends did not wait yet for the tasks that were left
    if not replay.finished:
        asked = ", ".join(map(repr, list(replay.outstanding)[:5]))
        return f"it SUCCEEDED; the code now goes on and asks for {asked}"
    if replay.result is None:
        return f"it SUCCEEDED; {_now_fails(replay)}"
    if not workflow.result.same(result, replay.result):
        return f"it SUCCEEDED with {shortened(result)}; the code now returns {shortened(replay.result)}"
    return None


def _fails_alike(replay: Replay, execution: Execution) -> str | None:
    recorded = execution.error.type if execution.error else None
    if failure_of(replay).type == recorded:
        return None
    return f"it FAILED with {recorded}; {_now_fails(replay)}"


def _now_fails(replay: Replay) -> str:
    failure = failure_of(replay)
    return f"the code now fails with {failure.type}: {failure.message}"
