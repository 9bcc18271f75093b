"""Edits that change what a recorded command is; each docstring is a row of docs/versioning.md."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import now, random, signal, step, workflow
from stepfast.engine.verify import verify
from stepfast.language.registry import Registry
from tests.versioning.versions import Versions, go
from tests.waiting import until


class Order(BaseModel):
    item: str


def calling(do: Any, *calls: tuple[Any, ...]) -> Any:
    """A workflow that makes these calls one after the other, and then waits."""

    @workflow("w")
    async def w() -> list[str]:
        results = [await do(*call) for call in calls]
        await go()
        return results

    return w


def test_the_arguments_of_a_recorded_step_change(app: Versions, ran: list[str], do: Any) -> None:
    """change the arguments that a recorded step is called with"""
    app.begin(calling(do, ("pay", 1)))
    app.refused(calling(do, ("pay", 2)), "'pay' was recorded with the input {\"argument\":1}", '{"argument":2}')
    assert app.mended(calling(do, ("pay", 1))).result == '["pay 1"]'
    assert ran == ["pay 1"]


def test_the_arguments_of_a_step_that_runs_change(app: Versions, ran: list[str]) -> None:
    """change the arguments of a step that is running or waits for its next try"""

    def version(n: int) -> Any:
        @step(timeout=3600)
        async def first() -> None: ...

        @step(timeout=3600)
        async def pay(amount: int) -> int:
            ran.append(f"pay {amount}")
            if len(ran) == 1:
                await asyncio.Event().wait()
            return amount

        @workflow("w")
        async def w() -> int:
            await first()
            paid = await pay(n)
            await go()
            return paid

        return w

    app.reopen(version(1))
    app.start("w")
    until(lambda: ran)
    app.refused(version(2), "'pay' was recorded with the input {\"amount\":1}", '{"amount":2}')
    app.reopen(version(1))
    app.resume()
    assert app.ends().result == "1"
    assert ran == ["pay 1", "pay 1"]


def test_another_call_of_the_same_step_comes_before(app: Versions, ran: list[str], do: Any) -> None:
    """add another call of a step before a recorded one in the same function: they change places"""
    app.begin(calling(do, ("pay", 1)))
    app.refused(calling(do, ("pay", 0), ("pay", 1)), "'pay' was recorded", '{"argument":1}', '{"argument":0}')
    assert app.mended(calling(do, ("pay", 1), ("pay", 0))).result == '["pay 1","pay 0"]'
    assert ran == ["pay 1", "pay 0"]


def test_a_renamed_step_runs_again(app: Versions, ran: list[str], do: Any) -> None:
    """rename a step"""
    app.begin(calling(do, ("pay", 1)))
    assert app.go_on(calling(do, ("charge", 1))).result == '["charge 1"]'
    assert ran == ["pay 1", "charge 1"]


def test_a_renamed_function_with_its_name_kept_does_not_run_again(app: Versions, ran: list[str]) -> None:
    """rename a step's function and keep its name with `@step(name=...)`"""

    async def pay() -> str:
        ran.append("pay")
        return "paid"

    async def charge() -> str:
        ran.append("charge")
        return "charged"

    def version(one: Any) -> Any:
        @workflow("w")
        async def w() -> str:
            result: str = await one()
            await go()
            return result

        return w

    app.begin(version(step(pay)))
    assert app.go_on(version(step(name="pay")(charge))).result == '"paid"'
    assert ran == ["pay"]


def test_steps_move_into_a_task(app: Versions, ran: list[str], do: Any) -> None:
    """move a step into a function that runs as a task, out of one, or rename that function"""

    @workflow("w")
    async def old() -> str:
        result: str = await do("pay")
        await go()
        return result

    @workflow("w")
    async def new() -> str:
        async def paying() -> str:
            return str(await do("pay"))

        result = await asyncio.create_task(paying())
        await go()
        return result

    app.begin(old)
    assert app.go_on(new).result == '"pay"'
    assert ran == ["pay", "pay"]
    assert sorted(app.records()) == ["pay", "paying/pay", "signal:go"]


