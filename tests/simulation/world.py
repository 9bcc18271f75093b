"""A seeded world: the real engine on the real SQL, its handlers interleaved, killed and repeated at random.

Every call of a port is a place where a handler may be interleaved, held up or killed, before the call and after
it. Stream and queue deliver at least once; clocks are skewed; steps outlive their leases; workers are taken for
blocked, and others get their work while they go on; operators do what they like when they like; the whole process
is killed and started again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stepfast.backends.sqlite.store import Stored
from stepfast.engine.advancer import Advancer
from stepfast.engine.memory import Memory
from stepfast.engine.messages import Message
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Delete, Later, Refuse
from stepfast.engine.worker import Worker
from stepfast.errors import Refused, Unavailable
from stepfast.language.registry import Registry
from stepfast.model import Snapshot
from stepfast.testing.memory import finished
from tests.simulation.home import SimulatedHome
from tests.simulation.invariants import ID, LASTING, SKEW, Watch
from tests.simulation.machines import Clock, Lives, Ports, Steps, point
from tests.simulation.stream import Stream, news_in
from tests.simulation.workflows import WORKFLOWS, drawn_shape

Engine = tuple[Advancer, Worker, Operations]
Work = Callable[["Handler"], Coroutine[Any, Any, None]]


@dataclass(eq=False)
class Handler:
    """Something under way: a delivery, an advance, a client's call.

    given_back: others have its work as well. until: it is held up to this time, by whatever. born: the turn in which
    it began. ended_well: it was neither killed nor stopped by an error.
    """

    name: str
    coroutine: Coroutine[Any, Any, None]
    seq: int = 0
    given_back: bool = False
    until: float = 0.0
    born: int = 0
    ended_well: bool = False


class World(SimulatedHome):
    """One execution, from its start to its end, under everything that may happen to it."""

    def __init__(self, workflow: str, seed: int) -> None:
        super().__init__(workflow, seed, Registry(WORKFLOWS.values()), duplicates=(0.0, 0.1, 0.3, 0.5))
        self.slow = (0.0, 0.1, 0.3, 0.7)[seed // 3 % 4]
        self.blocked = (0.0, 0.02, 0.0, 0.05)[seed // 2 % 4]
        self.held_up = (0.0, 0.01, 0.0, 0.1, 0.03)[seed // 2 % 5]
        self.outage = 1000.0 + (0, 60, 400)[seed % 5 % 3]
        self.cancelling = seed % 7 == 6
        self.lossy = 0.2 if seed % 7 == 3 else 0.0
        # As on AWS: a queue apart from the store, a stream with images, sealed messages. Drawn apart from the rest.
        self.wide = random.Random(f"wide/{seed}").random() < 0.5
        self.forgetful = ((0.0, 0.1, 0.5, 1.0), (0.0, 0.0, 0.1, 0.5))[self.wide][seed // 7 % 4]
        self.hands_on = random.Random(f"hands on/{seed}")
        self.fresh = (0.0, 0.3)[seed // 2 % 2]  # how often Lambda starts another sandbox for a batch
        self.again = (0.0, 0.03)[seed // 3 % 2]
        self.turns = 0
        self.input = drawn_shape(random.Random(seed)) if workflow == "shape" else None
        self.watch = Watch(self)
        self.promised: dict[str, Any] = {}
        self.ended: Snapshot | None = None
        self.deleted: list[str] = []  # the statuses of executions of this id that were deleted
        self.live: list[Handler] = []
        self.advancing: Handler | None = None
        self.acting: Handler | None = None
        self.dead_letters: list[Message] = []
        self.unsent = {0, 1, 2}
        self.stream = Stream()
        self.holder = ""
        self.clock = Clock(self, 0.0)
        self._open()

    def _open(self) -> None:
        self.open()
        # A process has one clock, by which it tells its own claims from a dead process's; these machines have several.
        self.backend._opened_at -= SKEW
        if self.lossy:
            self.backend.idle = self._all_running  # type: ignore[method-assign]
        self.machines = [self._machine() for _ in range(2 + self.wide * (self.seed // 4 % 3))]

    def _machine(self) -> Engine:
        clock, ports = Clock(self, self.random.uniform(-SKEW, SKEW)), Ports(self)
        lives = Lives(self, None if self.wide else ports)
        memory = Memory(ports, lives, long=(0, 5)[self.seed // 2 % 2]) if self.wide else None
        told = Advancer(ports, ports, clock, self.registry, lives, memory=memory, records_for_a_hop=2)
        # Sweeps and operations run in functions of their own, which are told of no news.
        advancer = (
            Advancer(ports, ports, clock, self.registry, Lives(self, None), records_for_a_hop=2) if self.wide else told
        )
        operations = Operations(ports, clock, self.registry, advancer)
        # So do steps: the embedded home alone has the replays of advances and steps in one cache.
        cache = Lives(self, None) if self.wide else lives
        return told, self.worker(ports, clock, Steps(self), cache), operations

    def _engine(self) -> Engine:
        """One of the machines at random; each keeps its clock's error, and its live replays."""
        return self.random.choice(self.machines)

    def arrived(self, stored: Stored) -> None:
        message = stored.delivery.message
        if message.kind != "park" and self.random.random() < self.lossy:
            self.note(f"the message for {message.command_id} is lost")
            self.backend.delete(stored.seq)
            return
        super().arrived(stored)
        if message.kind == "park":
            self.watch.parked.add(message.generation)

    def snapshot(self) -> Snapshot | None:
        """Everything that is stored, as of now."""
        return finished(self.backend.load(ID))

    def maybe_unavailable(self, name: str) -> None:
        if self.random.random() < self.unavailable:
            raise Unavailable(f"{name} did not answer")

    # -- handlers ------------------------------------------------------------------------------------------

    async def _advance(self, handler: Handler) -> None:
        fresh = self.wide and self.random.random() < self.fresh
        machine = self._machine() if fresh else self._engine()
        batch = self.stream.batch(self.random)
        before = set(self.messages)
        advanced = await machine[0].advance(ID, news=news_in(batch))
        if self.random.random() >= self.duplicate and self.stream.done(batch):
            self.advanced(ID, handler.seq)
        if not self.wide and advanced.snapshot is not None and self.hands_on.random() < 0.7:
            await self._drive_at_once(handler, machine, advanced.snapshot, before)

    async def _drive_at_once(self, handler: Handler, machine: Engine, read: Snapshot, before: set[int]) -> None:
        """Goes on with the message that the advance has just sent, as the embedded home does with a step's."""
        due = [seq for seq in self.queue.keys() - before if self.queue[seq] <= self.now]
        alone = [seq for seq in due if self.messages[seq].delivery.message.hint is None]
        if len(alone) != 1 or self.messages[alone[0]].delivery.message.kind != "step":
            return
        handler.seq = alone[0]
        self.taken(handler.seq)
        if self.advancing is handler:
            self.advancing = None
        await point("hands on")
        await self._drive(handler, machine, read)

    async def _advance_again(self, handler: Handler) -> None:
        await self._engine()[0].advance(ID)

    async def _drive(self, handler: Handler, machine: Engine | None = None, read: Snapshot | None = None) -> None:
        seq, stored = handler.seq, self.messages[handler.seq]
        if self.random.random() < 0.3:  # as a queue outside the process would deliver it
            bare = replace(stored.delivery.message, hint=None)
            stored = replace(stored, delivery=replace(stored.delivery, message=bare))
        disposition = await (machine or self._engine())[1].handle(stored.delivery, read)
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
        elif isinstance(disposition, Later) and not handler.given_back:
            self.queue[seq] = disposition.at

    async def _start(self, handler: Handler) -> None:
        started = await self._engine()[2].start(self.workflow, self.input, ID)
        self.promised.setdefault("created_at", started.execution.created_at)

    async def _resume(self, handler: Handler) -> None:
        self.watch.resuming += 1
        try:
            execution = await self._engine()[2].resume(ID)
        finally:
            self.watch.resuming -= 1
        self.promised["generation"] = max(execution.generation, self.promised.get("generation", 0))

    async def _cancel(self, handler: Handler) -> None:
        await self._engine()[2].cancel(ID)
        self.promised["cancelled"] = True

    async def _signal(self, handler: Handler) -> None:
        number = handler.seq
        await self._engine()[2].signal(ID, "go", number, f"signal-{number}")
        self.promised[f"signal-{number}"] = number

    async def _sweep(self, handler: Handler) -> None:
        await self._engine()[2].sweep()

    async def _all_running(self, limit: int, after: str = "") -> tuple[Sequence[str], str]:
        """What a sweep visits where the store cannot look into the queue, as on AWS; there a message may be lost."""
        held = self.file.row("SELECT status FROM executions", ())
        return ([ID] if held is not None and held[0] == "RUNNING" else []), ""

    async def _redrive(self, handler: Handler) -> None:
        letters = list(self.dead_letters)
        self.watch.redriven |= {one.generation for one in letters}
        copies = letters * (1 + (self.random.random() < self.duplicate))
        await self.backend.send([(message, None) for message in copies])
        await self.file.write(lambda transaction: None)  # SQS takes a letter away once it has the message for good
        self.dead_letters = [one for one in self.dead_letters if one not in letters]

    # -- the scheduler -----------------------------------------------------------------------------------------

    def run(self, limit: int = 20_000) -> str:
        """Runs to the end and until nothing is left; the status, or STUCK or ENDLESS when it does not come to that."""
        self._spawn("start", self._start)
        for self.turns in range(limit):
            held = self.file.row("SELECT status FROM executions", ())
            status = str(held[0]) if held else None
            if status in LASTING and self.ended is None:
                self.ended = self.snapshot()
            action = self._choose(status)
            if action is None:
                return str(status) if status in LASTING else "STUCK"
            action()
            if self.watch.violation is not None:
                raise self.watch.violation
            self.now += 0.01
        return "ENDLESS"

    def _choose(self, status: str | None) -> Callable[[], object] | None:
        draw, visible = self.random.random, [seq for seq, at in self.queue.items() if at <= self.now]
        awake = any(one.until <= self.now for one in self.live)
        choices: list[Callable[[], object]] = [self._go] * 6 if awake else []
        if status is None and not self.live:
            choices.append(lambda: self._spawn("start", self._start))
        if self.wakes and self.advancing is None:
            choices.append(self._deliver_wake)
        if visible:
            choices.append(lambda: self._deliver(self.random.choice(visible)))
        if self.live and draw() < self.blocked:
            choices.append(self._give_back)
        if self.crash and draw() < 0.003:
            choices.append(self._restart)
        if status is not None and draw() < 0.01:
            choices.append(self.watch.reproduced)
        choices += self._from_outside(status)
        return self.random.choice(choices) if choices else self._idle(status)

    def _from_outside(self, status: str | None) -> list[Callable[[], object]]:
        """What clients and operators think of; after the end, only what they repeat."""
        draw, choices = self.random.random, list[Callable[[], object]]()
        if self.unsent and status in ("RUNNING", "FAILED") and draw() < 0.05:
            choices.append(self._send_signal)
        if status == "FAILED" and draw() < 0.01:
            choices.append(lambda: self._spawn("resume", self._resume))
        if self.dead_letters and draw() < 0.02:
            choices.append(lambda: self._spawn("redrive", self._redrive))
        if self.cancelling and status == "RUNNING" and draw() < 0.01:
            choices.append(lambda: self._spawn("cancel", self._cancel))
        if status is not None and draw() < 0.01:
            choices.append(lambda: self._spawn("start again", self._start))
        if self.again and status == "RUNNING" and draw() < self.again:  # a stream may repeat itself at any time
            choices.append(lambda: self._spawn("advance again", self._advance_again))
        if status is not None and draw() < 0.003:
            choices.append(lambda: self._spawn("sweep", self._sweep))
        return choices

    def _idle(self, status: str | None) -> Callable[[], object] | None:
        """Nothing can go on now: time passes until a message is due, or someone outside acts."""
        due = [*self.queue.values(), *(one.until for one in self.live)]
        if status == "RUNNING" and not self.live:
            self.watch.stands_still()
        if due and (status != "FAILED" or self.random.random() < 0.8):
            return lambda: setattr(self, "now", max(self.now, min(due)))
        if status == "FAILED":
            self.now += self.random.uniform(3, 60)
            if not due:
                self.watch.parks(self.dead_letters)
            if self.random.random() < 0.7:
                return lambda: self._spawn("redrive", self._redrive)
            return lambda: self._spawn("resume", self._resume)
        if self.unsent and status == "RUNNING":
            return self._send_signal
        if self.lossy and status == "RUNNING":
            self.now += 60.0
            return lambda: self._spawn("sweep", self._sweep)
        return None

    def _spawn(self, name: str, work: Work, seq: int = 0) -> Handler:
        handler: Handler = Handler(name, None, seq)  # type: ignore[arg-type]
        handler.coroutine = work(handler)
        handler.born = self.turns
        self.live.append(handler)
        return handler

    def _send_signal(self) -> None:
        number = self.unsent.pop()
        self._spawn(f"signal-{number}", self._signal, number)

    def _deliver_wake(self) -> None:
        self.advancing = self._spawn("advance", self._advance, self.wakes[ID])

    def _deliver(self, seq: int) -> None:
        self.taken(seq)
        self._spawn("message", self._drive, seq)

    # -- what befalls handlers -----------------------------------------------------------------------------

    def _go(self) -> None:
        """One handler goes on to its next port call, or dies where it stands."""
        handler = self.random.choice([one for one in self.live if one.until <= self.now])
        if self.random.random() < self.held_up:
            handler.until = self.now + self.random.uniform(0.0, 120.0)
            return
        self.acting = handler
        try:
            if self.random.random() < self.crash:
                self.note(f"{handler.name} is killed")
                handler.coroutine.close()
            else:
                handler.coroutine.send(None)
                return
        except StopIteration:
            handler.ended_well = True
        except (Unavailable, Refused) as error:
            self.note(f"{handler.name}: {error}")
        self.live.remove(handler)
        if self.advancing is handler:
            self.advancing = None
        self._resend(handler)

    def _give_back(self) -> None:
        """A handler's event loop is taken for blocked: others get its work, and it goes on some time later."""
        handler = self.random.choice(self.live)
        if handler.name == "message" and handler.seq in self.queue:
            self.queue[handler.seq] = self.now
        elif self.advancing is handler:
            self.advancing = None
        else:
            return
        self.note(f"{handler.name} is given to others as well")
        handler.given_back = True

    def _restart(self) -> None:
        """kill -9 of everything; the next owner of the file goes on at once."""
        self.note("everything is killed")
        for handler in self.live:
            handler.coroutine.close()
            self._resend(handler)
        self.live, self.advancing = [], None
        self.now += 1.0 + 2 * SKEW
        self.watch.restarted()
        self.file.lose_posted()
        self._open()

    def _resend(self, handler: Handler) -> None:
        """A client that was told nothing sends its signal again, under the same id."""
        if handler.name.startswith("signal-") and handler.name not in self.promised:
            self.unsent.add(handler.seq)
