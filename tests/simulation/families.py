"""Workflows with children, for simulated families: in turn, side by side, as compensation, in races, in generations.

Some of them continue as new: children, their parents, and both.
"""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast import ContinueAsNew, StepFailed, child, signal, step, workflow
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow


def _step(name: str) -> Step[..., Any]:
    def function(argument: Any) -> Any:
        raise AssertionError("the simulation runs it")

    return step(name=name)(function)


first, down, last, write, end = (_step(name) for name in ("first", "down", "last", "write", "end"))
STEPS: set[str] = {one.name for one in (first, down, last, write, end)}


@workflow("kid")
async def kid(argument: Any) -> Any:
    """Its second step fails for good while there is an outage."""
    begun = await first(argument)
    passed = await down(begun)
    return await last(passed)


@workflow("note")
async def note(argument: Any) -> Any:
    return await write(argument)


@workflow("middle")
async def middle(argument: Any) -> Any:
    return await last(await child(kid, argument))


@workflow("waiting")
async def waiting(_: Any) -> Any:
    """Nobody sends this signal, so only a cancel ends it."""
    return await signal("never")


@workflow("holding")
async def holding(argument: Any) -> Any:
    return await child(waiting, argument)


@workflow("in-turn")
async def in_turn(_: Any) -> Any:
    one = await child(kid, 1)
    two = await first(one)
    return await end([two, await child(kid, 2)])


@workflow("side-by-side")
async def side_by_side(_: Any) -> Any:
    return await end(list(await asyncio.gather(child(kid, 1), child(kid, 2), first(3), child(note, "x"))))


@workflow("compensating")
async def compensating(_: Any) -> Any:
    """Compensation by a child of the same structural id as the one that follows a success, with another input."""
    try:
        one = await child(kid, 1)
    except StepFailed:
        await child(note, "failed")
        raise
    await child(note, "worked")
    return await end(one)


@workflow("left-behind")
async def left_behind(_: Any) -> Any:
    """Nobody waits for a child any more when its parent fails; then its id is asked for with another input."""
    try:
        one = await child(kid, 1)
    except StepFailed:
        running = asyncio.ensure_future(child(note, "failed"))
        await first(1)
        running.cancel()
        raise
    await child(note, "worked")
    return await end(one)


@workflow("deep")
async def deep(_: Any) -> Any:
    async def branch(number: int) -> Any:
        return await child(note, repr(await child(kid, number)))

    return await end(list(await asyncio.gather(*[branch(number) for number in range(3)])))


@workflow("generations")
async def generations(_: Any) -> Any:
    return await end(list(await asyncio.gather(child(middle, 1), child(middle, 2))))


@workflow("racing")
async def racing(_: Any) -> Any:
    """The loser is cancelled, and so is what it has started."""
    tasks = [asyncio.create_task(child(holding, 1)), asyncio.create_task(child(kid, 2))]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await first(len(done))
    return await end([task.result() for task in done][:1])


@workflow("endless")
async def endless(_: Any) -> Any:
    """Only an operator's cancel ends it."""
    return await asyncio.gather(child(holding, 1), child(kid, 2), child(waiting, 3))


@workflow("counting")
async def counting(state: Any) -> Any:
    """Three runs; the second fails for good while there is an outage. Its parent has asked with the number alone."""
    number, turn = state if isinstance(state, list) else (state, 0)
    begun = await first([number, turn])
    if turn == 1:
        await down(begun)
    if turn < 2:
        raise ContinueAsNew([number, turn + 1])
    return await last(number)


@workflow("heir")
async def heir(state: Any) -> Any:
    """Two runs and two signals, which come at any moment: before the wait, beside a step, or as the run ends."""
    turn, got = (state["turn"], state["got"]) if isinstance(state, dict) else (0, [])
    wait = asyncio.ensure_future(signal("go", int))
    await down(await first(turn))
    if wait.done():
        got.append(wait.result())
    if turn < 1:
        raise ContinueAsNew({"turn": turn + 1, "got": got})
    while len(got) < 2:
        got.append(await (wait if not wait.done() else signal("go", int)))
    return {"got": got}


@workflow("heirs")
async def heirs(_: Any) -> Any:
    return await end(list(await asyncio.gather(child(counting, 1), child(heir, None), child(kid, 2))))


@workflow("reign")
async def reign(state: Any) -> Any:
    """Three runs, each with the same call of a child, a child that the turn leaves or cancels, and a signal."""
    state = state or {"turn": 0, "got": [], "sums": []}
    turn, got, sums = state["turn"], state["got"], state["sums"]
    heard = asyncio.ensure_future(signal("go", int))
    beside = asyncio.ensure_future(child(note, turn, on_cancel="leave") if turn else child(waiting, turn))
    sums.append(await child(kid, turn))
    if not beside.done():
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
    if heard.done():
        got.append(heard.result())
    if turn < 2:
        raise ContinueAsNew({"turn": turn + 1, "got": got, "sums": sums})
    while len(got) < 2:
        got.append(await (heard if not heard.done() else signal("go", int)))
    return {"got": got, "sums": sums}


@workflow("dynasty")
async def dynasty(state: Any) -> Any:
    """Two runs, with children that continue as new, one of them under the same id in each try of a run."""
    turn: int = state[0] if state else 0
    sums: list[Any] = state[1] if state else []
    sums.append(await asyncio.gather(child(counting, 1, id=f"crown-{turn}"), child(counting, 2)))
    await down(turn)
    if turn < 1:
        raise ContinueAsNew([turn + 1, sums])
    return await end(sums)


@workflow("usurping")
async def usurping(turn: Any) -> Any:
    """Each run asks for a child that continues as new by another input when it is tried again."""
    try:
        await child(counting, turn or 0)
    except StepFailed:
        await child(counting, "failed")
        raise
    await child(counting, "worked")
    if not turn:
        raise ContinueAsNew(1)
    return await end(turn)


FAMILIES: dict[str, Workflow[..., Any]] = {
    one.name: one
    for one in (
        in_turn, side_by_side, compensating, left_behind, deep, generations, racing, endless,
        heirs, reign, dynasty, usurping,
    )
}  # fmt: skip
MEMBERS: list[Workflow[..., Any]] = [kid, note, middle, waiting, holding, counting, heir]
SIGNALS = {"heir": 2, "reign": 2}
"""How many signals an execution of a workflow takes in all of its runs; its result has them under "got"."""
