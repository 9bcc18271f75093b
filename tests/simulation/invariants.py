"""What must hold whatever happens: each invariant's name and its words, and who notices when it is broken.

`tests/simulation/test_invariants.py` breaks the engine once for each of them, and sees it noticed.
"""

from __future__ import annotations

import inspect
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.claims import LEASE_MARGIN
from stepfast.engine.finish import is_parked_by
from stepfast.engine.history import history_of
from stepfast.engine.messages import Message
from stepfast.engine.metrics import added, hour_of
from stepfast.engine.ports import Query
from stepfast.engine.verify import verify
from stepfast.language.context import StepContext
from stepfast.language.steps import Step
from stepfast.model import ENDED, Execution, OrderEntry, Record, Snapshot
from stepfast.replay.replay import Replay
from stepfast.shown import mark_in, mark_of, status_value
from stepfast.testing.memory import finished
from tests.replay.shapes import on_plain_asyncio

if TYPE_CHECKING:
    from tests.simulation.world import Handler, World

ID = "one"
SKEW = 1.9
"""Seconds by which a machine's clock is off, one way or the other."""
LASTING = ("SUCCEEDED", "CANCELLED")

INVARIANTS = {
    "a-recorded-result-never-changes": "in its generation, a command's outcome is written once",
    "a-record-stays": "a command that has a record keeps one: a resume opens it again, and takes none away",
    "one-command-one-input": "one command is never run with two different inputs in one generation",
    "a-recorded-step-never-runs-again": "nor is a claim of it made, in that generation",
    "nothing-begins-ahead-of-the-order": "a step that begins is one that the durable order has asked for",
    "the-order-is-a-log": "an entry of it that was written is never changed, and none is missing",
    "a-chain-has-no-siblings": "a chain claims a step only while that is the only command outstanding",
    "a-live-lease-is-respected": "nobody else begins a step before the lease of who runs it is over",
    "at-most-once": "a step that may run at most once does, in its generation",
    "a-signal-is-taken-once": "no signal ends two waits, in whatever run",
    "a-run-is-its-own": "nothing that an earlier run has begun is recorded in a later one, and each run ends once",
    "what-was-taken-back-is-over": "it is not begun, and who runs it is told when it looks",
    "a-stop-is-no-crash": "only what a dying worker left behind counts as cut off",
    "nothing-is-waited-for-in-vain": "no lease that nobody holds, no delay from before the resume",
    "no-execution-is-stuck": "it comes to its end, or to a failure that can be resumed, without outside help",
    "messages-come-to-an-end": "after the end nothing is left that would be delivered for ever",
    "a-failure-is-resumed-once": "each failure by one asking: a resume, or a redrive of any copies of its dead letter",
    "every-failure-has-its-dead-letter": "parked before it is written",
    "every-end-is-counted-once": "in the figures of its workflow",
    "promises-are-kept": "what a client was told survives: a start, a signal, a resume, a cancel",
    "what-was-cancelled-stays-so": "after CANCELLED nothing begins, and no command gets another outcome",
    "what-is-shown-has-happened": "a status value never goes back, its order is durable, and labels are found",
    "history-reads-alike-twice": "also by the next owner of the file",
    "replay-reproduces": "the records give what is recorded, at any moment",
    "an-edit-goes-one-way": "behind `patched`, a run follows one answer, durable before a step follows from it",
    "results-are-those-of-plain-asyncio": "of the same functions, run without the engine",
}


