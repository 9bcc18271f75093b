"""Mutants of the order as a log, of seals and of memories (docs/adr/0022 and 0025), for test_invariants.py."""

from __future__ import annotations

import random
from typing import Any

from stepfast.backends.sqlite import changes as sqlite_changes
from stepfast.backends.sqlite import rows
from stepfast.backends.sqlite import store as sqlite
from stepfast.engine import advancer, claims, deliveries, memory, step_handler
from stepfast.replay.replay import Replay
from tests.simulation.breaking import Patch, breaks, edited

# -- the order -----------------------------------------------------------------------------------------------


@breaks("replay-reproduces", "verdict")
def a_worker_goes_by_an_order_that_is_not_durable(patch: Patch) -> None:
    edited(patch, step_handler.StepHandler, "_by_replay", ("if replay.acts:", "if False:"))


@breaks("replay-reproduces", "deadline")
def an_end_is_written_before_the_order_that_led_to_it(patch: Patch) -> None:
    edited(patch, advancer.Advancer, "_pass", ("if replay.finished and replay.decided:", "if replay.finished:"))


@breaks("the-order-is-a-log", "verdict")
def an_entry_of_the_order_takes_the_place_of_another(patch: Patch) -> None:
    columns = ("generation", "applied", "dispatched", "withdrawn", "cut", "ended")
    sets = ", ".join(f"{column} = excluded.{column}" for column in columns)
    replacing = f"ON CONFLICT (execution_id, number) DO UPDATE SET {sets}"
    patch.setattr(rows, "INSERT_ENTRY", rows.INSERT_ENTRY.replace("ON CONFLICT DO NOTHING", replacing))


@breaks("no-execution-is-stuck", "cancels")
def what_has_changed_is_not_all_known(patch: Patch) -> None:
    right = sqlite_changes.Changes.note_all

    def note_all(self: Any, writes: Any) -> None:
        right(self, [write for write in writes if write[1].revision % 2])

    patch.setattr(sqlite_changes.Changes, "note_all", note_all)


@breaks("results-are-those-of-plain-asyncio", "shape")
def a_failed_step_returns_something(patch: Patch) -> None:
    edited(patch, Replay, "_apply", ("waiter.set_exception(", "waiter.set_result(0); ("))


@breaks("one-command-one-input", "timed")
def chance_is_drawn_anew_each_time_and_the_input_with_it(patch: Patch) -> None:
    draw = random.Random(1)  # its own: the module's functions are made to fit in workflow code
    patch.setattr(Replay, "entropy", lambda self, use: draw.randbytes(32))
    edited(patch, Replay, "step", ("begun = record", "begun = False and record"))
    edited(patch, claims, "claim_of", ("input=held.input", "input=command.input"))
    edited(patch, deliveries, "decide", ("chained.digest != command.digest", "False"))
    patch.setattr(step_handler, "decide", deliveries.decide)
    patch.setattr(step_handler, "claim_of", claims.claim_of)


@breaks("nothing-begins-ahead-of-the-order", "verdict")
def an_order_is_made_durable_too_late(patch: Patch) -> None:
    late = "(replay.finished or (bool(entry.dispatched) and not entry.applied))"
    edited(
        patch,
        advancer.Advancer,
        "_dispatch",
        ("(replay.acts or bool(entry.dispatched))", late),
    )


@breaks("no-execution-is-stuck", "halves")
def a_cut_is_not_logged(patch: Patch) -> None:
    edited(patch, sqlite.SqliteBackend, "rewind", ("writes.append(tx, id, cut)", "pass"))


# -- seals and memories ----------------------------------------------------------------------------------------


@breaks("no-execution-is-stuck", "semaphore")
def a_hint_is_followed_where_a_chain_may_have_begun(patch: Patch) -> None:
    recorded = "record.recorded):\n        return "
    edited(patch, step_handler.StepHandler, "_without_replay", (recorded + "None", recorded + "Delete()"))


@breaks("what-was-taken-back-is-over", "cancels")
def a_hint_is_followed_though_the_order_marks_its_command_no_more(patch: Patch) -> None:
    edited(patch, step_handler.StepHandler, "_without_replay", ("if not asked_for(", "if False and not asked_for("))


@breaks("nothing-begins-ahead-of-the-order", "completed")
def a_seal_is_not_checked(patch: Patch) -> None:
    edited(patch, step_handler.StepHandler, "_without_replay", ("if sealed:", "if False:"))


@breaks("no-execution-is-stuck", "gathers")
def a_memory_is_trusted_whoever_has_had_the_news(patch: Patch) -> None:
    edited(
        patch,
        memory.Memory,
        "recall",
        ("await self._holders.holder(execution_id) == live.token", "True"),
    )


@breaks("no-execution-is-stuck", "completed")
def a_message_with_the_seal_of_an_order_that_has_lost_is_deleted(patch: Patch) -> None:
    edited(
        patch,
        step_handler.StepHandler,
        "_without_replay",
        ("return None  # An order that has lost", "return Delete()  # An order that has lost"),
    )


@breaks("no-execution-is-stuck", "gathers")
def a_process_that_has_forgotten_takes_the_token_that_stands(patch: Patch) -> None:
    edited(
        patch,
        memory.Memory,
        "recall",
        ("token = secrets.token_hex(8)", "token = await self._holders.holder(execution_id) or secrets.token_hex(8)"),
    )
