"""Random workflows: trees of sequence, gather, group, race, timeout, try, cancel, queue and semaphore.

A shape is plain JSON, so a workflow can take it as its input. What it returns does not depend on which
step finishes first, so the same shape on plain asyncio must come to the same result.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from stepfast import step, workflow
from tests.replay.driver import Choose

Shape = list[Any]


@step
async def add(n: int) -> int:
    return n + 1


@step
async def fail(text: str) -> int:
    raise ValueError(text)


@step
async def extra() -> int:
    return 0


@dataclass
class Runs:
    """Runs shapes; what a step and a sleep are is up to the world they run in."""

    step: Callable[[int], Awaitable[int]]
    fail: Callable[[str], Awaitable[int]]
    sleep: Callable[[float], Awaitable[Any]]

    async def run(self, shape: Shape) -> Any:
        kind, *parts = shape
        return await getattr(self, "_" + kind)(*parts)

    async def _step(self, n: int) -> int:
        return await self.step(n)

    async def _extra(self) -> int:
        return await extra()

    async def _fail(self, text: str) -> int:
        return await self.fail(text)

    async def _sleep(self, seconds: float) -> str:
        await self.sleep(seconds)
        return "slept"

    async def _seq(self, *shapes: Shape) -> list[Any]:
        return [await self.run(one) for one in shapes]

    async def _try(self, shape: Shape, handler: Shape) -> Any:
        try:
            return await self.run(shape)
        except Exception:
            return ["caught", await self.run(handler)]

    async def _gather(self, *shapes: Shape) -> list[Any]:
        results = await asyncio.gather(*(self.run(one) for one in shapes), return_exceptions=True)
        return ["failed" if isinstance(one, BaseException) else one for one in results]

    async def _group(self, *shapes: Shape) -> list[Any]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.run(one)) for one in shapes]
        return [task.result() for task in tasks]

    async def _limited(self, *shapes: Shape) -> list[Any]:
        gate = asyncio.Semaphore(2)

        async def one(shape: Shape) -> Any:
            async with gate:
                return await self.run(shape)

        return await asyncio.gather(*(one(shape) for shape in shapes))

    async def _queue(self, *shapes: Shape) -> list[Any]:
        queue: asyncio.Queue[tuple[int, Shape]] = asyncio.Queue()
        results: list[Any] = [None] * len(shapes)

        async def worker() -> None:
            while not queue.empty():
                index, shape = queue.get_nowait()
                results[index] = await self._safely(shape)

        for item in enumerate(shapes):
            queue.put_nowait(item)
        await asyncio.gather(worker(), worker())
        return results

    async def _race(self, *shapes: Shape) -> str:
        tasks = [asyncio.create_task(self.run(one)) for one in shapes]
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return "raced"

    async def _completed(self, *shapes: Shape) -> list[str]:
        return sorted([repr(await one) for one in asyncio.as_completed([self._safely(each) for each in shapes])])

    async def _timeout(self, seconds: float, shape: Shape) -> str:
        try:
            async with asyncio.timeout(seconds):
                await self.run(shape)
        except Exception:
            return "timed"
        return "timed"

    async def _waitfor(self, seconds: float, shape: Shape) -> str:
        try:
            await asyncio.wait_for(self.run(shape), seconds)
        except Exception:
            return "timed"
        return "timed"

    async def _cancel(self, shape: Shape) -> str:
        task = asyncio.create_task(self.run(shape))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return "cancelled"

    async def _safely(self, shape: Shape) -> Any:
        try:
            return await self.run(shape)
        except Exception:
            return "failed"


@workflow("shape")
async def shaped(shape: Shape) -> Any:
    try:
        return await Runs(add, fail, asyncio.sleep).run(shape)
    except Exception:
        return "failed"


def on_plain_asyncio(shape: Shape, seed: int) -> Any:
    """The shape's result on asyncio itself, with steps that take a random number of turns of the loop."""
    draw = random.Random(seed)

    async def work() -> None:
        for _ in range(draw.randrange(4)):
            await asyncio.sleep(0)

    async def plain_add(n: int) -> int:
        await work()
        return n + 1

    async def plain_fail(text: str) -> int:
        await work()
        raise ValueError(text)

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # failures that nobody awaits
        try:
            return await Runs(plain_add, plain_fail, lambda _: work()).run(shape)
        except Exception:
            return "failed"

    return asyncio.run(main())


def shuffled(seed: int) -> Choose:
    """Lets commands end in a random order, timers included: then the steps are those that take long."""
    draw = random.Random(seed)
    return lambda ready: draw.choice(ready)


steps = st.integers(0, 9).map(lambda n: ["step", n])
sleeps = st.sampled_from([1, 60, 3600]).map(lambda seconds: ["sleep", seconds])
failures = st.sampled_from("xyz").map(lambda text: ["fail", text])


def shapes(leaves: Any, *kinds: str, max_leaves: int = 10) -> st.SearchStrategy[Shape]:
    """Shapes of these kinds of nodes."""

    def grown(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
        made: dict[str, st.SearchStrategy[Shape]] = {
            "try": st.tuples(inner, inner).map(lambda pair: ["try", *pair]),
            "timeout": st.tuples(st.sampled_from([30, 1000]), inner).map(lambda pair: ["timeout", *pair]),
            "waitfor": st.tuples(st.sampled_from([30, 1000]), inner).map(lambda pair: ["waitfor", *pair]),
            "cancel": inner.map(lambda one: ["cancel", one]),
        }
        several = st.lists(inner, min_size=1, max_size=3)

        def of(kind: str) -> st.SearchStrategy[Shape]:
            return made[kind] if kind in made else several.map(lambda parts: [kind, *parts])

        return st.one_of(*map(of, kinds))

    return st.recursive(leaves, grown, max_leaves=max_leaves)


ALL = ("seq", "try", "gather", "group", "limited", "queue", "race", "completed", "timeout", "waitfor", "cancel")
any_shape = shapes(steps | sleeps | failures, *ALL)
handled = st.tuples(failures, steps).map(lambda pair: ["try", *pair])
structural = shapes(steps | sleeps | handled, "seq", "gather", "group", "limited", "try")
"""Shapes that issue the same commands in whatever order results come."""
