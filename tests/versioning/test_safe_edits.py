"""Edits that executions in flight do not notice; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from stepfast import Retry, step, workflow
from tests.versioning.versions import Versions, go
from tests.waiting import until


def test_the_next_attempt_runs_the_new_code(app: Versions, ran: list[str]) -> None:
    """change what a step does inside"""

    @step(name="pay", retry=Retry(max_attempts=9, initial=0.3))
    async def broken(n: int) -> str:
        ran.append("old")
        raise ConnectionError("the old code cannot pay")

    @step(name="pay", retry=Retry(max_attempts=9, initial=0.3))
    async def mended(n: int) -> str:
        ran.append("new")
        return "paid"

    @workflow("w")
    async def old() -> str:
        return await broken(1)

    @workflow("w")
    async def new() -> str:
        return await mended(1)

    app.reopen(old)
    app.start("w")
    until(lambda: ran)
    app.reopen(new)
    assert app.ends().result == '"paid"'
    assert set(ran) == {"old", "new"}


def test_a_new_policy_counts_from_the_next_attempt_on(app: Versions, ran: list[str]) -> None:
    """change a step's retry policy, timeout, heartbeat or pool"""

    def pay(**options: Any) -> Any:
        async def pay_once(n: int) -> int:
            ran.append("pay")
            if len(ran) < 4:
                raise ConnectionError("down")
            return n

        attempt: Any = step(name="pay", **options)(pay_once)

        @workflow("w")
        async def w() -> int:
            return int(await attempt(1))

        return w

    app.reopen(pay(retry=Retry(max_attempts=2, initial=2.0, jitter="none"), timeout=30))
    app.start("w")
    until(lambda: ran)
    app.reopen(pay(retry=Retry(max_attempts=4, initial=0.01), timeout=60, heartbeat=20, pool="money"))
    assert app.ends().result == "1"
    assert app.records()["pay"].attempt == 4


def test_a_new_step_between_recorded_ones_runs_and_the_others_do_not(app: Versions, ran: list[str], do: Any) -> None:
    """add a step with another name, where nothing runs in parallel"""

    @workflow("w")
    async def old() -> list[str]:
        first, second = await do("first"), await do("second")
        await go()
        return [first, second]

    @workflow("w")
    async def new() -> list[str]:
        results = [await do("zeroth"), await do("first"), await do("between"), await do("second")]
        await go()
        return [*results, await do("last")]

    app.begin(old)
    assert app.go_on(new).result == '["zeroth","first","between","second","last"]'
    assert ran == ["first", "second", "zeroth", "between", "last"]


def test_a_removed_step_stays_recorded(app: Versions, ran: list[str], do: Any) -> None:
    """remove a step whose result is not used, where nothing runs in parallel"""

    @workflow("w")
    async def old() -> str:
        await do("log")
        result: str = await do("pay")
        await go()
        return result

    @workflow("w")
    async def new() -> str:
        result: str = await do("pay")
        await go()
        return result

    app.begin(old)
    assert app.go_on(new).result == '"pay"'
    assert ran == ["log", "pay"]
    assert app.records()["log"].status == "SUCCEEDED"


def test_steps_change_places(app: Versions, ran: list[str], do: Any) -> None:
    """change the order of steps with different names that are awaited one after the other"""

    @workflow("w")
    async def old() -> list[str]:
        results = [await do("first", 1), await do("second", 2)]
        await go()
        return results

    @workflow("w")
    async def new() -> list[str]:
        results = [await do("second", 2), await do("first", 1)]
        await go()
        return results

    app.begin(old)
    assert app.go_on(new).result == '["second 2","first 1"]'
    assert ran == ["first 1", "second 2"]