class Violation(AssertionError):
    """An invariant that did not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        assert invariant in INVARIANTS, invariant
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


class Watch:
    """Sees every attempt as it begins, and every write with what was stored before it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violation: Violation | None = None
        self.runs: Counter[tuple[int, str]] = Counter()
        self.parked: set[int] = set()
        self.redriven: set[int] = set()
        self.resuming = 0
        self._inputs: dict[tuple[int, str], set[str]] = defaultdict(set)
        self._outcomes: dict[tuple[int, str], Record] = {}
        self._running: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
        self._withdrawn: dict[tuple[int, str], int] = {}
        self._claims: dict[str, Handler] = {}  # by token
        self._holders: dict[str, Handler] = {}  # by command, the last
        self._entries: list[OrderEntry] = []
        self._known: set[str] = set()
        self._shown = ""

    def violated(self, invariant: str, what: str) -> None:
        """Kept for the scheduler, too: the engine goes on after errors of any kind, as it should."""
        self.violation = self.violation or Violation(invariant, what)
        raise self.violation

    # -- attempts ------------------------------------------------------------------------------------------

    def begun(self, step: Step[..., Any], context: StepContext, arguments: inspect.BoundArguments) -> None:
        key, told, now = (context.generation, context.step_id), repr(arguments.arguments), self._world.now
        self._world.note(f"{context.step_id} runs, attempt {context.attempt}")
        self._inputs[key].add(told)
        self.runs[key] += 1
        lease = context.deadline_at + LEASE_MARGIN  # these steps have no heartbeat of their own
        if len(self._inputs[key]) > 1:
            self.violated("one-command-one-input", f"{key} ran with {self._inputs[key]}")
        acting = self._world.acting
        if acting is not None and self._withdrawn.get(key, acting.born) < acting.born:
            self.violated("what-was-taken-back-is-over", f"{key} begins, by a message that came later")
        if step.at_most_once and self.runs[key] > 1:
            self.violated("at-most-once", f"{key} ran {self.runs[key]} times")
        self._asked_for(context)
        outcome = self._outcomes.get(key)
        if outcome is not None and outcome.status != "CANCELLED" and now < lease - 2 * SKEW:
            self.violated("a-recorded-step-never-runs-again", f"{key} has {outcome}")
        others = {attempt: until for attempt, until in self._running[key].items() if now < until - 2 * SKEW}
        if others and now < lease - 2 * SKEW:  # one that was held up for longer than its own lease begins beside others
            self.violated("a-live-lease-is-respected", f"{key}: attempt {context.attempt} at {now}, beside {others}")
        self._running[key][context.attempt] = lease

    def _asked_for(self, context: StepContext) -> None:
        snapshot = self._world.snapshot()
        assert snapshot is not None
        if snapshot.execution.status != "RUNNING" or snapshot.execution.generation != context.generation:
            return
        replay = self._replayed(snapshot)
        if context.step_id not in replay.issued:
            self.violated("nothing-begins-ahead-of-the-order", f"{context.step_id} begins; {snapshot.cursor}")

    def over(self, context: StepContext) -> None:
        """An attempt has ended, or its process."""
        self._running[context.generation, context.step_id].pop(context.attempt, None)

    def told_nothing(self, context: StepContext, execution: Execution, since: int) -> None:
        """A running attempt has looked, from this turn on, and may go on."""
        key = (execution.generation, context.step_id)
        if execution.status == "RUNNING" and self._withdrawn.get(key, since) < since and not self._world.unavailable:
            self.violated("what-was-taken-back-is-over", f"{key} may go on")

    def stands_still(self) -> None:
        """Nothing is under way: what the execution waits for is worth waiting for."""
        snapshot, now = self._world.snapshot(), self._world.now
        assert snapshot is not None
        execution = snapshot.execution
        for id in self._waits(snapshot):
            record = snapshot.records.get(id)
            if record is None:
                continue
            holder = self._claims.get(record.token or "")
            if record.status == "RUNNING" and (record.lease or 0.0) > now + SKEW and holder and holder.ended_well:
                self.violated("nothing-is-waited-for-in-vain", f"nobody holds the lease of {record}")
            if record.status != "RETRYING":
                continue
            tried, resumed = record.attempts[-1].ended_at or 0.0, execution.resumed_at or 0.0
            if tried < resumed - 2 * SKEW and (record.due or 0.0) > resumed + 2 * SKEW:
                self.violated("nothing-is-waited-for-in-vain", f"{record} waits since before it was resumed")
            if not self._faulty() and not any(self._comes(id, record.due or 0.0)):
                self.violated("nothing-is-waited-for-in-vain", f"no message comes in time for {record}")

    def _waits(self, snapshot: Snapshot) -> Sequence[str]:
        """The commands that are outstanding under the durable order."""
        replay = self._replayed(snapshot)
        return [] if replay.finished else list(replay.outstanding)

    def _faulty(self) -> bool:
        world = self._world
        return bool(world.crash or world.lossy or world.unavailable or world.duplicate or world.blocked)

    def _comes(self, id: str, due: float) -> Iterator[bool]:
        """For every message, whether it may drive the command soon after it is due; one that begins a chain may."""
        latest = max(due, self._world.now) + 5.0
        for seq, at in self._world.queue.items():
            yield at <= latest and self._world.messages[seq].delivery.message.kind == "step"

    def _replayed(self, snapshot: Snapshot) -> Replay:
        found = self._world.registry.get(snapshot.execution.workflow)
        assert found is not None
        replay = Replay(found, snapshot.execution)
        try:
            replay.advance(snapshot.records, snapshot.cursor.applied)
        finally:
            replay.close()
        return replay

    def restarted(self) -> None:
        """Every claim was a dead process's."""
        self._claims.clear()
        self._holders.clear()

    def deleted(self) -> None:
        """The next execution of this id has records and a log of its own."""
        self._entries, self._known, self._shown = [], set(), ""

    # -- writes --------------------------------------------------------------------------------------------

    def wrote(self, name: str, arguments: Any, options: Any, before: Snapshot | None) -> None:
        """After a write that was accepted."""
        if name in ("append", "cancel", "rewind", "intervene"):
            self._logged()
        if name in ("show", "commit", "finish"):
            self._has_shown()
        if name == "commit":
            assert before is not None
            commit = arguments[1]
            self._record(commit.record, before)
            if commit.end is not None:
                self._ended(commit.end.execution)
        elif name == "append":
            self._ordered()
        elif name == "continue_as_new":
            self._continued(arguments[0].execution)
        elif name in ("finish", "cancel"):
            for record in arguments[1] if name == "cancel" else ():
                self._outcomes.setdefault((record.generation, record.id), record)
            self._ended(arguments[0].execution)
        elif name == "rewind":
            generation = arguments[0].generation
            self._withdrawn.clear()
            self._kept()
            self._world.note(f"resumed, generation {generation}")
            if not self.resuming and generation - 1 not in self.redriven:
                self.violated("a-failure-is-resumed-once", f"generation {generation} began, and nobody asked for it")

    def _has_shown(self) -> None:
        """What is shown by now: the code has said it, on what is durable."""
        snapshot = self._world.snapshot()
        assert snapshot is not None
        execution = snapshot.execution
        mark = mark_in(execution.shown)
        if mark < self._shown:
            self.violated("what-is-shown-has-happened", f"{self._shown} became {execution.shown}")
        indexed = finished(self._world.backend.page(Query(labels=execution.labels))).executions
        if ID not in [found.execution_id for found in indexed]:
            self.violated("what-is-shown-has-happened", f"{execution.labels} are not indexed")
        if mark == self._shown:
            return
        self._shown = mark
        replay = self._replayed(snapshot)
        said = mark_of(execution.run, execution.generation, replay.showing.calls)
        if mark > said or (
            mark == said and json.loads(replay.showing.value or "null") != status_value(execution.shown)
        ):
            self.violated("what-is-shown-has-happened", f"{execution.shown} is shown, and the code has said {said}")

    def _record(self, record: Record, before: Snapshot) -> None:
        self._world.note(f"{record.id} → {record.status} (attempt {record.attempt})")
        held = before.records.get(record.id)
        if record.generation < before.execution.first_generation:
            self.violated("a-run-is-its-own", f"{record} is written in run {before.execution.run}")
        self._known.add(record.id)
        if held is not None and held.recorded:
            self.violated("a-recorded-result-never-changes", f"{held} became {record}")
        self._claimed(record)
        if before.execution.status in LASTING and record.status == "RUNNING":
            self._world.note(f"{record.id} is claimed, though the execution is {before.execution.status}")
        if record.then is not None:
            chained = before.records.get(record.then.id)
            if chained is not None and chained.recorded:
                self.violated("a-recorded-step-never-runs-again", f"{record.id} claims {chained}")
            self._chained(record)
        if record.recorded:
            known = self._outcomes.setdefault((record.generation, record.id), record)
            if known != record:
                self.violated("a-recorded-result-never-changes", f"{known} and {record}")

    def _continued(self, execution: Execution) -> None:
        """The next run begins with nothing; whoever still runs steps of the one before is told when it looks."""
        self._world.note(f"run {execution.run} begins, generation {execution.generation}")
        self._entries, self._known = [], set()
        self._withdrawn.clear()
        snapshot, earlier = self._world.snapshot(), finished(self._world.backend.runs(ID, 100))
        assert snapshot is not None
        if snapshot.records or snapshot.cursor.revision:
            self.violated("a-run-is-its-own", f"run {execution.run} begins with {snapshot.records}")
        if [run.run for run in earlier] != list(range(execution.run - 1, 0, -1)):
            self.violated("a-run-is-its-own", f"run {execution.run} begins after {earlier}")

    def _kept(self) -> None:
        snapshot = self._world.snapshot()
        assert snapshot is not None
        if gone := self._known - snapshot.records.keys():
            self.violated("a-record-stays", f"a resume has taken away {gone}")

    def _chained(self, record: Record) -> None:
        snapshot = self._world.snapshot()
        assert snapshot is not None
        assert record.then is not None
        if snapshot.execution.status != "RUNNING" or snapshot.execution.generation != record.then.generation:
            return
        outstanding = list(self._replayed(snapshot).outstanding)
        if outstanding != [record.then.id]:
            self.violated("a-chain-has-no-siblings", f"{record.id} claims {record.then.id} of {outstanding}")

    def _claimed(self, record: Record) -> None:
        """Keeps who holds a claim; one that counts a crash takes over from a worker that has died, or is held up."""
        acting = self._world.acting
        if record.then is not None and acting is not None:
            self._holders[record.then.id] = acting
        if record.status != "RUNNING" or acting is None or record.token in self._claims:
            return
        before = self._holders.get(record.id)
        crashed = bool(record.attempts) and record.attempts[-1].error is None
        if crashed and before is not None and before.ended_well:
            self.violated("a-stop-is-no-crash", f"{record} counts one, and its worker had ended well")
        self._claims[record.token or ""] = self._holders[record.id] = acting

    def _logged(self) -> None:
        entries = list(finished(self._world.backend.entries(ID)))
        numbers = [entry.number for entry in entries]
        if entries[: len(self._entries)] != self._entries or numbers != list(range(len(entries))):
            self.violated("the-order-is-a-log", f"{self._entries} became {entries}")
        self._entries = entries

    def _ordered(self) -> None:
        """The order has become durable: what it has taken back is so from this turn on."""
        snapshot = self._world.snapshot()
        assert snapshot is not None
        replay = self._replayed(snapshot)
        if snapshot.execution.status != "RUNNING" or replay.finished or replay.stale:
            return
        for id in replay.issued.keys() - replay.outstanding.keys() - replay.taken.keys():
            self._withdrawn.setdefault((snapshot.execution.generation, id), self._world.turns)

    def _ended(self, execution: Execution) -> None:
        self._world.note(f"{execution.status}, generation {execution.generation}")
        if execution.status == "FAILED" and execution.generation not in self.parked:
            self.violated("every-failure-has-its-dead-letter", f"generation {execution.generation} has none")
        self.reproduced()

    def parks(self, dead_letters: Sequence[Message]) -> None:
        """Once nothing is under way, the dead letter of the failure is there to be redriven."""
        snapshot = self._world.snapshot()
        assert snapshot is not None
        execution = snapshot.execution
        if not any(one.generation == execution.generation and is_parked_by(execution, one) for one in dead_letters):
            self.violated("every-failure-has-its-dead-letter", f"that of {execution} is not among {dead_letters}")

    def reproduced(self) -> None:
        """The code, run against what is stored right now, comes to what is recorded."""
        snapshot = self._world.snapshot()
        if snapshot is None:
            return
        verdict = verify(self._world.registry, snapshot)
        if verdict.outcome != "reproduced":
            self.violated("replay-reproduces", f"{verdict.outcome}: {verdict.problem}")


