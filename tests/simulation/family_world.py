"""A seeded world of several executions: a root, its children and theirs, with the real engine on the real SQL.

Every call of a port is a place where a handler may be overtaken or killed, before the call and after it. Wakes and
messages come at least once, machines are two, and operators resume and cancel whatever they like.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from stepfast.backends.sqlite.store import SqliteBackend, Stored
from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Delete, Later, Refuse
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import AttemptCall, Ended
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.worker import Worker
from stepfast.errors import GiveUp, Refused, Unavailable
from stepfast.language.registry import Registry
from stepfast.model import Execution, Record
from stepfast.testing.memory import MemoryFile, finished
from tests.simulation.families import FAMILIES, MEMBERS
from tests.simulation.machines import point

ROOT = "root"
VISIBILITY = 60.0
"""Seconds after which a message that was taken comes back."""
INVARIANTS = {
    "a-recorded-result-never-changes": "in its generation, a command's outcome is written once",
    "one-command-one-input": "one command is never run with two different inputs in one generation",
    "an-older-generation-reports-nothing": "an outcome of a child is of the parent's generation",
    "a-resume-leaves-the-old-failure-behind": "no failure of a child from before its parent's resume is reported after it",
    "the-outcome-is-of-what-was-asked": "code and records do not contradict each other",
    "no-execution-is-stuck": "the root comes to its end without a sweep, but for failures that are resumed",
    "no-child-is-left-running": "after the root's end, each child has ended or was left",
    "only-roots-have-dead-letters": "a child that fails is parked only where its parent has left it",
}


class Violation(AssertionError):
    """An invariant that did not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        assert invariant in INVARIANTS, invariant
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


@dataclass(eq=False)
class Handler:
    """Something under way. about: the execution that it advances, or the number of the message that it handles."""

    name: str
    coroutine: Coroutine[Any, Any, None]
    about: Any = None