def test_a_model_grows_by_a_field_with_a_default(app: Versions, ran: list[str]) -> None:
    """add a field with a default to the model of an input, an argument, a result or a signal"""

    class Order(BaseModel):
        item: str

    class LargerOrder(BaseModel):
        item: str
        count: int = 1

    def version(model: Any) -> Any:
        async def pay(order: model) -> model:
            ran.append("pay")
            return order

        async def w(order: model) -> str:
            paid = await step(pay)(order)
            await go()
            return f"{paid!r}"

        return workflow("w")(w)

    # Annotations are text in this module: the models are found among the globals.
    globals().update(model=Order)
    app.begin(version(Order), {"item": "book"})
    globals().update(model=LargerOrder)
    assert app.go_on(version(LargerOrder)).result == "\"LargerOrder(item='book', count=1)\""
    assert ran == ["pay"]


def test_a_loop_goes_round_more_often_or_less(app: Versions, ran: list[str], do: Any) -> None:
    """change how often a loop goes round that awaits one step after the other"""

    def rounds(count: int) -> Any:
        @workflow("w")
        async def w() -> list[str]:
            results = [await do("work", index) for index in range(count)]
            await go()
            return results

        return w

    app.begin(rounds(3))
    app.reopen(rounds(2))
    until(lambda: "signal:go" in app.waiting())
    assert app.go_on(rounds(5)).result == '["work 0","work 1","work 2","work 3","work 4"]'
    assert ran == ["work 0", "work 1", "work 2", "work 3", "work 4"]


def test_steps_move_into_a_function_that_is_awaited_in_place(app: Versions, ran: list[str], do: Any) -> None:
    """move steps into a coroutine function that is awaited directly, or out of it"""

    @workflow("w")
    async def old() -> str:
        result: str = await do("pay")
        await go()
        return result

    @workflow("w")
    async def new() -> str:
        async def paying() -> str:
            result: str = await do("pay")
            await go()
            return result

        return await paying()

    app.begin(old)
    assert app.go_on(new).result == '"pay"'
    assert ran == ["pay"]


def test_a_step_is_awaited_as_a_task_of_its_own(app: Versions, ran: list[str], do: Any) -> None:
    """await a single step through `create_task` or `gather` that was awaited directly, or the reverse"""

    @workflow("w")
    async def old() -> list[str]:
        results = [await do("first"), *(await asyncio.gather(do("second")))]
        await go()
        return results

    @workflow("w")
    async def new() -> list[str]:
        results = [await asyncio.create_task(do("first")), await do("second")]
        await go()
        return results

    app.begin(old)
    assert app.go_on(new).result == '["first","second"]'
    assert ran == ["first", "second"]


def test_a_recorded_step_is_wrapped_in_a_timeout(app: Versions, ran: list[str], do: Any) -> None:
    """put a step into `asyncio.timeout` or `wait_for`, where no timer and nothing parallel comes after it"""

    @workflow("w")
    async def old() -> str:
        result: str = await do("pay")
        await go()
        return result

    @workflow("w")
    async def new() -> str:
        async with asyncio.timeout(3600):
            result: str = await asyncio.wait_for(do("pay"), 1800)
        await go()
        return result

    app.begin(old)
    assert app.go_on(new).result == '"pay"'
    assert ran == ["pay"]


def test_a_timer_in_flight_keeps_its_end(app: Versions) -> None:
    """change the length of a sleep or a timeout"""

    @workflow("w")
    async def old() -> str:
        await asyncio.sleep(3.0)
        return "old"

    @workflow("w")
    async def new() -> str:
        await asyncio.sleep(3600)
        return "new"

    app.begin(old, waits_for=":timer")
    app.reopen(new)
    assert app.ends().result == '"new"'


def test_failed_code_is_mended_and_resumed(app: Versions, ran: list[str], do: Any) -> None:
    """catch an error that failed the execution, or fix the line that raised it"""

    @workflow("w")
    async def old() -> str:
        await do("pay")
        raise KeyError("a bug")

    @workflow("w")
    async def new() -> str:
        return str(await do("pay"))

    app.reopen(old)
    failed = app.run("w")
    assert failed.error is not None
    assert failed.error.type == "KeyError"
    assert app.mended(new).result == '"pay"'
    assert ran == ["pay"]
