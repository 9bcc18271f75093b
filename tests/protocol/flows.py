"""Workflows for the models: sequences, parallel steps, races, time limits, compensation, groups, signals."""

import asyncio

from tests.protocol.replay import StepFailed, signal, step


async def linear(_):
    value = None
    for index in range(6):
        value = (await step(f"s{index}", index))[0]
    return value


async def fan_out(_):
    first = await asyncio.gather(step("a"), step("b"), step("c"))
    joined = await step("d", tuple(first))

    async def branch(index):
        return await step("q", await step("p", (index, joined[0])))

    return await step("z", await asyncio.gather(*[branch(i) for i in range(3)]))


async def race(_):
    tasks = [asyncio.ensure_future(step(name)) for name in "abc"]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    winner = sorted(t.result()[0] for t in done)
    note = await step("notify", winner)
    await asyncio.gather(*rest)
    return await step("end", (winner, note))


async def timed(_):
    try:
        async with asyncio.timeout(3):
            value = await step("slow")
    except TimeoutError:
        value = await step("fallback")
    await asyncio.sleep(50)
    try:
        await step("bad")
    except StepFailed:
        await step("compensate", value)
    return await step("end", value)


async def saga(_):
    first = await step("a")
    try:
        second = await step("down", first)
    except StepFailed:
        await step("notify", "failed")  # same id as below, other argument
        raise
    await step("notify", "worked")
    return await step("end", second)


async def halves(_):
    async def branch(index):
        value = await step("p", index)
        value = await step("down" if index % 2 else "q", value)
        return await step("r", value)

    try:
        async with asyncio.TaskGroup() as group:  # one failure cancels the siblings
            tasks = [group.create_task(branch(i)) for i in range(4)]
    except* StepFailed as failures:
        await step("report", len(failures.exceptions))
        raise
    return await step("end", [t.result() for t in tasks])


async def approvals(_):
    first = await signal("go")
    work = asyncio.ensure_future(step("work", first))
    second, third = await asyncio.gather(signal("go"), signal("go"))
    try:
        value = await step("down", (second, third))
    finally:
        await step("tidy", second)
    return await step("end", (await work, value))
