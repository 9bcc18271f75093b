"""What the engine stands on in a simulated world: the ports, with a crash point before and after every call."""

from __future__ import annotations

import types
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stepfast.engine.messages import Message
from stepfast.engine.replay_cache import Live, LiveReplays, Loaded
from stepfast.engine.step_runner import AttemptCall, Ended, cut_off
from stepfast.errors import StepTimeout
from stepfast.model import OrderEntry, Snapshot, Stop
from stepfast.testing.memory import finished
from tests.simulation.workflows import FAILS, STEPS

if TYPE_CHECKING:
    from tests.simulation.world import World

Sent = tuple[Message, float | None]
WRITES = ("commit", "append", "finish", "cancel", "rewind", "continue_as_new", "intervene")


@types.coroutine
def point(what: str) -> Generator[str, None, None]:
    """Where a handler may be overtaken, and killed."""
    yield what


class Lives(LiveReplays):
    """Live replays that are dropped at random."""

    def __init__(self, world: World, deltas: Any) -> None:
        super().__init__(deltas=deltas)
        self._world = world

    def take(self, execution_id: str, going_on: Snapshot | None = None) -> Live | None:
        if self._world.wide and self._world.random.random() < self._world.forgetful:
            self.clear()
        return super().take(execution_id, going_on)

    async def load(self, store: Any, execution_id: str) -> Loaded:
        if self._world.random.random() < self._world.forgetful:
            self.clear()
        return await super().load(store, execution_id)


class Clock:
    """One machine's clock: the world's time, off by a constant."""

    def __init__(self, world: World, skew: float) -> None:
        self._world, self._skew = world, skew

    def now(self) -> float:
        return self._world.now + self._skew

    async def sleep(self, seconds: float) -> None:
        end = self._world.now + seconds
        while self._world.now < end:
            await point("sleep")
            self._world.now += seconds / 4


class Ports:
    """The backend behind crash points, watched by the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reader: Any = world.backend.reader
        self.workflow_pauses: Any = (
            world.backend.workflow_pauses
        )  # held_world.py pauses workflows, and breaks these calls

    async def append(self, execution_id: str, entry: OrderEntry, messages: Sequence[Sent] = ()) -> bool:
        """In a wide world the messages are sent before the entry is written, and bear no more than a body can."""
        if self._world.wide and messages:
            for message, due in messages:
                hint = replace(message.hint, command=None) if message.hint is not None else None
                await self.send([(replace(message, hint=hint), due)])
                await self.flush()
            messages = ()
        written: bool = await self.__getattr__("append")(execution_id, entry, messages)
        return written

    async def flush(self) -> None:
        """What was sent so far is on its way for good."""
        await self._world.file.write(lambda transaction: None)

    async def holder(self, execution_id: str) -> str:
        await point("holder")
        self._world.maybe_unavailable("holder")
        return self._world.holder

    async def hold(self, execution_id: str, token: str) -> None:
        await point("hold")
        self._world.maybe_unavailable("hold")
        self._world.holder = token
        await point("hold done")
        self._world.maybe_unavailable("hold")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._world.backend, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            world = self._world
            await point(name)
            world.maybe_unavailable(name)
            before = world.snapshot() if name == "commit" else None
            result = await method(*arguments, **options)
            if name in WRITES and result:
                world.watch.wrote(name, arguments, options, before)
            if world.wide:
                world.stream.add(name, arguments, result)
                if name == "load" and result is not None:
                    result = replace(result, holder=world.holder)
            await point(f"{name} done")
            world.maybe_unavailable(name)
            return result

        return call


class Steps:
    """Runs steps in the world's time: some take seconds, some outlive their timeout and lease."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, call: AttemptCall) -> Ended:
        step, arguments, context, watch = call.step, call.arguments, call.context, call.watch
        world = self._world
        await point(f"{context.step_id} begins")
        world.watch.begun(step, context, arguments)
        thread = world.random.random() < 0.5  # goes on to its end, unless it asks whether it should
        try:
            if world.random.random() < world.slow:
                for _ in range(world.random.randrange(1, 5)):
                    world.now += world.random.uniform(0.0, 25.0)
                    await point(f"{context.step_id} runs")
                    stop = await self._look(context, watch)
                    if stop is not None and thread and not stop.lost:  # it asks once more before it obeys
                        await point(f"{context.step_id} tidies up")
                        stop = await self._look(context, watch)
                    if stop is not None and (stop.lost or not thread or world.random.random() < 0.5):
                        await self._tidy(watch)
                        return cut_off(stop)
                    if world.random.random() < 0.2:
                        return Ended(error=StepTimeout("no result in time"))
            return self._result(step, arguments, context)
        finally:
            world.watch.over(context)

    async def _look(self, context: Any, watch: Any) -> Stop | None:
        since, stored = self._world.turns, self._world.snapshot()
        stop: Stop | None = await watch(self._world.random.random() < 0.5)
        if stop is None and stored is not None:
            self._world.watch.told_nothing(context, stored.execution, since)
        return stop

    async def _tidy(self, watch: Any) -> None:
        """The `finally` blocks of what was cancelled, as long as the lease lasts."""
        if self._world.random.random() < 0.3:
            self._world.now += self._world.random.uniform(0.0, max(0.0, min(20.0, watch.patience())))
            await point("tidies up")

    def _result(self, step: Any, arguments: Any, context: Any) -> Ended:
        name = step.name
        if (name == "down" and self._world.now < self._world.outage) or context.attempt <= FAILS.get(name, 0):
            return Ended(error=ConnectionError(f"{name} is down"))
        if name in STEPS:
            return Ended([name, arguments.arguments.get("argument")])
        try:
            return Ended(finished(step.function(*arguments.args, **arguments.kwargs)))
        except ValueError as error:
            return Ended(error=error)