class FamilyWorld:
    """A root and its family, from the start to the end of the root, under everything that may happen to them."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.random = random.Random(f"{workflow}/{seed}")
        self.workflow, self.seed = workflow, seed
        self.crash = (0.0, 0.02, 0.1)[seed % 3]
        self.duplicate = (0.0, 0.1, 0.4)[seed % 4 % 3]
        self.unavailable = (0.0, 0.0, 0.01)[seed // 5 % 3]
        self.outage = 1000.0 + (0, 20, 200)[seed % 5 % 3]
        self.cancelling = seed % 11 == 10 or workflow == "endless"
        self.now = 1000.0
        self.registry = Registry([*FAMILIES.values(), *MEMBERS])
        self.trace: list[str] = []
        self.violation: Violation | None = None
        self.resumes = 0
        self.live: list[Handler] = []
        self.wakes: dict[str, int] = {}
        self.advancing: set[str] = set()
        self.queue: dict[int, float] = {}
        self.messages: dict[int, Stored] = {}
        self.parked: list[tuple[str, int]] = []
        self._inputs: dict[tuple[str, int, str], set[str]] = defaultdict(set)
        self._outcomes: dict[tuple[str, int, str], Record] = {}
        self.file, self.clock = MemoryFile(), Clock(self)
        self._open()

    def _open(self) -> None:
        self.backend = SqliteBackend(self.file, self.clock)  # type: ignore[arg-type]
        messages, wakes = self.backend.outstanding()
        self.messages = {stored.seq: stored for stored in messages}
        self.queue = {stored.seq: stored.due for stored in messages}
        self.wakes = dict(wakes)
        self.backend.on_wake = self._woken
        self.backend.on_message = self._arrived
        self.machines = [self._machine() for _ in range(2)]

    def _machine(self) -> tuple[Advancer, Worker, Operations]:
        ports: Any = Ports(self)
        lives = LiveReplays(deltas=ports)
        advancer = Advancer(ports, ports, self.clock, self.registry, lives)
        steps: Any = self
        worker = Worker(
            StepHandler(
                ports, ports, self.clock, self.registry, steps, random.Random(self.random.random()), lives=lives
            ),
            TimerHandler(ports, self.clock),
            ParkHandler(ports, self.clock, self.registry),
        )
        return advancer, worker, Operations(ports, self.clock, self.registry, advancer)

    def note(self, what: str) -> None:
        self.trace.append(f"{self.now:9.2f} {what}")

    def violated(self, invariant: str, what: str) -> None:
        """Kept for the scheduler, too: the engine goes on after errors of any kind, as it should."""
        self.violation = self.violation or Violation(invariant, what)
        raise self.violation

    def members(self) -> list[Execution]:
        """All executions, children after their parents."""
        rows = self.file._db.execute("SELECT execution_id FROM executions ORDER BY created_at, rowid").fetchall()
        held = [finished(self.backend.read(id)) for (id,) in rows]
        return [member for member in held if member is not None]

    # -- what the engine stands on ---------------------------------------------------------------------------

    def _woken(self, execution_id: str, seq: int) -> None:
        self.wakes[execution_id] = max(seq, self.wakes.get(execution_id, 0))

    def _arrived(self, stored: Stored) -> None:
        self.queue[stored.seq], self.messages[stored.seq] = stored.due, stored
        message = stored.delivery.message
        if message.kind == "park":
            execution = finished(self.backend.read(message.execution_id))
            if execution is not None and execution.is_child:
                self.violated("only-roots-have-dead-letters", message.execution_id)

    async def run(self, call: AttemptCall) -> Ended:
        """Runs an attempt of a step."""
        context, arguments = call.context, call.arguments.arguments
        key = (context.execution_id, context.generation, context.step_id)
        self.note(f"{context.execution_id}: {context.step_id} runs")
        self._inputs[key].add(repr(dict(arguments)))
        if len(self._inputs[key]) > 1:
            self.violated("one-command-one-input", f"{key} ran with {self._inputs[key]}")
        await point("runs")
        if call.step.name == "down" and self.now < self.outage:
            return Ended(error=GiveUp("there is an outage"))
        return Ended([call.step.name, arguments["argument"]])

    def wrote(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Sees every outcome that is written."""
        if name not in ("commit", "report"):
            return
        execution_id, record = arguments[0], arguments[1].record if name == "commit" else arguments[1]
        if not record.recorded:
            return
        key = (execution_id, record.generation, record.id)
        before = self._outcomes.setdefault(key, record)
        if (before.status, before.output) != (record.status, record.output):
            self.violated("a-recorded-result-never-changes", f"{key}: {before} and {record}")
        if name == "report":
            parent = finished(self.backend.read(execution_id))
            if parent is None or parent.generation != record.generation:
                self.violated("an-older-generation-reports-nothing", f"{key}, to {parent}")
            self._fresh(parent, record)

    def _fresh(self, parent: Execution, record: Record) -> None:
        """What a report says has happened since the parent was resumed, if it is a failure."""
        child = finished(self.backend.read(record.children[-1])) if record.children else None
        if child is None or child.status != "FAILED" or record.status != "FAILED":
            return
        if (child.ended_at or 0.0) < (parent.resumed_at or 0.0):
            self.violated("a-resume-leaves-the-old-failure-behind", f"{child}, to {parent}")

    # -- handlers ----------------------------------------------------------------------------------------------

    def _engine(self) -> tuple[Advancer, Worker, Operations]:
        return self.random.choice(self.machines)

    async def _start(self) -> None:
        await self._engine()[2].start(self.workflow, None, ROOT)

    async def _advance(self, execution_id: str, seq: int) -> None:
        await self._engine()[0].advance(execution_id)
        if self.random.random() >= self.duplicate:
            self.backend.advanced(execution_id, seq)
            if self.wakes.get(execution_id) == seq:
                del self.wakes[execution_id]

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

    # -- the scheduler ------------------------------------------------------------------------------------------

    def play(self, limit: int = 12_000) -> str:
        """Runs to the end of the root and until nothing is left; the status, or ENDLESS."""
        self._spawn("start", self._start())
        for _ in range(limit):
            action = self._choose()
            if action is None:
                return self._over()
            action()
            if self.violation is not None:
                raise self.violation
            self.now += 0.01
        return "ENDLESS"

    def _over(self) -> str:
        members = self.members()
        root = members[0]
        if root.status not in ("SUCCEEDED", "CANCELLED"):
            raise Violation(
                "no-execution-is-stuck", f"{root.status}: {[(one.execution_id, one.status) for one in members]}"
            )
        left = [member.execution_id for member in members if member.status == "RUNNING"]
        if left:
            raise Violation("no-child-is-left-running", ", ".join(left))
        return root.status

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
        """What operators do when they like."""
        members = self.members()
        failed = [member.execution_id for member in members if member.status == "FAILED"]
        running = [member.execution_id for member in members if member.status == "RUNNING"]
        self._check(members)
        choices: list[Callable[[], object]] = []
        if failed:
            choices.append(lambda: [self._operate(self._resume, self.random.choice(failed)) for _ in range(2)])
        if running:
            choices.append(lambda: self._spawn("advance again", self._engine()[0].advance(self.random.choice(running))))
            if self.cancelling and self.random.random() < 0.3:
                choices.append(lambda: self._operate(self._cancel, self.random.choice(running)))
        return choices

    def _check(self, members: list[Execution]) -> None:
        for member in members:
            if member.error is not None and member.error.type == "NonDeterministic":
                self.violated("the-outcome-is-of-what-was-asked", f"{member.execution_id}: {member.error.message}")

    def _operate(self, what: Callable[[str], Coroutine[Any, Any, None]], execution_id: str) -> None:
        self.note(f"{what.__name__} {execution_id}")
        self._spawn("operator", what(execution_id))

    def _idle(self) -> Callable[[], object] | None:
        """Nothing can go on now: time passes until a message is due, or an operator resumes the root."""
        if self.queue:
            return lambda: setattr(self, "now", max(self.now, min(self.queue.values())))
        members = self.members()
        if not members:
            return lambda: self._spawn("start", self._start())
        self._check(members)
        if members[0].status == "FAILED":
            self.now += self.random.uniform(1, 60)
            return lambda: self._operate(self._resume, ROOT)
        if members[0].status == "RUNNING" and self.cancelling:
            return lambda: self._operate(self._cancel, ROOT)
        return None

    def _spawn(self, name: str, coroutine: Coroutine[Any, Any, Any], about: Any = None) -> None:
        self.live.append(Handler(name, coroutine, about))

    def _deliver_wake(self, execution_id: str) -> None:
        self.advancing.add(execution_id)
        self._spawn("advance", self._advance(execution_id, self.wakes[execution_id]), execution_id)

    def _deliver(self, seq: int) -> None:
        if self.random.random() >= self.duplicate:
            self.queue[seq] = self.now + VISIBILITY
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
        except (Unavailable, Refused) as error:
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

    def close(self) -> None:
        """Ends what a violation has left standing, and closes the file."""
        for handler in self.live:
            handler.coroutine.close()
        self.file.close()


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
    """The backend behind crash points, watched by the world."""

    def __init__(self, world: FamilyWorld) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._world.backend, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            world = self._world
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
