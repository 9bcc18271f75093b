"""Edits where steps run in parallel, whose order is recorded; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast import workflow
from stepfast.language.workflows import Workflow
from tests.versioning.versions import Versions, go
from tests.waiting import until


async def waiting() -> str:
    await go()
    return "went"


def test_gather_takes_its_arguments_in_another_order(app: Versions, ran: list[str], do: Any) -> None:
    """change the order of `gather`'s arguments or of `create_task` calls whose functions have different names"""

    @workflow("w")
    async def old() -> list[str]:
        results = list(await asyncio.gather(do("a"), do("b"), do("c")))
        await go()
        return results

    @workflow("w")
    async def new() -> list[str]:
        results = list(await asyncio.gather(do("c"), do("a"), do("b")))
        await go()
        return results

    app.begin(old)
    assert app.go_on(new).result == '["c","a","b"]'
    assert sorted(ran) == ["a", "b", "c"]


def test_gather_takes_calls_of_one_step_in_another_order(app: Versions, ran: list[str], do: Any) -> None:
    """change the order of parallel calls of the same function"""

    def version(*numbers: int) -> Any:
        @workflow("w")
        async def w() -> list[str]:
            results = await asyncio.gather(*(do("work", number) for number in numbers))
            await go()
            return results

        return w

    app.begin(version(1, 2))
    app.refused(version(2, 1), "'work'", '{"argument":1}', '{"argument":2}')
    assert app.mended(version(1, 2)).result == '["work 1","work 2"]'
    assert sorted(ran) == ["work 1", "work 2"]


def test_a_branch_joins_those_in_flight(app: Versions, ran: list[str], do: Any) -> None:
    """add a branch to those that run in parallel"""

    def version(*names: str) -> Any:
        async def delivery() -> str:
            await do("pay")
            return str(await do("ship"))

        @workflow("w")
        async def w() -> list[str]:
            results = await asyncio.gather(delivery(), *(do(name) for name in names), waiting())
            return [*results, await do("last")]

        return w

    app.begin(version("a", "b"), waits_for="waiting/signal:go")
    until(lambda: app.waiting() == ["waiting/signal:go"])
    assert "delivery/pay" in app.applied()
    assert app.go_on(version("a", "b", "c")).result == '["ship","a","b","c","went","last"]'
    assert sorted(ran) == ["a", "b", "c", "last", "pay", "ship"]
    assert ran.index("c") < ran.index("last")


def test_two_branches_join_before_a_recorded_order(app: Versions, ran: list[str], do: Any) -> None:
    """add branches to a stretch that is over, when a later parallel stretch has begun"""

    def version(*names: str) -> Any:
        @workflow("w")
        async def w() -> list[str]:
            first = await asyncio.gather(*(do(name) for name in names))
            second = await asyncio.gather(do("x"), do("y"))
            await go()
            return [*first, *second]

        return w

    old = version("a", "b")
    app.begin(old)
    app.refused(version("a", "b", "c", "d"), "the recorded order goes on with", "'c', 'd'")
    assert app.mended(old).result == '["a","b","x","y"]'
    assert sorted(ran[:2]) == ["a", "b"]


BOTH = ["waiting/signal:go", "waiting#2/signal:go"]


def test_a_branch_is_removed(app: Versions, ran: list[str], do: Any) -> None:
    """remove a branch, or a step of one, whose result a further command has followed from"""

    def version(*names: str) -> Any:
        async def branch(name: str) -> str:
            return str(await do("pack", await do(name)))

        @workflow("w")
        async def w() -> list[str]:
            return list(await asyncio.gather(*(branch(name) for name in names), waiting(), waiting()))

        return w

    app.begin(version("a", "b"), waits_for=BOTH[0])
    until(lambda: app.waiting() == BOTH)
    assert {"branch/a", "branch#2/b"} <= set(app.applied())
    # 'b' may have been applied before 'a': then it is the first that is missed.
    app.refused(version("a"), "the recorded order goes on with 'branch#2/b'", "'waiting#2/signal:go'")
    app.signal("go", None)
    assert app.mended(version("a", "b")).result == '["pack a","pack b","went","went"]'
    assert sorted(ran) == ["a", "b", "pack a", "pack b"]


def test_a_branch_is_removed_that_nothing_has_followed_from(app: Versions, ran: list[str], do: Any) -> None:
    """remove a branch whose result no further command has followed from"""

    def version(*names: str) -> Any:
        @workflow("w")
        async def w() -> list[str]:
            return list(await asyncio.gather(*(do(name) for name in names), waiting(), waiting()))

        return w

    app.begin(version("a", "b"), waits_for=BOTH[0])
    until(lambda: app.waiting() == BOTH)
    app.reopen(version("a"))
    app.signal("go", None, "another-signal")
    assert app.go_on(version("a")).result == '["a","went","went"]'
    assert app.outcomes()["b"] == ("SUCCEEDED", "{}", '"b"')
    assert sorted(ran) == ["a", "b"]


