"""Mutants of what workflow code shows (rule *shown*), for test_invariants.py."""

from __future__ import annotations

from stepfast.backends.sqlite import label_rows, rows
from stepfast.engine import advancer
from stepfast.engine import showing as engine_showing
from tests.simulation.breaking import Patch, breaks, edited


@breaks("what-is-shown-has-happened", "shows")
def a_value_is_shown_before_its_order_is_durable(patch: Patch) -> None:
    edited(patch, engine_showing, "news_of", (" or not replay.decided", ""))


@breaks("what-is-shown-has-happened", "shows")
def a_late_process_shows_what_it_has_seen(patch: Patch) -> None:
    patch.setattr(rows, "UPDATE_SHOWN", rows.UPDATE_SHOWN.replace("coalesce(shown, '') < :floor", ":floor >= ''"))
    edited(patch, engine_showing, "news_of", ("if mark <= mark_in(execution.shown):", "if False:"))
    patch.setattr(advancer, "show", _showing_again)


async def _showing_again(store: object, execution: object, replay: object) -> None:
    """A process that does not know what it has shown."""
    replay.showing.written = 0  # type: ignore[attr-defined]
    await engine_showing.show(store, execution, replay)  # type: ignore[arg-type]


@breaks("what-is-shown-has-happened", "shows")
def the_index_of_labels_is_forgotten(patch: Patch) -> None:
    edited(patch, label_rows, "add", ("INSERT INTO labels VALUES (?, ?, ?, ?)", "SELECT ?, ?, ?, ?"))
