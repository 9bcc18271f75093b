"""A seeded world of several executions: a root, its children and theirs, with the real engine on the real SQL.

Every call of a port is a place where a handler may be overtaken or killed, before the call and after it. Wakes and
messages come at least once, machines are two, signals come as runs end, and operators resume, cancel and delete
whatever they like.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from stepfast.backends.sqlite.store import Stored
from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Delete, Later, Refuse
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.step_runner import AttemptCall, Ended
from stepfast.engine.worker import Worker
from stepfast.errors import GiveUp, Misconfigured, Refused, Unavailable
from stepfast.language.registry import Registry
from stepfast.model import Execution
from stepfast.testing.memory import finished
from tests.simulation.families import FAMILIES, MEMBERS, SIGNALS
from tests.simulation.family_watch import ROOT, FamilyWatch
from tests.simulation.home import SimulatedHome
from tests.simulation.machines import point


@dataclass(eq=False)
class Handler:
    """Something under way. about: the execution that it advances, or the number of the message that it handles."""

    name: str
    coroutine: Coroutine[Any, Any, None]
    about: Any = None


class FamilyWorld(SimulatedHome):
    """A root and its family, from the start to the end of the root, under everything that may happen to them."""

    def __init__(self, workflow: str, seed: int) -> None:
        super().__init__(workflow, seed, Registry([*FAMILIES.values(), *MEMBERS]), duplicates=(0.0, 0.1, 0.4))
        self.outage = 1000.0 + (0, 20, 200)[seed % 5 % 3]
        self.cancelling = seed % 11 == 10 or workflow == "endless"
        self.deleting = 2 * (seed % 7 == 5)  # how often an operator deletes the root, at most
        self.deleted = 0
        self.watch = FamilyWatch(self)
        self.resumes = 0
        self.sent: dict[str, set[int]] = {}  # by execution: the signals that it has promised to keep
        self.live: list[Handler] = []
        self.advancing: set[str] = set()
        self.clock = Clock(self)
        self._open()

    def _open(self) -> None:
        self.open()
        self.machines = [self._machine() for _ in range(2)]

    def _machine(self) -> tuple[Advancer, Worker, Operations]:
        ports: Any = Ports(self)
        lives = LiveReplays(deltas=ports)
        advancer = Advancer(ports, ports, self.clock, self.registry, lives)
        worker = self.worker(ports, self.clock, self, lives)
        return advancer, worker, Operations(ports, self.clock, self.registry, advancer)

    def members(self) -> list[Execution]:
        """All executions, children after their parents."""
        rows = self.file._db.execute("SELECT execution_id FROM executions ORDER BY created_at, rowid").fetchall()
        held = [finished(self.backend.read(id)) for (id,) in rows]
        return [member for member in held if member is not None]

    # -- what the engine stands on ---------------------------------------------------------------------------

    def arrived(self, stored: Stored) -> None:
        super().arrived(stored)
        message = stored.delivery.message
        if message.kind == "park":
            self.watch.parked(finished(self.backend.read(message.execution_id)))

    async def run(self, call: AttemptCall) -> Ended:
        """Runs an attempt of a step."""
        context, arguments = call.context, call.arguments.arguments
        self.note(f"{context.execution_id}: {context.step_id} runs")
        self.watch.begun((context.execution_id, context.generation, context.step_id), arguments)
        await point("runs")
        if call.step.name == "down" and self.now < self.outage:
            return Ended(error=GiveUp("there is an outage"))
        return Ended([call.step.name, arguments["argument"]])

    def about_to(self, name: str, arguments: tuple[Any, ...]) -> None:
        """A port is called: signals are sent in the very moment in which a run ends."""
        if name == "continue_as_new" and self.random.random() < 0.5:
            self._send(arguments[0].execution.execution_id)

    def wrote(self, name: str, arguments: tuple[Any, ...]) -> None:
        """A port has written something."""
        if name == "erase":
            self.note("deleted")
            self.deleted += 1
            kept = {member.execution_id for member in self.members()}
            self.sent = {id: numbers for id, numbers in self.sent.items() if id in kept}
        self.watch.wrote(name, arguments)

    # -- signals -----------------------------------------------------------------------------------------------

    def signals_of(self, workflow: str) -> int:
        """How many signals an execution of this workflow takes in all of its runs."""
        return SIGNALS.get(workflow, 0)

    def _unsent(self, member: Execution) -> list[int]:
        sent = self.sent.get(member.execution_id, set())
        return [number for number in range(self.signals_of(member.workflow)) if number not in sent]

    def _send(self, execution_id: str) -> None:
        """Sends one of the signals that the execution has not promised to keep; under way, it may be sent twice."""
        member = finished(self.backend.read(execution_id))
        if member is not None and (unsent := self._unsent(member)):
            number = self.random.choice(unsent)
            self.note(f"signal {number} to {execution_id}")
            self._spawn("signal", self._signal(execution_id, number))

    async def _signal(self, execution_id: str, number: int) -> None:
        deleted = self.deleted
        await self._engine()[2].signal(execution_id, "go", number, f"signal-{number}")
        if deleted == self.deleted:
            self.sent.setdefault(execution_id, set()).add(number)

    # -- handlers ----------------------------------------------------------------------------------------------

    def _engine(self) -> tuple[Advancer, Worker, Operations]:
        return self.random.choice(self.machines)

    async def _start(self) -> None:
        await self._engine()[2].start(self.workflow, None, ROOT)

    async def _advance(self, execution_id: str, seq: int) -> None:
        await self._engine()[0].advance(execution_id)
        if self.random.random() >= self.duplicate:
            self.advanced(execution_id, seq)

    async def _drive(self, seq: int) -> None:
        stored = self.messages[seq]
        disposition = await self._engine()[1].handle(stored.delivery)
        await point("disposition")
        if seq not in self.queue:
            return  # a duplicate delivery was faster
        if isinstance(disposition, Delete | Refuse):
            del self.queue[seq]
            (self.backend.refuse if isinstance(disposition, Refuse) else self.backend.delete)(seq)
        elif isinstance(disposition, Later):
            self.queue[seq] = disposition.at

    async def _resume(self, execution_id: str) -> None:
        await self._engine()[2].resume(execution_id)
        self.resumes += 1

    async def _cancel(self, execution_id: str) -> None:
        await self._engine()[2].cancel(execution_id)

    async def _delete(self, execution_id: str) -> None:
        await self._engine()[2].delete(execution_id)

    # -- the scheduler ------------------------------------------------------------------------------------------

    def play(self, limit: int = 12_000) -> str:
        """Runs to the end of the root and until nothing is left; the status, or ENDLESS."""
        self._spawn("start", self._start())
        for _ in range(limit):
            action = self._choose()
            if action is None:
                return self.watch.over(self.members())
            action()
            if self.watch.violation is not None:
                raise self.watch.violation
            self.now += 0.01
        return "ENDLESS"

    def _choose(self) -> Callable[[], object] | None:
        draw = self.random.random
        visible = [seq for seq, at in self.queue.items() if at <= self.now]
        woken = [id for id in self.wakes if id not in self.advancing]
        choices: list[Callable[[], object]] = [self._go] * 6 if self.live else []
        choices += [lambda: self._deliver_wake(self.random.choice(woken))] * 2 if woken else []
        choices += [lambda: self._deliver(self.random.choice(visible))] * 2 if visible else []
        if self.crash and draw() < 0.003:
            choices.append(self._restart)
        if draw() < 0.02:
            choices += self._from_outside()
        return self.random.choice(choices) if choices else self._idle()

    def _from_outside(self) -> list[Callable[[], object]]:
        """What clients and operators do when they like."""
        members = self.members()
        failed = [member.execution_id for member in members if member.status == "FAILED"]
        running = [member.execution_id for member in members if member.status == "RUNNING"]
        self.watch.contradicted(members)
        choices: list[Callable[[], object]] = []
        if failed:
            choices.append(lambda: self._resume_two(failed))
        if running:
            choices.append(lambda: self._spawn("advance again", self._engine()[0].advance(self.random.choice(running))))
            if self.cancelling and self.random.random() < 0.3:
                choices.append(lambda: self._operate(self._cancel, self.random.choice(running)))
            if any(self._unsent(member) for member in members if member.status == "RUNNING"):
                choices += [lambda: self._send(self.random.choice(running))] * 2
        if ROOT in failed and self.deleted < self.deleting:
            choices.append(lambda: self._operate(self._delete, ROOT))
        return choices

    def _resume_two(self, failed: list[str]) -> None:
        """Two operators at once: often a root and one of its children."""
        first = ROOT if ROOT in failed and self.random.random() < 0.5 else self.random.choice(failed)
        for execution_id in (first, self.random.choice(failed)):
            self._operate(self._resume, execution_id)

    def _operate(self, what: Callable[[str], Coroutine[Any, Any, None]], execution_id: str) -> None:
        self.note(f"{what.__name__} {execution_id}")
        self._spawn("operator", what(execution_id))

    def _idle(self) -> Callable[[], object] | None:
        """Nothing can go on now: time passes until a message is due, or somebody outside acts."""
        if self.queue:
            return lambda: setattr(self, "now", max(self.now, min(self.queue.values())))
        members = self.members()
        statuses = {member.execution_id: member.status for member in members}
        if ROOT not in statuses:
            return lambda: self._spawn("start", self._start())
        self.watch.contradicted(members)
        waiting = [member for member in members if member.status == "RUNNING" and self._unsent(member)]
        if waiting:
            return lambda: self._send(self.random.choice(waiting).execution_id)
        if statuses[ROOT] == "FAILED":
            self.now += self.random.uniform(1, 60)
            if self.deleted < self.deleting and self.random.random() < 0.5:
                return lambda: self._operate(self._delete, ROOT)
            return lambda: self._operate(self._resume, ROOT)
        if statuses[ROOT] == "RUNNING" and self.cancelling:
            return lambda: self._operate(self._cancel, ROOT)
        return None

    def _spawn(self, name: str, coroutine: Coroutine[Any, Any, Any], about: Any = None) -> None:
        self.live.append(Handler(name, coroutine, about))

    def _deliver_wake(self, execution_id: str) -> None:
        self.advancing.add(execution_id)
        self._spawn("advance", self._advance(execution_id, self.wakes[execution_id]), execution_id)

    def _deliver(self, seq: int) -> None:
        self.taken(seq)
        self._spawn("message", self._drive(seq), seq)

    def _go(self) -> None:
        """One handler goes on to its next port call, or dies where it stands."""
        handler = self.random.choice(self.live)
        try:
            if self.random.random() < self.crash:
                self.note(f"{handler.name} {handler.about} is killed")
                handler.coroutine.close()
            else:
                handler.coroutine.send(None)
                return
        except StopIteration:
            pass
        except (Unavailable, Misconfigured, Refused) as error:
            self.note(f"{handler.name} {handler.about}: {error}")
        self.live.remove(handler)
        if handler.name == "advance":
            self.advancing.discard(handler.about)

    def _restart(self) -> None:
        """kill -9 of everything; the next owner of the file goes on at once."""
        self.note("everything is killed")
        for handler in self.live:
            handler.coroutine.close()
        self.live, self.advancing = [], set()
        self.now += 5.0
        self.file.lose_posted()
        self._open()


class Clock:
    """The one clock of the world."""

    def __init__(self, world: FamilyWorld) -> None:
        self._world = world

    def now(self) -> float:
        return self._world.now

    async def sleep(self, seconds: float) -> None:
        self._world.now += seconds
        await point("sleep")


class Ports:
    """The backend, or one of its parts, behind crash points, watched by the world."""

    def __init__(self, world: FamilyWorld, part: Any = None) -> None:
        self._world, self._part = world, part
        if part is None:
            self.links = Ports(world, world.backend.links)
            self.reader: Any = world.backend.reader
            self.workflow_pauses: Any = world.backend.workflow_pauses

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part or self._world.backend, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            world = self._world
            world.about_to(name, arguments)
            await point(name)
            if world.random.random() < world.unavailable:
                raise Unavailable(f"{name} did not answer")
            result = await method(*arguments, **options)
            if name == "send":
                await world.file.write(lambda transaction: None)  # for good, as in a queue outside the process
            if result:
                world.wrote(name, arguments)
            await point(f"{name} done")
            if world.random.random() < world.unavailable:
                raise Unavailable(f"{name} did not answer")
            return result

        return call