def check(world: World, status: str) -> None:
    """What must hold at the end of every run, whatever happened in it."""
    if status not in LASTING:
        where = "messages-come-to-an-end" if world.ended is not None else "no-execution-is-stuck"
        raise Violation(where, f"it ended {status}")
    snapshot = world.snapshot()
    assert snapshot is not None
    _promises(world, status, snapshot)
    _after_the_end(world, snapshot)
    _histories(world, snapshot)
    _figures(world, status, snapshot.execution)
    taken = Counter(one.signal for one in snapshot.records.values() if one.signal is not None)
    if max(taken.values(), default=1) > 1:
        raise Violation("a-signal-is-taken-once", f"{taken}")
    _turns(world, status, snapshot)
    world.watch.reproduced()
    failed = any(one.status == "FAILED" and one.name != "fail" for one in snapshot.records.values())  # by bad luck
    if world.input is not None and status == "SUCCEEDED" and not failed:
        expected, result = on_plain_asyncio(world.input, world.seed), json.loads(snapshot.execution.result or "null")
        if result != expected:
            raise Violation("results-are-those-of-plain-asyncio", f"{world.input} gave {result}, not {expected}")


def _promises(world: World, status: str, snapshot: Snapshot) -> None:
    execution, promised = snapshot.execution, world.promised
    broken: list[str] = []
    if (status == "CANCELLED") != bool(promised.get("cancelled")) and not world.cancelling:
        broken.append(f"{status}, though nobody cancelled it")
    if promised.get("cancelled") and status != "CANCELLED":
        broken.append(f"{status}, though it was cancelled")
    if promised.get("created_at", execution.created_at) != execution.created_at:
        broken.append("the execution that a client was told of is gone")
    if promised.get("generation", 0) > execution.generation:
        broken.append("a resume that was accepted is gone")
    stored = {one.signal_id for one in snapshot.signals} | {
        one.signal_id for run in range(1, execution.run) for one in _earlier(world, run).signals
    }
    if lost := {name for name in promised if name.startswith("signal-")} - stored:
        broken.append(f"signals were lost: {lost}")
    if broken:
        raise Violation("promises-are-kept", "; ".join(broken))