def charging(do: Any, *steps: str) -> Workflow[..., Any]:
    @workflow("w")
    async def w() -> list[str]:
        async def branch() -> str:
            return str([await do(name) for name in steps][-1])

        return list(await asyncio.gather(branch(), do("other"), waiting()))

    return w


def test_a_step_comes_first_in_a_branch(app: Versions, ran: list[str], do: Any) -> None:
    """add a step to a branch before one whose result a further command has followed from"""
    old = charging(do, "pay", "ship")
    app.begin(old, waits_for="waiting/signal:go")
    until(lambda: app.waiting() == ["waiting/signal:go"])
    assert "branch/pay" in app.applied()
    app.refused(charging(do, "check", "pay", "ship"), "the recorded order goes on with 'branch/pay'", "'branch/check'")
    assert app.mended(old).result == '["ship","other","went"]'
    assert sorted(ran) == sorted(set(ran))


def test_a_step_comes_first_in_a_branch_that_nothing_has_followed_from(app: Versions, ran: list[str], do: Any) -> None:
    """add a step to a branch before one whose result no further command has followed from"""
    app.begin(charging(do, "pay"), waits_for="waiting/signal:go")
    until(lambda: app.waiting() == ["waiting/signal:go"])
    assert app.go_on(charging(do, "check", "pay")).result == '["pay","other","went"]'
    assert sorted(ran) == ["check", "other", "pay"]


def test_a_step_comes_last_in_a_branch(app: Versions, ran: list[str], do: Any) -> None:
    """add a step at the end of a branch"""

    def version(more: bool) -> Any:
        async def branch() -> str:
            await do("pay")
            return str(await do("ship")) if more else "paid"

        @workflow("w")
        async def w() -> list[str]:
            results = list(await asyncio.gather(branch(), do("other")))
            await go()
            return results

        return w

    app.begin(version(False))
    assert app.go_on(version(True)).result == '["ship","other"]'
    assert sorted(ran) == ["other", "pay", "ship"]


def parallel(do: Any) -> Workflow[..., Any]:
    @workflow("w")
    async def w() -> list[str]:
        results = list(await asyncio.gather(do("a"), do("b")))
        results += await asyncio.gather(do("x"), do("y"))
        await go()
        return results

    return w


def sequential(do: Any) -> Workflow[..., Any]:
    @workflow("w")
    async def w() -> list[str]:
        results = [await do("a"), await do("b")]
        results += await asyncio.gather(do("x"), do("y"))
        await go()
        return results

    return w


def test_steps_in_sequence_become_parallel_before_a_recorded_order(app: Versions, ran: list[str], do: Any) -> None:
    """run steps in parallel that ran in sequence, when a later parallel stretch has begun"""
    app.begin(sequential(do))
    app.refused(parallel(do), "the recorded order goes on with", "it waits for 'a', 'b'")
    assert app.mended(sequential(do)).result == '["a","b","x","y"]'
    assert sorted(ran) == ["a", "b", "x", "y"]


def test_parallel_steps_become_a_sequence_before_a_recorded_order(app: Versions, ran: list[str], do: Any) -> None:
    """run steps in sequence that ran in parallel, when a later parallel stretch has begun"""
    app.begin(parallel(do))
    app.refused(sequential(do), "the recorded order goes on with", "it waits for 'x', 'y'")
    assert app.mended(parallel(do)).result == '["a","b","x","y"]'
    assert sorted(ran) == ["a", "b", "x", "y"]


def test_parallel_steps_become_a_sequence(app: Versions, ran: list[str], do: Any) -> None:
    """run steps in parallel that ran in sequence, or the reverse, with nothing parallel after them"""

    @workflow("w")
    async def old() -> list[str]:
        results = [await do("a"), await do("b"), *await asyncio.gather(do("x"), do("y"))]
        await go()
        return results

    @workflow("w")
    async def new() -> list[str]:
        results = [await do("a"), await do("b"), await do("x"), await do("y")]
        await go()
        return results

    app.begin(old)
    assert app.go_on(new).result == '["a","b","x","y"]'
    assert sorted(ran) == ["a", "b", "x", "y"]


def test_a_timeout_around_a_step_before_a_recorded_order(app: Versions, ran: list[str], do: Any) -> None:
    """put a recorded step into `asyncio.timeout` or `wait_for`, when a later parallel stretch has begun"""

    def version(wrapped: bool) -> Any:
        @workflow("w")
        async def w() -> list[str]:
            first = await asyncio.wait_for(do("a"), 3600) if wrapped else await do("a")
            results = await asyncio.gather(do("x"), do("y"))
            await go()
            return [first, *results]

        return w

    app.begin(version(False))
    app.refused(version(True), "the recorded order goes on with", "'a'", "':timer'")
    assert app.mended(version(False)).result == '["a","x","y"]'
    assert sorted(ran) == ["a", "x", "y"]
