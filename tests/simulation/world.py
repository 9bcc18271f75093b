"""A seeded world: the real engine on the real SQL, its handlers interleaved, killed and repeated at random.

Every call of a port is a place where a handler may be interleaved or killed, before the call and after
it. Stream and queue deliver at least once; clocks are skewed; steps outlive their leases; operators do
what they like when they like; the whole process is killed and started again.
"""

from __future__ import annotations

import random
import sqlite3
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from stepfast.advancer import Advancer
from stepfast.backends.sqlite import SqliteBackend, Stored
from stepfast.backends.sqlite_file import SCHEMA, Transaction
from stepfast.errors import Refused, StepCancelled, StepTimeout, Unavailable
from stepfast.live import Live, LiveReplays
from stepfast.model import Message, Snapshot
from stepfast.operations import Operations
from stepfast.ports import Delete, Later, Refuse
from stepfast.registry import Registry
from stepfast.running import Ended
from stepfast.worker import Worker
from tests.simulation.workflows import FAILS, WORKFLOWS

ID = "one"
VISIBILITY = 60.0


class Violation(AssertionError):
    """An invariant that did not hold; its first word is the invariant's name."""


@types.coroutine
def point(what: str) -> Generator[str, None, None]:
    yield what


class InlineFile:
    """The SQLite file's interface on a database in memory: each write a transaction, at once, with what was posted."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript(SCHEMA)
        self.posted: list[Callable[[Transaction], None]] = []

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        yield self.db

    def row(self, sql: str, parameters: tuple[Any, ...]) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self.db.execute(sql, parameters).fetchone()
        return found

    async def write(self, run: Callable[[Transaction], Any]) -> Any:
        posted, self.posted = self.posted, []
        transaction = Transaction(self.db)
        self.db.execute("BEGIN")
        for one in posted:
            one(transaction)
        result = run(transaction)
        self.db.execute("COMMIT")
        for act in transaction.after:
            act()
        return result

    def post(self, run: Callable[[Transaction], None]) -> None:
        self.posted.append(run)


class Lives(LiveReplays):
    """Live replays that are dropped at random."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def load(self, store: Any, execution_id: str) -> tuple[Snapshot | None, Live | None]:
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

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._world.backend, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            await point(name)
            self._world.maybe_unavailable(name)
            before = self._world.stored_records() if name == "put_record" else {}
            result = await method(*arguments, **options)
            self._world.observe(name, arguments, result, before)
            await point(f"{name} done")
            self._world.maybe_unavailable(name)
            return result

        return call


