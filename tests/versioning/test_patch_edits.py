"""Edits behind `patched`, or with `same`, that are unsafe without; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

from stepfast import map_items, patched, random, step, workflow
from tests.versioning.versions import AnyWorkflow, Versions, go

Code = Callable[[], Awaitable[Any]]


class Paid(BaseModel):
    amount: int


def versions(before: Code, after: Code) -> tuple[AnyWorkflow, AnyWorkflow]:
    """The workflow before the edit, and the one that has both ways."""

    @workflow("w")
    async def old() -> Any:
        return await before()

    @workflow("w")
    async def new() -> Any:
        return await (after if patched("edit") else before)()

    return old, new


def takes_the_old_way(app: Versions, before: Code, after: Code) -> Any:
    """The result of an execution that the old code began; one that begins with the new code takes the new way."""
    old, new = versions(before, after)
    app.begin(old)
    ended = app.go_on(new)
    app.start("w", None, "two")
    app.signal("go", None, "another", "two")
    assert app.ends("SUCCEEDED", id="two").result != ended.result
    return ended.result


def test_arguments(app: Versions, do: Any) -> None:
    """other arguments of a recorded step, behind `patched`"""

    def pays(amount: int) -> Code:
        async def code() -> Any:
            paid = await do("pay", amount)
            await go()
            return paid

        return code

    assert takes_the_old_way(app, pays(1), pays(2)) == '"pay 1"'


def test_another_call(app: Versions, do: Any) -> None:
    """another call of a step before a recorded one, behind `patched`"""

    def pays(*amounts: int) -> Code:
        async def code() -> Any:
            paid = [await do("pay", amount) for amount in amounts]
            await go()
            return paid

        return code

    assert takes_the_old_way(app, pays(1), pays(5, 1)) == '["pay 1"]'


def test_chance(app: Versions, do: Any) -> None:
    """a random number before one that went into a recorded step, behind `patched`"""

    def draws(times: int) -> Code:
        async def code() -> Any:
            drawn = [random() for _ in range(times)]
            await do("pay", drawn[-1])
            await go()
            return len(drawn)

        return code

    assert takes_the_old_way(app, draws(1), draws(2)) == "1"


def test_a_branch_is_removed(app: Versions, do: Any) -> None:
    """a branch that is removed, behind `patched`"""

    def branches(*names: str) -> Code:
        async def branch(name: str) -> Any:
            return [await do(name), await do(f"{name}-2")]

        async def code() -> Any:
            done = await asyncio.gather(*map(branch, names))
            await go()
            return done

        return code

    taken = takes_the_old_way(app, branches("a", "b", "c"), branches("a", "c"))
    assert taken == '[["a","a-2"],["b","b-2"],["c","c-2"]]'


def test_a_step_in_a_branch(app: Versions, do: Any) -> None:
    """a step in a branch before others, behind `patched`"""

    def branches(*names: str) -> Code:
        async def branch() -> Any:
            return [await do(name) for name in names]

        async def code() -> Any:
            done = await asyncio.gather(branch(), do("beside"))
            await go()
            return done

        return code

    assert takes_the_old_way(app, branches("a", "b"), branches("new", "a", "b")) == '[["a","b"],"beside"]'


def test_a_result_type(app: Versions, ran: list[str]) -> None:
    """another result type of a step under another name, behind `patched`"""

    @step(name="pay")
    async def pay() -> int:
        return 1

    @step(name="pay-2")
    async def pay_as_model() -> Paid:
        return Paid(amount=1)

    def pays(do: Any) -> Code:
        async def code() -> Any:
            paid = await do()
            await go()
            return paid if isinstance(paid, int) else paid.model_dump()

        return code

    assert takes_the_old_way(app, pays(pay), pays(pay_as_model)) == "1"


def test_a_map(app: Versions, ran: list[str]) -> None:
    """another batch size or concurrency of a map, behind `patched`"""

    @step(name="double")
    async def double(number: int) -> int:
        return 2 * number

    def maps(batch: int, concurrency: int) -> Code:
        async def code() -> Any:
            report = await map_items(double, list(range(6)), batch=batch, concurrency=concurrency)
            await go()
            return [batch, report.succeeded]

        return code

    assert takes_the_old_way(app, maps(1, 6), maps(3, 2)) == "[1,6]"


def charging(ran: list[str], note: str, same: Any) -> AnyWorkflow:
    @step(name="pay", same=same)
    async def pay(amount: int, note: str) -> str:
        ran.append(note)
        return f"{amount} {note}"

    @workflow("w")
    async def w() -> str:
        paid = await pay(1, note)
        await go()
        return paid

    return w


def test_an_argument_that_may_differ(app: Versions, ran: list[str]) -> None:
    """change an argument that `same` of the step names"""
    app.begin(charging(ran, "first", ("note",)))
    assert app.go_on(charging(ran, "second", ("note",))).result == '"1 first"'
    assert ran == ["first"]


def test_arguments_that_a_function_compares(app: Versions, ran: list[str]) -> None:
    """change an argument in a way that the function `same` of the step allows"""

    def alike(old: dict[str, Any], new: dict[str, Any]) -> bool:
        return bool(old["note"].lower() == new["note"].lower())

    app.begin(charging(ran, "first", alike))
    assert app.go_on(charging(ran, "FIRST", alike)).result == '"1 first"'
    assert ran == ["first"]
