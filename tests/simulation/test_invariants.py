"""Each invariant is broken on purpose, by an engine that is wrong in one place, and the simulation notices.

The wrong places are those that someone could come to by simplifying: a condition dropped, an order turned round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from stepfast.backends.sqlite import rows, runs, signals, writes
from stepfast.backends.sqlite import store as sqlite
from stepfast.engine import (
    advancer,
    cancelling,
    chain,
    claims,
    continuing,
    deliveries,
    moves,
    operations,
    order,
    park_handler,
    recording,
    rewind,
    step_handler,
    timer_handler,
    withdrawals,
)
from stepfast.engine import finish as finishing
from stepfast.engine.ports import Committed, Delete, Later, Leave
from tests.simulation import mutants_of_the_order, mutants_of_what_is_shown
from tests.simulation.breaking import WRONG, Patch, breaks, edited, handled, rewound
from tests.simulation.first_seeds import FIRST
from tests.simulation.invariants import INVARIANTS, Violation
from tests.simulation.machines import point
from tests.simulation.test_simulation import attempts
from tests.simulation.workflows import WORKFLOWS

SEEDS = 100
"""Runs of the workflow that shows it soonest in a search, before the others have their turn."""
MUTANTS = (mutants_of_the_order, mutants_of_what_is_shown)
"""Modules that add mutants to those of this one."""


# -- what is stored ------------------------------------------------------------------------------------------


@breaks("a-recorded-result-never-changes", "timed")
def a_write_does_not_look_at_the_revision(patch: Patch) -> None:
    text = rows.UPDATE_RECORD.replace("revision = ?", "? > 0")
    assert text != rows.UPDATE_RECORD
    patch.setattr(rows, "UPDATE_RECORD", text)


@breaks("promises-are-kept", "fan_out")
def a_signal_is_accepted_before_it_is_written(patch: Patch) -> None:
    async def add_signal(self: Any, execution_id: str, signal: Any, limits: Any) -> Any:
        def write(tx: Any) -> None:
            if signals.add(tx, execution_id, signal, limits) is signal:
                self._wake(tx, execution_id)

        self._file.post(write)
        return signal

    patch.setattr(sqlite.SqliteBackend, "add_signal", add_signal)


@breaks("a-signal-is-taken-once", "approvals")
def a_signal_that_was_taken_counts_as_free(patch: Patch) -> None:
    edited(patch, advancer, "_hear", ("replay.arrived.add(signals, taken)", "replay.arrived.add(signals, ())"))


@breaks("history-reads-alike-twice", "approvals")
def the_history_is_read_in_any_order(patch: Patch) -> None:
    edited(patch, sqlite.SqliteBackend, "history", ("ORDER BY seq", "ORDER BY random()"))


@breaks("every-end-is-counted-once", "semaphore")
def a_cancel_is_not_counted(patch: Patch) -> None:
    edited(patch, sqlite.SqliteBackend, "cancel", ("metrics.add(tx, end)", "pass"))


@breaks("no-execution-is-stuck", "semaphore")
def what_is_marked_as_sent_is_sent_after_it(patch: Patch) -> None:
    def send(self: Any, tx: Any, messages: Any, now: float) -> None:
        stored = [self._stored(message, due, now) for message, due in messages]

        def put(tx: Any) -> None:
            writes.put_messages(tx, stored)
            for message in stored:
                self.on_message(message)

        self._file.post(put)

    patch.setattr(sqlite.SqliteBackend, "_send", send)


# -- messages and claims -------------------------------------------------------------------------------------


@breaks("no-execution-is-stuck", "completed")
def a_message_that_is_not_ready_is_deleted(patch: Patch) -> None:
    handled(patch, lambda found: Delete() if isinstance(found, Later) else found)


@breaks("no-execution-is-stuck", "torn")
def a_worker_that_was_fenced_deletes_the_message(patch: Patch) -> None:
    handled(patch, lambda found: Delete() if isinstance(found, Leave) else found)


@breaks("no-execution-is-stuck", "linear")
def a_message_does_not_lead_to_the_end_of_its_chain(patch: Patch) -> None:
    patch.setattr(deliveries, "end_of_chain", lambda records, generation, id: (id, None))


@breaks("messages-come-to-an-end", "approvals")
def a_message_of_an_ended_execution_is_kept(patch: Patch) -> None:
    edited(patch, deliveries, "superseded", ("return Delete()", "return Later(now + 1.0)"))
    patch.setattr(step_handler, "superseded", deliveries.superseded)
    patch.setattr(timer_handler, "superseded", deliveries.superseded)


@breaks("a-live-lease-is-respected", "approvals")
def leases_are_not_looked_at(patch: Patch) -> None:
    for module in (deliveries, step_handler):
        patch.setattr(module, "busy_until", lambda record, chained: 0.0)


@breaks("at-most-once", "only_once")
def a_step_that_was_interrupted_runs_again_in_any_case(patch: Patch) -> None:
    edited(patch, claims, "claim_of", ("if step.at_most_once or crashes", "if crashes"))
    patch.setattr(step_handler, "claim_of", claims.claim_of)


@breaks("a-recorded-step-never-runs-again", "linear")
def a_claim_that_was_refused_is_run(patch: Patch) -> None:
    edited(patch, step_handler.StepHandler, "_claim", ("return Later(now + 1.0)", "pass"))


@breaks("a-chain-has-no-siblings", "fan_out")
def a_chain_goes_on_with_siblings_out(patch: Patch) -> None:
    edited(patch, moves, "takes_outcome", ("len(replay.outstanding) != 1 or run.", "run."))
    patch.setattr(chain, "takes_outcome", moves.takes_outcome)
    edited(
        patch,
        moves,
        "_next_command",
        ("if len(replay.outstanding) != 1:", "if False:"),
        (
            "command = next(iter(replay.outstanding.values()))",
            "command = next((one for id, one in replay.outstanding.items() if id not in replay.records), run.command)\n"
            "    if command is run.command: return None",
        ),
    )


@breaks("replay-reproduces", "linear")
def a_fenced_worker_goes_on(patch: Patch) -> None:
    right = recording.Recorder.record

    async def record(self: Any, *arguments: Any, **options: Any) -> Committed:
        return replace(await right(self, *arguments, **options), record=True)

    patch.setattr(recording.Recorder, "record", record)


# -- what is taken back, and what is stopped -----------------------------------------------------------------


@breaks("what-was-taken-back-is-over", "cancels")
def what_runs_is_not_told_that_it_was_taken_back(patch: Patch) -> None:
    async def look(self: Any, execution: Any, command_id: str, seen: int) -> tuple[int, bool]:
        return seen, False

    patch.setattr(withdrawals.Withdrawals, "look", look)


@breaks("what-was-taken-back-is-over", "verdict")
def a_look_forgets_that_it_has_told_before(patch: Patch) -> None:
    edited(
        patch, withdrawals.Withdrawals, "look", ("opened.order.revision if asked else seen", "opened.order.revision")
    )


@breaks("a-stop-is-no-crash", "torn")
def what_was_stopped_keeps_its_lease(patch: Patch) -> None:
    edited(patch, chain.Chain, "run", ("ended.stop is not None and ended.stop.lost", "ended.stop is not None"))


@breaks("a-stop-is-no-crash", "linear")
def a_write_without_an_answer_counts_as_anothers(patch: Patch) -> None:
    edited(patch, recording.Recorder, "record", ("committed.record or not run.unanswered", "True"))


@breaks("nothing-is-waited-for-in-vain", "late")
def a_resume_keeps_the_delays_from_before_it(patch: Patch) -> None:
    patch.setattr(rewind, "_tried_at_once", lambda *arguments: ())


# -- failures, resumes, cancels ------------------------------------------------------------------------------


@breaks("every-failure-has-its-dead-letter", "approvals")
def a_failure_is_parked_after_it_is_written(patch: Patch) -> None:
    class Held:
        def __init__(self) -> None:
            self.messages: Any = []

        async def send(self, messages: Any) -> None:
            self.messages += messages

    async def finish(store: Any, queue: Any, clock: Any, execution: Any, replay: Any) -> bool:
        held: Any = Held()
        result = await finishing.finish(store, held, clock, execution, replay)
        await queue.send(held.messages)
        return result

    patch.setattr(step_handler, "finish", finish)
    patch.setattr(chain, "finish", finish)
    patch.setattr(advancer, "finish", finish)


@breaks("a-failure-is-resumed-once", "approvals")
def a_park_message_is_taken_for_a_redrive_of_itself(patch: Patch) -> None:
    patch.setattr(park_handler, "SKEW", -5.0)


@breaks("a-failure-is-resumed-once", "torn")
def a_park_message_of_another_writer_is_taken_for_a_redrive(patch: Patch) -> None:
    patch.setattr(park_handler, "is_parked_by", lambda execution, message: True)


@breaks("no-execution-is-stuck", "approvals")
def a_resume_does_not_reopen_the_failure(patch: Patch) -> None:
    rewound(patch, lambda plan, snapshot: replace(plan, records=()))


@breaks("replay-reproduces", "saga")
def a_resume_does_not_reopen_what_was_decided_after_the_failure(patch: Patch) -> None:
    def change(plan: rewind.Rewind, snapshot: Any) -> rewind.Rewind:
        return replace(plan, records=tuple(one for one in plan.records if one.id in snapshot.execution.causes))

    rewound(patch, change)


@breaks("no-execution-is-stuck", "halves")
def a_resume_does_not_cut_the_order(patch: Patch) -> None:
    def change(plan: rewind.Rewind, snapshot: Any) -> rewind.Rewind:
        return replace(plan, cut=plan.cut and replace(plan.cut, cut=len(snapshot.cursor.applied)))

    rewound(patch, change)


@breaks("a-record-stays", "saga")
def a_resume_takes_records_away_instead_of_reopening_them(patch: Patch) -> None:
    sql = "DELETE FROM commands WHERE execution_id = ? AND id = ?"
    new = f"[tx.execute({sql!r}, (id, one.id)) for one in records]"
    edited(patch, sqlite.SqliteBackend, "rewind", ("put_records(tx, self._changes, id, records)", new))


@breaks("no-execution-is-stuck", "torn")
def what_an_older_generation_sent_counts(patch: Patch) -> None:
    clear = "        self.dispatched.clear()\n"
    edited(patch, order.Order, "extend", (f"{clear}    elif entry.generation != self.generation:\n{clear}", ""))


@breaks("what-was-cancelled-stays-so", "semaphore")
def a_cancel_leaves_the_commands_open(patch: Patch) -> None:
    edited(patch, cancelling, "_end", ("store.cancel(end, records, ", "store.cancel(end, [], "))


@breaks("no-execution-is-stuck", "approvals")
def the_sweep_sees_nothing(patch: Patch) -> None:
    async def sweep(self: Any, *arguments: Any) -> str:
        return ""

    patch.setattr(operations.Operations, "sweep", sweep)


# -- runs ----------------------------------------------------------------------------------------------------


@breaks("no-execution-is-stuck", "turns")
def a_signal_stays_with_the_run_that_it_was_sent_to(patch: Patch) -> None:
    sql = "UPDATE signals SET execution_id = ? WHERE execution_id = ?"
    patch.setattr(runs, "_renumber", lambda tx, id, archive: tx.execute(sql, (archive, id)))


@breaks("a-signal-is-taken-once", "turns")
def a_signal_that_was_taken_goes_along(patch: Patch) -> None:
    edited(patch, continuing, "next_run", ("return NextRun(begun, ended, taken,", "return NextRun(begun, ended, (),"))


@breaks("a-run-is-its-own", "turns")
def an_outcome_of_an_earlier_run_is_accepted_by_the_next(patch: Patch) -> None:
    for name, condition in (("UPDATE_RECORD", "generation <= ?"), ("INSERT_RECORD", "first_generation <= ?")):
        text = getattr(rows, name).replace(condition, "? >= 0")
        assert text != getattr(rows, name)
        patch.setattr(rows, name, text)


@breaks("a-recorded-step-never-runs-again", "turns")
def a_run_is_archived_before_its_end_is_decided(patch: Patch) -> None:
    right = sqlite.SqliteBackend.continue_as_new

    async def continue_as_new(self: Any, turn: Any) -> bool:
        def archive(tx: Any) -> None:
            names = (runs.archive_of(turn.ended.execution_id, turn.ended.run), turn.ended.execution_id)
            tx.execute("UPDATE OR REPLACE commands SET execution_id = ? WHERE execution_id = ?", names)
            tx.after.append(lambda: self._changes.forget(turn.ended.execution_id))

        await self._file.write(archive)
        await point("archived")
        return await right(self, turn)

    patch.setattr(sqlite.SqliteBackend, "continue_as_new", continue_as_new)


# -- the tests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_what_is_wrong_is_noticed(
    wrong: str, monkeypatch: Patch, record_property: Callable[[str, object], None]
) -> None:
    invariant, workflow, apply = WRONG[wrong]
    apply(monkeypatch)
    seen: dict[str, str] = {}
    for run in _runs(workflow, FIRST.get(wrong)):
        try:
            attempts(*run)
        except Violation as violation:
            seen.setdefault(violation.invariant, f"{run}")
        if invariant in seen:
            if run != FIRST.get(wrong):
                record_property("seed to remember", f'"{wrong}": {run},'.replace("'", '"'))
            return
    raise AssertionError(f"{invariant} is not noticed to be broken; seen were {seen}")


def _runs(workflow: str, remembered: tuple[str, int] | None) -> Iterator[tuple[str, int]]:
    """The run that is remembered, then those of a search: first of the workflow, then of all."""
    if remembered:
        yield remembered
    yield from ((workflow, seed) for seed in range(SEEDS))
    yield from ((other, seed) for seed in range(SEEDS // 4) for other in sorted(WORKFLOWS))


def test_every_remembered_run_is_of_a_mutant() -> None:
    assert FIRST.keys() == WRONG.keys(), "tests/simulation/first_seeds.py names every mutant, and no other"


def test_every_invariant_has_something_that_breaks_it() -> None:
    broken = {invariant for invariant, _, _ in WRONG.values()}
    assert broken | {"an-edit-goes-one-way"} == set(INVARIANTS), "test_patches.py breaks the one that is named here"