def _earlier(world: World, run: int) -> Snapshot:
    snapshot = finished(world.backend.load_run(ID, run))
    assert snapshot is not None
    return snapshot


def _turns(world: World, status: str, snapshot: Snapshot) -> None:
    """What waits have returned in all runs together: each signal at most once, and in the order of arrival."""
    if world.workflow != "turns" or status != "SUCCEEDED":
        return
    got = json.loads(snapshot.execution.result or "[]")
    if len(set(got)) != len(got):
        raise Violation("a-signal-is-taken-once", f"its runs have got {got}")
    left = {one.signal_id for one in snapshot.signals} - {one.signal for one in snapshot.records.values()}
    if len(got) != 3 or left:
        raise Violation("promises-are-kept", f"its runs have got {got}, and {left} are left")


def _after_the_end(world: World, snapshot: Snapshot) -> None:
    """What was still under way when it ended has changed nothing but what the workflow had taken back before."""
    ended = world.ended
    assert ended is not None
    if snapshot.execution != ended.execution:
        raise Violation("promises-are-kept", f"{ended.execution} became {snapshot.execution}")
    before = {id: one.revision for id, one in ended.records.items()}
    changed = {id: one for id, one in snapshot.records.items() if before.get(id) != one.revision}
    if snapshot.execution.status == "CANCELLED" and changed:
        raise Violation("what-was-cancelled-stays-so", f"changed or new: {changed}")


