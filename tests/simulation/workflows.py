"""Workflows to break: sequences, fan-outs, races, timeouts, compensation, signals, locks, cancelled tasks.

Their steps ask the world in which they run whether to fail; a step's result is its name and argument.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import stepfast
from stepfast import GiveUp, Retry, StepFailed, set_labels, set_status, signal, step, workflow
from stepfast.language.steps import Step
from stepfast.language.workflow_loop import in_workflow
from stepfast.language.workflows import Workflow
from tests.replay.shapes import ALL, Shape, shaped

QUICK = Retry(max_attempts=3, initial=5.0, backoff=1.0, jitter="none")
PATIENT = Retry(max_attempts=3, initial=200.0, backoff=1.0, jitter="none")
FAILS = {"s2": 2, "b": 1, "bad": 9, "q": 1, "sulk": 1}
"""How many attempts of a step fail."""


def make(name: str, retry: Retry = QUICK, **options: Any) -> Step[..., Any]:
    async def work(argument: Any = None) -> list[Any]:
        return [name, argument]

    made: Step[..., Any] = step(name=name, retry=retry, timeout=30, **options)(work)
    return made


STEPS = {
    name: make(name)
    for name in [
        *(f"s{n}" for n in range(6)),
        *"abcdpqrz",
        *["end", "note", "notify", "slow", "fallback", "bad", "compensate", "down", "report", "work", "tidy", "refund"],
    ]
}
STEPS["once"] = make("once", at_most_once=True)
STEPS["sulk"] = make("sulk", PATIENT)


def do(name: str, argument: Any = None) -> Any:
    return STEPS[name](argument)


@workflow("linear")
async def linear() -> Any:
    value = None
    for index in range(6):
        value = (await do(f"s{index}", index))[0]
    return value


@workflow("fan_out")
async def fan_out() -> Any:
    first = await asyncio.gather(do("a"), do("b"), do("c"))
    joined = await do("d", [one[0] for one in first])

    async def branch(index: int) -> Any:
        return await do("q", await do("p", [index, joined[0]]))

    return await do("z", await asyncio.gather(*[branch(index) for index in range(3)]))


@workflow("race")
async def race() -> Any:
    tasks = [asyncio.ensure_future(do(name)) for name in "abc"]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    winner = sorted(one.result()[0] for one in done)
    note = await do("notify", winner)
    await asyncio.gather(*rest)
    return await do("end", [winner, note])


@workflow("completed")
async def completed() -> Any:
    async def branch(index: int) -> Any:
        await do("p", index)
        return await do("q", index)

    seen = []
    for one in asyncio.as_completed([branch(index) for index in range(4)]):
        seen.append((await one)[1])
        await do("note", seen)
    return sorted(seen)


@workflow("shows")
async def shows() -> Any:
    """Shows what it has seen, between results whose order is a choice."""

    async def branch(index: int) -> Any:
        await do("p", index)
        return await do("bad" if index == 1 else "q", index)

    seen: list[Any] = []
    show(0)
    for one in asyncio.as_completed([branch(index) for index in range(3)]):
        try:
            seen.append((await one)[1])
        except StepFailed:
            seen.append(None)
        show(seen)
    await do("note")
    show("noted")
    return await do("end")


def show(value: Any) -> None:
    """As workflow code does; the same functions also run on plain asyncio, where nobody looks."""
    if in_workflow():
        set_status(value)
        set_labels(shown=str(value)[:60])


@workflow("timed")
async def timed() -> Any:
    try:
        async with asyncio.timeout(3):
            value = await do("slow")
    except TimeoutError:
        value = await do("fallback")
    await asyncio.sleep(50)
    try:
        await do("bad")
    except StepFailed:
        await do("compensate", value)
    return (await do("s2", stepfast.random() < 0.5))[0]


@workflow("saga")
async def saga() -> Any:
    first = await do("a")
    try:
        second = await do("down", first)
    except StepFailed:
        await do("notify", "failed")  # same id as below, other argument
        raise
    await do("notify", "worked")
    return await do("end", second)


@workflow("halves")
async def halves() -> Any:
    async def branch(index: int) -> Any:
        value = await do("p", index)
        value = await do("down" if index % 2 else "q", value)
        return await do("r", value)

    try:
        async with asyncio.TaskGroup() as group:  # one failure cancels the siblings
            tasks = [group.create_task(branch(index)) for index in range(4)]
    except* StepFailed as failures:
        await do("report", len(failures.exceptions))
        raise
    return await do("end", [one.result() for one in tasks])


@workflow("torn")
async def torn() -> Any:
    """The failure of one comes out of the gather while the others go on."""

    async def branch(index: int) -> Any:
        await asyncio.sleep(30 * index)
        return await do("p", index)

    found = await asyncio.gather(do("down"), branch(1), branch(4), do("slow"))
    return await do("end", len(found))


@workflow("approvals")
async def approvals() -> Any:
    first = await signal("go", int)
    work = asyncio.ensure_future(do("work", first))
    second, third = await asyncio.gather(signal("go", int), signal("go", int))
    try:
        value = await do("down", [second, third])
    finally:
        await do("tidy", second)
    ended = await do("end", [(await work)[0], value[0]])
    return [ended[0], sorted([first, second, third])]


@workflow("deadline")
async def deadline() -> Any:
    got = []
    for _ in range(3):
        try:
            got.append(await signal("go", int, timeout=20))
        except TimeoutError:
            got.append(-1)
            await do("note", len(got))
    return len(got)


@workflow("semaphore")
async def semaphore() -> Any:
    gate, queue = asyncio.Semaphore(2), asyncio.Queue[int]()

    async def worker(index: int) -> None:
        async with gate:
            await do("p", index)
            await do("b", index)
        queue.put_nowait(index)

    async with asyncio.TaskGroup() as group:
        for index in range(5):
            group.create_task(worker(index))
    return await do("end", sorted([await queue.get() for _ in range(5)]))


@workflow("cancels")
async def cancels() -> Any:
    async def tidy() -> None:
        try:
            await do("slow")
        except asyncio.CancelledError:
            await do("refund")
            raise

    task = asyncio.create_task(tidy())
    first = await do("a")
    task.cancel()
    outcome = await asyncio.gather(task, return_exceptions=True)
    assert len(outcome) == 1
    return await do("end", first)


@workflow("late")
async def late() -> Any:
    """The failure is the workflow's own deadline; its steps may be in any state by then."""
    first = asyncio.ensure_future(do("a"))
    async with asyncio.timeout(100):
        found = await asyncio.gather(do("down"), do("q", 1), do("sulk"), do("slow"))
    return await do("end", [(await first)[0], found[0][0]])


