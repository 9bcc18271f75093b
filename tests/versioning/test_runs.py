"""Edits of workflows that continue as new; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

from stepfast import ContinueAsNew, signal, workflow
from tests.versioning.versions import Versions, go, named


def test_the_next_run_begins_with_the_new_code(app: Versions, ran: list[str]) -> None:
    """change anything that the runs after the next ContinueAsNew alone come by"""
    pay, settle = named("pay", ran), named("settle", ran)

    @workflow("w")
    async def old(turn: int) -> str:
        await pay(turn)
        await go()
        raise ContinueAsNew(turn + 1)

    @workflow("w")
    async def new(turn: int) -> str:
        if turn > 0:
            return str(await settle(turn))
        await pay(turn)
        await go()
        raise ContinueAsNew(turn + 1)

    app.begin(old, 0)
    assert app.go_on(new).result == '"settle 1"'
    assert ran == ["pay 0", "settle 1"]


def test_what_is_recorded_after_an_earlier_turn_stays_behind(app: Versions, ran: list[str]) -> None:
    """raise ContinueAsNew before a recorded command, or add commands before a `continue_suggested()`"""
    pay, settle = named("pay", ran), named("settle", ran)

    @workflow("w")
    async def old(turn: int) -> str:
        await pay(turn)
        first = await signal("first", str)
        await settle(first)
        await go()
        return first

    @workflow("w")
    async def new(turn: int) -> str:
        await pay(turn)
        if turn == 0:
            raise ContinueAsNew(1)
        first = await signal("first", str)
        await settle(first)
        await go()
        return first

    app.reopen(old)
    app.start("w", 0)
    app.signal("first", "x")
    app.begin(old, 0)
    assert app.go_on(new).result == '"x"'
    assert ran == ["pay 0", "settle x", "pay 1", "settle x"]