class Steps:
    """Runs steps in the world's time: some take seconds, some outlive their timeout and lease."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world, self._clock = world, clock

    async def run(self, step: Any, arguments: Any, context: Any, pulse: Any, watch: Any) -> Ended:
        world = self._world
        await point(f"{context.step_id} begins")
        argument = arguments.arguments.get("argument")
        world.begun(step, context, argument)
        if world.random.random() < world.slow:
            for _ in range(world.random.randrange(1, 5)):
                world.now += world.random.uniform(0.0, 25.0)
                await point(f"{context.step_id} runs")
                reason = await watch(world.random.random() < 0.5)
                if reason is not None:
                    return Ended(error=StepCancelled(reason))
                if world.random.random() < 0.2:
                    return Ended(error=StepTimeout("no result in time"))
        name = step.name
        down = name == "down" and world.now < world.outage
        if down or context.attempt <= FAILS.get(name, 0):
            return Ended(error=ConnectionError(f"{name} is down"))
        return Ended([name, argument])


class World:
    """One execution, from its start to its end, under everything that may happen to it."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.random = random.Random(f"{workflow}/{seed}")
        self.workflow, self.seed = workflow, seed
        self.crash = (0.0, 0.02, 0.1)[seed % 3]
        self.duplicate = (0.0, 0.1, 0.3, 0.5)[seed % 4]
        self.slow = (0.0, 0.1, 0.3)[seed // 3 % 3]
        self.unavailable = (0.0, 0.0, 0.01)[seed // 5 % 3]
        self.outage = 1000.0 + (0, 60, 400)[seed % 5 % 3]
        self.cancelling = seed % 11 == 7
        self.lossy = 0.2 if seed % 7 == 3 else 0.0
        self.forgetful = (0.0, 0.1, 0.5, 1.0)[seed // 7 % 4]
        self.now = 1000.0
        self.registry = Registry(WORKFLOWS.values())
        self.trace: list[str] = []
        self.arguments: dict[tuple[int, str], set[str]] = defaultdict(set)
        self.runs: Counter[tuple[int, str]] = Counter()
        self.promised: dict[str, Any] = {}
        self.outcomes: dict[tuple[int, str], Any] = {}
        self.live: list[tuple[str, Coroutine[Any, Any, Any]]] = []
        self.wakes: dict[str, int] = {}
        self.advancing = False
        self.queue: dict[int, tuple[float, Stored]] = {}
        self.dead_letters: list[Message] = []
        self.parked: set[int] = set()
        self.unsent = {0, 1, 2}
        self.backend = SqliteBackend(InlineFile(), Clock(self, 0.0))  # type: ignore[arg-type]
        self._connect()
        self.machines = [self._machine() for _ in range(2)]

    def _connect(self) -> None:
        self.backend.on_wake = self._woken
        self.backend.on_message = self._arrived

    def _arrived(self, stored: Stored) -> None:
        if self.random.random() < self.lossy and stored.delivery.message.kind != "park":
            self.trace.append(f"{self.now:9.2f} the message for {stored.delivery.message.command_id} is lost")
            self.backend.delete(stored.seq)
            return
        self.queue[stored.seq] = (stored.due, stored)
        if stored.delivery.message.kind == "park":
            self.parked.add(stored.delivery.message.generation)

    def _woken(self, execution_id: str, seq: int) -> None:
        self.wakes[execution_id] = max(seq, self.wakes.get(execution_id, 0))

    # -- what the world does with port calls ---------------------------------------------------------------

    def maybe_unavailable(self, name: str) -> None:
        if self.random.random() < self.unavailable:
            raise Unavailable(f"{name} did not answer")

    def stored_records(self) -> dict[str, Any]:
        found = self.backend.load(ID).send
        try:
            found(None)
        except StopIteration as loaded:
            return dict(loaded.value.records) if loaded.value else {}
        raise AssertionError("a read waited")

    def observe(self, name: str, arguments: tuple[Any, ...], result: Any, before: dict[str, Any]) -> None:
        if name != "put_record" or not result:
            return
        record = arguments[1]
        self.trace.append(f"{self.now:9.2f} {record.id} → {record.status} (attempt {record.attempt})")
        held = before.get(record.id)
        if held is not None and held.recorded and held.status != "OPEN":
            raise Violation(f"a-recorded-result-never-changes: {held} became {record}")
        if record.recorded:
            known = self.outcomes.setdefault((record.generation, record.id), record)
            if known != record:
                raise Violation(f"a-recorded-result-never-changes: {known} and {record}")

    def begun(self, step: Any, context: Any, argument: Any) -> None:
        key = (context.generation, context.step_id)
        self.trace.append(f"{self.now:9.2f} {context.step_id} runs, attempt {context.attempt}")
        self.arguments[key].add(repr(argument))
        self.runs[key] += 1
        if len(self.arguments[key]) > 1:
            raise Violation(f"one-command-one-input: {key} ran with {self.arguments[key]}")
        if step.at_most_once and self.runs[key] > 1:
            raise Violation(f"at-most-once: {key} ran {self.runs[key]} times")

    def _meta(self) -> Any:
        row = self.backend.read(ID)
        try:
            row.send(None)
        except StopIteration as loaded:
            return loaded.value
        raise AssertionError("a read waited")

    # -- handlers ------------------------------------------------------------------------------------------

    def _engine(self) -> tuple[Advancer, Worker, Operations]:
        """One of the machines at random; each keeps its clock's error, and its live replays."""
        return self.random.choice(self.machines)

    def _machine(self) -> tuple[Advancer, Worker, Operations]:
        clock, ports, lives = Clock(self, self.random.uniform(-0.9, 0.9)), Ports(self), Lives(self)
        advancer = Advancer(ports, ports, clock, self.registry, lives)
        operations = Operations(ports, clock, self.registry, advancer)
        draw = random.Random(self.random.random())
        steps: Any = Steps(self, clock)
        worker = Worker(ports, ports, clock, self.registry, steps, operations.resume, draw, lives=lives)
        return advancer, worker, operations

    async def _advance(self, seq: int) -> None:
        await self._engine()[0].advance(ID)
        if self.random.random() >= self.duplicate:
            self.backend.advanced(ID, seq)
            if self.wakes.get(ID) == seq:
                del self.wakes[ID]

    async def _drive(self, stored: Stored) -> None:
        seq = stored.seq
        if self.random.random() < 0.3:  # as a queue outside the process would deliver it
            bare = replace(stored.delivery.message, hint=None)
            stored = replace(stored, delivery=replace(stored.delivery, message=bare))
        disposition = await self._engine()[1].handle(stored.delivery)
        await point("disposition")
        if seq not in self.queue:
            return  # a duplicate delivery was faster
        if isinstance(disposition, Delete | Refuse):
            del self.queue[seq]
            if isinstance(disposition, Refuse):
                self.backend.refuse(seq)
                self.dead_letters.append(stored.delivery.message)
            else:
                self.backend.delete(seq)
        elif isinstance(disposition, Later):
            self.queue[seq] = (disposition.at, stored)

    async def _start(self) -> None:
        started = await self._engine()[2].start(self.workflow, None, ID)
        self.promised.setdefault("created_at", started.execution.created_at)

    async def _resume(self) -> None:
        execution = await self._engine()[2].resume(ID)
        self.promised["generation"] = max(execution.generation, self.promised.get("generation", 0))

    async def _cancel(self) -> None:
        await self._engine()[2].cancel(ID)
        self.promised["cancelled"] = True

    async def _signal(self, number: int) -> None:
        await self._engine()[2].signal(ID, "go", number, f"signal-{number}")
        self.promised[f"signal-{number}"] = number

    async def _sweep(self) -> None:
        await self._engine()[2].sweep()

    async def _redrive(self) -> None:
        letters, self.dead_letters = self.dead_letters, []
        copies = letters * (1 + (self.random.random() < self.duplicate))
        await self.backend.send([(message, None) for message in copies])

    def _restart(self) -> None:
        """kill -9 of everything; the next owner of the file goes on at once."""
        self.trace.append(f"{self.now:9.2f} everything is killed")
        for name, handler in self.live:
            handler.close()
            self._resend(name)
        self.live, self.advancing = [], False
        self.now += 1.0
        self.backend._file.posted.clear()  # type: ignore[attr-defined]
        self.backend = SqliteBackend(self.backend._file, Clock(self, 0.0))
        messages, wakes = self.backend.outstanding()
        self.queue = {one.seq: (one.due, one) for one in messages}
        self.wakes = dict(wakes)
        self._connect()
        self.machines = [self._machine() for _ in range(2)]

    # -- the scheduler -----------------------------------------------------------------------------------------

    def run(self, limit: int = 20_000) -> str:
        """Runs to the end; returns the status, or STUCK when nothing is left that could go on."""
        self._spawn("start", self._start())
        for _ in range(limit):
            meta = self._meta()
            status = meta.status if meta else None
            if status in ("SUCCEEDED", "CANCELLED") and not self.live:
                return str(status)
            action = self._choose(status)
            if action is None:
                return "STUCK"
            action()
            self.now += 0.01
        return "ENDLESS"

    def _choose(self, status: str | None) -> Callable[[], None] | None:
        draw, visible = self.random.random, [seq for seq, (at, _) in self.queue.items() if at <= self.now]
        choices: list[Callable[[], None]] = [self._go] * 6 if self.live else []
        if status is None and not self.live:
            choices.append(lambda: self._spawn("start", self._start()))
        if self.wakes and not self.advancing:
            choices.append(self._deliver_wake)
        if visible:
            choices.append(lambda: self._deliver(self.random.choice(visible)))
        if self.unsent and status in ("RUNNING", "FAILED") and draw() < 0.05:
            choices.append(self._send_signal)
        if status == "FAILED" and draw() < 0.01:
            choices.append(lambda: self._spawn("resume", self._resume()))
        if self.dead_letters and draw() < 0.02:
            choices.append(lambda: self._spawn("redrive", self._redrive()))
        if self.cancelling and status == "RUNNING" and draw() < 0.005:
            choices.append(lambda: self._spawn("cancel", self._cancel()))
        if self.crash and draw() < 0.003:
            choices.append(self._restart)
        if draw() < 0.01 and status:
            choices.append(lambda: self._spawn("start again", self._start()))
        if choices:
            return self.random.choice(choices)
        return self._idle(status)

    def _idle(self, status: str | None) -> Callable[[], None] | None:
        """Nothing can go on now: time passes until a message is due, or someone outside acts."""
        if self.queue:
            due = min(at for at, _ in self.queue.values())
            return lambda: setattr(self, "now", max(self.now, due))
        if status == "FAILED":
            self.now += self.random.uniform(3, 60)
            if self.dead_letters:
                return lambda: self._spawn("redrive", self._redrive())
            return lambda: self._spawn("resume", self._resume())
        if self.unsent and status == "RUNNING":
            return self._send_signal
        if self.lossy and status == "RUNNING":
            self.now += 60.0
            return lambda: self._spawn("sweep", self._sweep())
        return None

    def _spawn(self, name: str, handler: Coroutine[Any, Any, Any]) -> None:
        self.live.append((name, handler))

    def _send_signal(self) -> None:
        number = self.unsent.pop()
        self._spawn(f"signal-{number}", self._signal(number))

    def _deliver_wake(self) -> None:
        self.advancing = True
        self._spawn("advance", self._advance(self.wakes[ID]))

    def _deliver(self, seq: int) -> None:
        stored = self.queue[seq][1]
        if self.random.random() >= self.duplicate:
            self.queue[seq] = (self.now + VISIBILITY, stored)
        self._spawn("message", self._drive(stored))

    def _go(self) -> None:
        """One handler goes on to its next port call, or dies where it stands."""
        index = self.random.randrange(len(self.live))
        name, handler = self.live[index]
        try:
            if name != "start" and self.random.random() < self.crash:
                self.trace.append(f"{self.now:9.2f} {name} is killed")
                handler.close()
            else:
                handler.send(None)
                return
        except StopIteration:
            pass
        except (Unavailable, Refused) as error:
            self.trace.append(f"{self.now:9.2f} {name}: {error}")
        self.live.pop(index)
        self.advancing = self.advancing and name != "advance"
        self._resend(name)

    def _resend(self, name: str) -> None:
        """A client that was told nothing sends its signal again, under the same id."""
        if name.startswith("signal-") and name not in self.promised:
            self.unsent.add(int(name.removeprefix("signal-")))
