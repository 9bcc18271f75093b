"""A seeded world of starts with few keys: starts, ends, resumes and cancels meet, and are killed between their writes.

Clients send a start again until it is answered, and then once more: the answer must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from stepfast.engine.advancer import Advancer
from stepfast.engine.limit_items import LATE_SECONDS
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Delete, Later, Refuse
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.start_items import start_in
from stepfast.engine.step_runner import AttemptCall, Ended
from stepfast.errors import Refused, Unavailable
from stepfast.language.registry import Registry
from tests.simulation.home import SimulatedHome
from tests.simulation.machines import point
from tests.simulation.start_flows import COUNT, FLOWS, PERIOD, both, debounced, paced, replaces

SKEW = 1.0
PROMPT = 500.0
"""Seconds within which an execution is cancelled that is replaced."""
AWAY = ("skipped", "debounced")
SWEEPS = 40
"""Sweeps after which nobody waits any more, once all starts are made."""


class BrokenStart(AssertionError):
    """An invariant of starts does not hold."""


class StartClock:
    def __init__(self, world: StartWorld, skew: float) -> None:
        self._world, self._skew = world, skew

    def now(self) -> float:
        return self._world.now + self._skew

    async def sleep(self, seconds: float) -> None:
        self._world.now += seconds
        await point("sleep")


class StartPorts:
    """The backend, its limits and its starts, behind points at which a handler may be overtaken or killed."""

    def __init__(self, world: StartWorld, part: str = "") -> None:
        self._world, self._part = world, part
        if not part:
            self.limits, self.starts = StartPorts(world, "limits"), StartPorts(world, "starts")
            self.workflow_pauses: Any = world.backend.workflow_pauses  # see held_world.py

    def __getattr__(self, name: str) -> Any:
        backend = self._world.backend
        method = getattr(getattr(backend, self._part) if self._part else backend, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            await point(name)
            self._world.maybe_unavailable(name)
            result = await method(*arguments, **options)
            self._world.note_input(name, arguments, result)
            await point(f"{name} done")
            self._world.maybe_unavailable(name)
            return result

        return call


@dataclass(eq=False)
class StartHandler:
    name: str
    seq: int
    again: Callable[[], object]
    coroutine: Coroutine[Any, Any, None] = None  # type: ignore[assignment]


class StartWorld(SimulatedHome):
    """Executions of one workflow under two keys, from the first start until all have ended."""

    def __init__(self, seed: int, flow: Any = None) -> None:
        self.flow = flow or FLOWS[seed % len(FLOWS)]
        super().__init__(self.flow.name, seed, Registry((*FLOWS, debounced)), (0.0, 0.1, 0.4))
        self.crash = (0.0, 0.004, 0.02)[seed // 5 % 3]
        self.duplicate = (0.0, 0.1, 0.4)[seed // 7 % 3]
        self.unavailable = (0.0, 0.003)[seed // 11 % 2]
        self.late = seed // 13 % 2 == 1
        self.faultless = not (self.crash or self.unavailable)
        self.clock = StartClock(self, -SKEW)
        self.fails, self.cancels = (0.0, 0.3)[seed // 2 % 2], (0.0, 0.01)[seed // 3 % 2]
        self.inputs = {f"x{number}": f"{self.random.choice('ab')}{number}" for number in range(4 + seed % 9)}
        self.unasked = list(self.inputs)
        self.answers: dict[str, tuple[str, str]] = {}
        self.began: dict[str, float] = {}
        self.ends: dict[str, list[float]] = {}
        self.under_way: set[str] = set()
        self.wanted: dict[str, str] = {}
        self.dead_letters: list[Any] = []
        self.sweeps = 0
        self.open()
        self.machines = [self._machine() for _ in range(3)]

    def _machine(self) -> tuple[Advancer, Any, Operations]:
        clock = StartClock(self, self.random.uniform(-SKEW, SKEW) if not self.faultless else 0.0)
        ports: Any = StartPorts(self)
        advancer = Advancer(ports, ports, clock, self.registry, LiveReplays())
        worker = self.worker(ports, clock, self, LiveReplays())
        return advancer, worker, Operations(ports, clock, self.registry, advancer)

    def maybe_unavailable(self, name: str) -> None:
        if self.random.random() < self.unavailable:
            raise Unavailable(f"{name} did not answer")

    def note_input(self, name: str, arguments: Any, result: Any) -> None:
        """The input that an execution must begin with: that of the last start that has become a part of it."""
        if name == "create_in_turn" and result is arguments[0]:
            self.wanted[result.execution_id] = result.input
        elif name == "fold" and result:
            if arguments[0].execution_id in self.began:
                raise BrokenStart(f"{arguments[0].execution_id} has another input, and has begun")
            self.wanted[arguments[0].execution_id] = arguments[2]

    # -- handlers ------------------------------------------------------------------------------------------------

    async def run(self, call: AttemptCall) -> Ended:
        """Runs an attempt; its execution must have begun."""
        if call.context.execution_id not in self.began:
            raise BrokenStart(f"{call.context.execution_id} runs a step and has not begun")
        for _ in range(self.random.choice((0, 1, 3, 10))):
            await point("runs")
        if self.random.random() < self.fails:
            return Ended(error=RuntimeError("down"))
        return Ended(call.arguments.arguments["key"])

    async def _advance(self, id: str, seq: int) -> None:
        await self._engine()[0].advance(id)
        if self.random.random() >= self.duplicate:
            self.advanced(id, seq)

    async def _drive(self, seq: int) -> None:
        stored = self.messages[seq]
        disposition = await self._engine()[1].handle(stored.delivery)
        await point("disposition")
        if seq not in self.queue:
            return
        if isinstance(disposition, Delete | Refuse):
            del self.queue[seq]
            if isinstance(disposition, Refuse):
                self.backend.refuse(seq)
                self.dead_letters.append(stored.delivery.message)
            else:
                self.backend.delete(seq)
        elif isinstance(disposition, Later):
            self.queue[seq] = disposition.at

    async def _start(self, id: str) -> None:
        started = await self._engine()[2].start(self.flow.name, self.inputs[id], id)
        answer = started.execution.execution_id, started.into
        if self.answers.setdefault(id, answer) != answer:
            raise BrokenStart(f"the start {id} was answered {self.answers[id]}, and then {answer}")
        if (started.into in AWAY) != (answer[0] != id):
            raise BrokenStart(f"the start {id} was answered {answer}")

    async def _resume(self, id: str) -> None:
        await self._engine()[2].resume(id)

    async def _cancel(self, id: str) -> None:
        await self._engine()[2].cancel(id)

    async def _redrive(self, message: Any) -> None:
        await self.backend.send([(message, None)])

    async def _sweep(self, _: str) -> None:
        await self._engine()[2].sweep()

    def _engine(self) -> tuple[Advancer, Any, Operations]:
        return self.random.choice(self.machines)

    # -- the scheduler -------------------------------------------------------------------------------------------

    def play(self, limit: int = 40_000) -> dict[str, str]:
        """Plays until all executions have ended; their statuses."""
        for _ in range(limit):
            statuses = self.look()
            if not (self.unasked or self.live or self.queue or self.wakes or "RUNNING" in statuses.values()):
                self._check_end(statuses)
                return statuses
            self.random.choice(self._choices(statuses) or [self._idle])()
            self.now += 0.01
        raise BrokenStart(f"still under way: {statuses}")

    def look(self) -> dict[str, str]:
        """How the executions stand. Raises BrokenStart where two of one key run."""
        rows = self.file.all_rows("SELECT execution_id, status, start, created_at FROM executions", ())
        begun: dict[str | None, str] = {}
        under_way = {id for id, status, _, _ in rows if status == "RUNNING"}
        for id in self.under_way - under_way:
            self.ends.setdefault(id, []).append(self.now)
        self.under_way = under_way
        for id, status, text, created_at in rows:
            start = start_in(text)
            assert start is not None
            if start.waits:
                continue
            if id not in self.began:
                self.began[id] = created_at if start.begins_at is None else start.begins_at
            if status == "RUNNING" and start.key is not None and begun.setdefault(start.key, id) != id:
                raise BrokenStart(f"{begun[start.key]} and {id} run, of one key")
        if not self.live:
            self._check_heirs([id for id, status, text, _ in rows if status == "RUNNING" and _waits(text)])
        return {id: status for id, status, _, _ in rows}

    def _check_heirs(self, waiting: Sequence[str]) -> None:
        """Whoever has got a key and waits is brought by a wake or a message, and not by the next sweep."""
        brought = self.wakes.keys() | {self.messages[seq].delivery.message.execution_id for seq in self.queue}
        for (id,) in self.file.all_rows("SELECT holder FROM start_holds", ()):
            if id in waiting and id not in brought:
                raise BrokenStart(f"{id} has got its key, and nothing brings it")

    def _choices(self, statuses: dict[str, str]) -> list[Callable[[], object]]:
        draw = self.random.random
        choices = list[Callable[[], object]]()
        choices += [self._go] * 4 * bool(self.live)
        if self.unasked and draw() < 0.3:
            choices.append(self._ask_first)
        if self.answers and draw() < 0.02:
            choices.append(lambda: self._ask(self.random.choice(sorted(self.answers))))
        busy = {handler.name for handler in self.live}
        choices += [partial(self._wake, id) for id in self.wakes if f"advance {id}" not in busy]
        visible = [seq for seq, at in self.queue.items() if at <= self.now]
        if visible and len(self.live) < 12:
            choices.append(lambda: self._deliver(self.random.choice(visible)))
        failed = sorted(id for id, status in statuses.items() if status == "FAILED")
        if failed and (self.unasked or "RUNNING" in statuses.values()) and draw() < 0.1:
            choices.append(lambda: self._spawn("resume", self._resume(self.random.choice(failed))))
        if self.dead_letters and "RUNNING" in statuses.values() and draw() < 0.1:
            choices.append(lambda: self._spawn("redrive", self._redrive(self.dead_letters.pop())))
        running = sorted(id for id, status in statuses.items() if status == "RUNNING")
        if running and draw() < self.cancels:
            choices.append(lambda: self._spawn("cancel", self._cancel(self.random.choice(running))))
        if self.late and draw() < 0.005:
            choices.append(self._be_late)
        if self.crash and draw() < 0.002:
            choices.append(self._restart)
        return choices

    def _idle(self) -> None:
        if self.unasked:
            self._ask_first()
            return
        due = sorted(self.queue.values())
        if due and due[0] > self.now and (not self.sweeps or due[0] < self.now + 60.0):
            self.now = due[0]
            return
        self.sweeps += 1
        if self.sweeps > SWEEPS:
            raise BrokenStart(f"nobody goes on: {self.look()}")
        if self.faultless:
            raise BrokenStart(f"without any fault somebody waits for a sweep: {self.look()}")
        self.now += 60.0
        self._spawn("sweep", self._sweep(""))

    def _ask(self, id: str) -> None:
        self._spawn(f"start {id}", self._start(id), again=lambda: self.unasked.append(id))

    def _ask_first(self) -> None:
        """The first request of a start, or several at once."""
        id = self.unasked.pop(0)
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self._ask(id)

    def _wake(self, id: str) -> None:
        self._spawn(f"advance {id}", self._advance(id, self.wakes[id]))

    def _deliver(self, seq: int) -> None:
        self.taken(seq)
        self._spawn("message", self._drive(seq))

    def _spawn(self, name: str, work: Coroutine[Any, Any, None], again: Callable[[], object] = lambda: None) -> None:
        self.live.append(StartHandler(name, 0, again, work))

    def _go(self) -> None:
        handler = self.random.choice(self.live)
        try:
            if self.random.random() < self.crash:
                handler.coroutine.close()
                handler.again()
            else:
                handler.coroutine.send(None)
                return
        except StopIteration:
            pass
        except Unavailable:
            handler.again()
        except Refused:
            pass
        self.live.remove(handler)

    def _be_late(self) -> None:
        """An outage: what was due is late."""
        self.now += self.random.uniform(10.0, 50.0)

    def _restart(self) -> None:
        for handler in self.live:
            handler.coroutine.close()
            handler.again()
        self.live = []
        self.now += 1.0 + 2 * SKEW
        self.file.lose_posted()
        self.open()

    # -- at the end ------------------------------------------------------------------------------------------------

    def _check_end(self, statuses: dict[str, str]) -> None:
        missing = [id for id in self.inputs if id not in self.answers]
        if missing:
            raise BrokenStart(f"starts were never answered: {missing}")
        for id, (became, into) in self.answers.items():
            if became not in statuses or (into in AWAY and id in statuses):
                raise BrokenStart(f"the start {id} was {into}, for {became}; there are {sorted(statuses)}")
        if self.flow in (paced, both):
            check_moments(list(self.began.values()))
        if self.flow is debounced:
            self._check_inputs()
        if self.flow is replaces:
            self._check_replaced()
        lines = self.file.all_rows("SELECT * FROM start_lines", ())
        if self.faultless and lines:
            raise BrokenStart(f"entries are left in line: {lines}")

    def _check_inputs(self) -> None:
        held = dict(self.file.all_rows("SELECT execution_id, input FROM executions", ()))
        if held != self.wanted:
            raise BrokenStart(f"inputs are {held}, and should be {self.wanted}")
        if self.faultless and (left := self.file.all_rows("SELECT * FROM start_holds", ())):
            raise BrokenStart(f"items are left of keys that nobody waits for: {left}")

    def _check_replaced(self) -> None:
        """Whoever is replaced ends soon. It may have failed instead, and be resumed once its key is free again."""
        for id, status, created_at, text in self.file.all_rows(
            "SELECT execution_id, status, created_at, start FROM executions", ()
        ):
            if status == "CANCELLED":
                continue  # It may have been cancelled before it began: then nobody has replaced the other one.
            start = start_in(text)
            ends = self.ends.get(start.replaced or "", []) if start is not None else []
            late = min((end - created_at for end in ends if end > created_at - 2 * SKEW), default=0.0)
            if late > PROMPT:
                raise BrokenStart(f"{id} has replaced an execution that has ended {late:.0f} s later")


def _waits(text: str) -> bool:
    start = start_in(text)
    return start is not None and start.waits


def check_moments(began: Sequence[float]) -> None:
    """No period has more beginnings than the rate allows, but for skew and lateness."""
    times = sorted(began)
    for first, last in zip(times, times[COUNT:], strict=False):
        if last - first < PERIOD - 2 * SKEW - LATE_SECONDS:
            raise BrokenStart(f"{COUNT + 1} executions began within {last - first:.1f} s")


def played(seed: int, turns: int = 40_000, flow: Any = None) -> None:
    """Plays a world to its end, and starts once more under each key: no key is taken for ever."""
    world = StartWorld(seed, flow)
    try:
        world.play(turns)
        world.crash = world.unavailable = world.fails = world.cancels = 0.0
        world.inputs |= {"last-a": "a", "last-b": "b"}
        world.unasked = ["last-a", "last-b"]
        statuses = world.play(turns)
        if {statuses[world.answers[id][0]] for id in ("last-a", "last-b")} != {"SUCCEEDED"}:
            raise BrokenStart(f"a key is taken for ever: {statuses}")
    finally:
        world.close()
