"""Writes what workflow code shows of itself, once the order that the code has followed is durable (rule *shown*)."""

from __future__ import annotations

from stepfast.engine.shown_store import ShownStore
from stepfast.model import Execution
from stepfast.replay.replay import Replay
from stepfast.shown import ShownState, mark_in, mark_of, stored_base, stored_value


async def show(store: ShownStore, execution: Execution, replay: Replay) -> None:
    """Writes what is news, in a write of its own."""
    if (news := news_of(execution, replay)) is not None:
        await store.show(execution, news)
        replay.showing.written = replay.showing.calls


def news_of(execution: Execution, replay: Replay) -> ShownState | None:
    """What the replay has come to show and nobody has seen yet; None without news, or while it is not for sure."""
    showing = replay.showing
    if showing.calls == showing.written or replay.stale or not replay.decided:
        return None
    mark = mark_of(execution.run, execution.generation, showing.calls)
    if mark <= mark_in(execution.shown):
        return None
    # The value of an earlier generation or run stays until this one sets another.
    value = stored_value(execution.shown) if showing.value is None else showing.value
    base = showing.base if showing.labels is not None else stored_base(execution.shown, execution.run)
    return ShownState(mark, value, showing.labels, base)