def test_a_result_no_longer_fits(app: Versions, ran: list[str]) -> None:
    """change a result's type so that the recorded one no longer fits"""

    def version(kind: Any) -> Any:
        async def pay() -> kind:
            ran.append("pay")
            return "ten"

        async def w() -> str:
            paid = await step(pay)()
            await go()
            return str(paid)

        globals().update(kind=kind)
        made = step(pay)
        made.check()
        return workflow("w")(w)

    app.begin(version(str))
    app.refused(version(int), "what 'pay' has recorded no longer fits its type", "int")
    assert app.mended(version(str)).result == '"ten"'
    assert ran == ["pay"]


def test_a_signal_no_longer_fits(app: Versions) -> None:
    """change a signal's type so that the recorded payload no longer fits"""

    def version(kind: Any) -> Any:
        @workflow("w")
        async def w() -> str:
            amount = await signal("amount", kind)
            await go()
            return str(amount)

        return w

    app.reopen(version(str))
    app.start("w")
    app.signal("amount", "ten")
    until(lambda: "signal:go" in app.waiting())
    app.refused(version(int), "what 'signal:amount' has recorded no longer fits its type")
    assert app.mended(version(str)).result == '"ten"'


def test_an_input_no_longer_fits(app: Versions, ran: list[str], do: Any) -> None:
    """change the workflow's input type so that the recorded input no longer fits"""

    @workflow("w")
    async def old(n: int) -> str:
        result: str = await do("pay", n)
        await go()
        return result

    @workflow("w")
    async def new(order: Order) -> str:
        result: str = await do("pay", order.item)
        await go()
        return result

    app.begin(old, 7)
    app.refused(new, "the recorded input no longer fits its type")
    assert app.mended(old).result == '"pay 7"'
    assert ran == ["pay 7"]


def test_a_signal_is_renamed(app: Versions) -> None:
    """rename a signal: what was sent under the old name stays where it is"""

    def version(name: str) -> Any:
        @workflow("w")
        async def w() -> str:
            await go()
            return str(await signal(name))

        return w

    app.begin(version("approved"))
    app.signal("approved", "old")
    app.reopen(version("released"))
    app.signal("go", None)
    until(lambda: app.waiting() == ["signal:released"])
    app.signal("released", "new")
    assert app.ends().result == '"new"'


def test_a_sleep_comes_before_a_recorded_one(app: Versions) -> None:
    """add a sleep or a timeout before a recorded one in the same function: they change places"""

    @workflow("w")
    async def old() -> None:
        await asyncio.sleep(0.01)
        await go()

    @workflow("w")
    async def new() -> bool:
        began = now()
        await asyncio.sleep(3600)  # this one takes what the old code has waited for
        await asyncio.sleep(0.2)
        await go()
        return now() - began < timedelta(seconds=60)

    app.begin(old)
    snapshot = app.runtime.call(app.operations.load("one"))
    assert verify(Registry([old]), snapshot).early == ()
    (noticed,) = verify(Registry([new]), snapshot).early  # `stepfast verify` tells before it is deployed
    assert re.match(r"':timer' counts as waited after \d+\.\d", noticed)
    assert noticed.endswith("the code now asks for 3600 s")
    assert app.go_on(new).result == "true"
    assert sorted(app.records()) == [":timer", ":timer#2", "signal:go"]


def test_a_random_value_is_drawn_before(app: Versions, ran: list[str], do: Any) -> None:
    """add `random()` or `uuid4()` before one whose value went into a recorded step"""

    def version(draws: int) -> Any:
        @workflow("w")
        async def w() -> str:
            drawn = [random() for _ in range(draws)]
            result: str = await do("pay", drawn[-1])
            await go()
            return result

        return w

    app.begin(version(1))
    app.refused(version(2), "'pay' was recorded")
    assert app.mended(version(1)).result == f'"{ran[0]}"'
    assert len(ran) == 1


@pytest.mark.parametrize("removed", ["workflow", "renamed"])
def test_a_workflow_is_gone(app: Versions, ran: list[str], do: Any, removed: str) -> None:
    """rename or remove a workflow"""

    @workflow("renamed" if removed == "renamed" else "another")
    async def other() -> None: ...

    old = calling(do, ("pay", 1))
    app.begin(old)
    app.reopen(other)
    app.signal("go", None)
    app.run(other.name, id="two")
    assert app.read().status == "RUNNING"
    app.reopen(old, other)
    assert app.ends().result == '["pay 1"]'
    assert ran == ["pay 1"]