@workflow("only_once")
async def only_once() -> Any:
    results = []
    for index in range(3):
        try:
            results.append((await do("once", index))[1])
        except StepFailed as error:
            if error.error_type != "StepInterrupted":
                raise
            results.append(None)
    await do("end", results)
    return len(results)


@workflow("nested")
async def nested() -> Any:
    async def inner(index: int) -> Any:
        return await asyncio.gather(do("p", index), asyncio.wait_for(do("q", index), 500))

    outer = await asyncio.gather(*(inner(index) for index in range(3)), do("s2"))
    if len(outer) != 4:
        raise GiveUp("lost one")
    for _ in range(3):
        await do("note", None)
    return len(outer)


@workflow("verdict")
async def verdict() -> Any:
    """The first of two results decides whether the third is still wanted: every order leads to other commands."""
    firsts = []
    for turn in range(3):
        yes, no, third = (asyncio.ensure_future(do(name, turn)) for name in ("c", "d", "slow"))
        done, _ = await asyncio.wait([yes, no], return_when=asyncio.FIRST_COMPLETED)
        firsts.append("yes" if yes in done else "no")
        if firsts[-1] == "no":
            third.cancel()
        note = asyncio.ensure_future(do("note", [turn, firsts[-1]]))
        await asyncio.gather(yes, no, third, note, return_exceptions=True)
        await asyncio.gather(do("p", turn), do("r", turn))
    return firsts


@workflow("gathers")
async def gathers() -> Any:
    """Outcomes that come alone, all of them waited for; then steps whose input is their order."""

    async def pair(index: int) -> Any:
        return await do("q", await do("p", index))

    async def inner() -> Any:
        return await asyncio.gather(pair(0), signal("go", int), asyncio.sleep(40))

    await asyncio.gather(*(do("a", index) for index in range(3)), inner(), return_exceptions=True)
    await do("d", await do("c"))
    seen: list[int] = []
    notes = []
    for first in asyncio.as_completed([do("r", index) for index in range(3)]):
        seen.append((await first)[1])
        notes.append(asyncio.ensure_future(do("note", list(seen))))
    return await do("end", len(await asyncio.gather(*notes)))


@workflow("turns")
async def turns(carried: dict[str, Any] | None) -> list[int]:
    """Three runs. In each, a signal may come at any moment: before the wait, beside a step, or as the run ends."""
    turn, got = (carried["turn"], carried["got"]) if carried is not None else (0, [])
    wait = asyncio.ensure_future(signal("go", int))
    await asyncio.gather(do("b", turn), do("q", turn))
    if turn == 1:
        await do("down")
    if wait.done():
        got.append(wait.result())
    if turn < 2:
        raise stepfast.ContinueAsNew({"turn": turn + 1, "got": got})
    while len(got) < 3:
        got.append(await (wait if not wait.done() else signal("go", int)))
    await do("end", got)
    return got


def drawn_shape(draw: random.Random) -> Shape:
    """A workflow of any kind, for `shaped`: nodes of tests/replay/shapes.py with steps, failures and sleeps in them."""
    parts = [["try", _drawn_part(draw, 3), ["step", number]] for number in range(3)]
    return [draw.choice(["seq", "gather", "queue"]), *parts]


def _drawn_part(draw: random.Random, depth: int) -> Shape:
    if depth == 0 or draw.random() < 0.2:
        return draw.choice([["step", draw.randrange(9)], ["step", 1], ["sleep", 60], ["fail", "x"]])
    kind = draw.choice(ALL)
    parts = [_drawn_part(draw, depth - 1) for _ in range(2 if kind == "try" else draw.randrange(1, 4))]
    if kind == "cancel":
        return [kind, parts[0]]
    if kind in ("timeout", "waitfor"):
        return [kind, draw.choice([30, 1000]), parts[0]]
    return [kind, *parts]


@workflow("tidies")
async def tidies() -> Any:
    """Steps in a row, and side by side; a cancel undoes what was done, under the names of steps that follow."""
    done = []
    try:
        for name in ("a", "s0", "s1", "s3"):
            done.append((await do(name, name))[0])
        done += [one[0] for one in await asyncio.gather(do("p", 1), do("r", 2))]
        await asyncio.shield(asyncio.ensure_future(do("slow", 3)))
        return await do("end", done)
    except asyncio.CancelledError:
        for name in reversed(done):
            await do("refund", name)
        await do("s1", "undone")
        await asyncio.gather(do("end", "undone"), do("note", len(done)))
        raise


WORKFLOWS: dict[str, Workflow[..., Any]] = {
    one.name: one
    for one in (
        linear, fan_out, race, completed, timed, saga, halves,
        approvals, deadline, semaphore, cancels, late, only_once, nested, torn, verdict, gathers, turns, shaped, tidies,
        shows,
    )
}  # fmt: skip