def _histories(world: World, snapshot: Snapshot) -> None:
    kept = finished(world.backend.history(ID))
    resumed = [one for one in kept if one.type == "execution-resumed"]
    if len(resumed) != snapshot.execution.resumes:
        told = f"{snapshot.execution.resumes} resumes, and {len(resumed)} in its history"
        raise Violation("a-failure-is-resumed-once", told)
    another = SqliteBackend(world.file, world.clock)  # type: ignore[arg-type]
    again = finished(another.load(ID))
    assert again is not None
    if history_of(snapshot, kept) != history_of(again, finished(another.history(ID))):
        raise Violation("history-reads-alike-twice", "it reads otherwise the second time")


def _figures(world: World, status: str, execution: Execution) -> None:
    hours = finished(world.backend.figures(world.workflow, 0, hour_of(execution.ended_at or 0.0) + 1))
    counted = {name: one.count for name, one in added(hours.values()).items() if name in ENDED}
    # Each generation before the last has failed, unless it had ended otherwise before the execution was deleted.
    others = Counter(deleted for deleted in world.deleted if deleted != "FAILED")
    cleaned = execution.intervention is not None and execution.intervention.cleanup is not None  # a generation, too
    failed = Counter({"FAILED": execution.generation - others.total() - (execution.run - 1) - cleaned})
    if counted != +(failed + others + Counter({status: 1})):
        raise Violation("every-end-is-counted-once", f"{counted} after {execution.generation} resumes and {status}")
