"""Edits of queries and updates; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast import query, signal, update, workflow
from tests.versioning.versions import Versions, go, named
from tests.waiting import until


def sent(app: Versions, name: str, payload: Any, id: str, wait: float = 10.0) -> Any:
    return app.runtime.call(app.operations.update("one", name, payload, id, wait)).shown()


def asked(app: Versions, name: str) -> str:
    return app.runtime.call(app.operations.query("one", name))


def test_a_query_is_that_of_the_new_code(app: Versions, ran: list[str]) -> None:
    """add, change or remove a query"""
    pay = named("pay", ran)

    @workflow("w")
    async def old() -> str:
        @query
        def how() -> str:
            return "old"

        @query
        def gone() -> None: ...

        await pay()
        await go()
        return "paid"

    @workflow("w")
    async def new() -> str:
        @query
        def how() -> str:
            return "new"

        @query
        def added() -> int:
            return 1

        await pay()
        await go()
        return "paid"

    app.begin(old)
    assert asked(app, "how") == '"old"'
    app.reopen(new)
    assert (asked(app, "how"), asked(app, "added")) == ('"new"', "1")
    assert app.go_on(new).result == '"paid"'
    assert ran == ["pay"]


def test_an_update_is_added_beside_another(app: Versions, ran: list[str]) -> None:
    """add an update to a workflow that has one, or change what its check refuses"""
    note = named("note", ran)

    @workflow("w")
    async def old() -> None:
        @update
        async def first(number: int) -> None:
            await note(number)

        await go()

    @workflow("w")
    async def new() -> None:
        @update
        async def first(number: int) -> None:
            await note(number)

        @first.check
        def _(number: int) -> None: ...

        @update
        async def second(number: int) -> int:
            await note(number)
            return number

        await go()

    app.begin(old)
    assert sent(app, "first", 1, "a")["status"] == "succeeded"
    app.reopen(new)
    assert sent(app, "second", 2, "b")["result"] == 2
    app.go_on(new)
    assert ran == ["note 1", "note 2"]


def test_the_first_update_is_added(app: Versions, ran: list[str]) -> None:
    """add the first update to a workflow, with nothing parallel recorded"""
    pay, note = named("pay", ran), named("note", ran)

    @workflow("w")
    async def old() -> None:
        await pay(1)
        await pay(2)
        await go()

    @workflow("w")
    async def new() -> None:
        @update
        async def first(number: int) -> int:
            await note(number)
            return number

        await pay(1)
        await pay(2)
        await go()

    app.begin(old)
    app.reopen(new)
    assert sent(app, "first", 3, "a")["result"] == 3
    app.go_on(new)
    assert ran == ["pay 1", "pay 2", "note 3"]


def test_an_update_that_has_not_begun_is_gone(app: Versions, ran: list[str]) -> None:
    """remove or rename an update that has been sent and not begun"""

    @workflow("w")
    async def old() -> None:
        @update
        async def first() -> None: ...

        @update
        async def second() -> None: ...

        await go()

    @workflow("w")
    async def new() -> None:
        @update
        async def second() -> None: ...

        await go()

    app.begin(old)
    app.runtime.call(app.operations.pause("one"))
    assert sent(app, "first", None, "a", 0.0)["status"] == "pending"
    app.reopen(new)
    app.runtime.call(app.operations.unpause("one"))
    state = app.runtime.call(app.operations.update_state("one", "a", 10.0)).shown()
    assert (state["status"], "'second'" in state["error"]["message"]) == ("refused", True)
    app.go_on(new)


def test_the_code_of_an_update_is_changed_while_it_runs(app: Versions, ran: list[str]) -> None:
    """change an update's steps or arguments of steps while it runs"""
    note = named("note", ran)

    def code(argument: str) -> Any:
        @workflow("w")
        async def coded() -> None:
            @update
            async def first() -> None:
                await note(argument)
                await signal("more")

            await go()

        return coded

    app.begin(code("old"))
    sent(app, "first", None, "a", 0.0)
    until(lambda: "update:a/signal:more" in app.waiting(extend=False))
    app.refused(code("new"), "update:a/note", "old", "new")


def test_all_updates_are_removed(app: Versions, ran: list[str]) -> None:
    """remove all updates of a workflow that has taken one, when a parallel stretch comes later"""
    note = named("note", ran)

    @workflow("w")
    async def old() -> None:
        @update
        async def first() -> None:
            await note(1)

        await note(2)
        await go()

    @workflow("w")
    async def new() -> None:
        await note(2)
        await asyncio.gather(go(), note(3))

    app.begin(old)
    assert sent(app, "first", None, "a")["status"] == "succeeded"
    app.refused(new, "the recorded order goes on with")
