"""One execution environment of a function, in a strand of its own: begun cold, used again, killed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from stepfast.simulator.clock import MICRO, micros
from stepfast.simulator.sandbox_loop import SandboxLoop
from stepfast.simulator.strand import Strand
from stepfast.simulator.world import World

T = TypeVar("T")
Handler = Callable[[Any, Any], Any]
Outcome = Literal["ok", "error", "killed", "timeout"]
MAX_PAYLOAD = 6 * 1024 * 1024
_here = threading.local()


class SandboxEnded(BaseException):
    """The sandbox has been ended: nothing of it goes on."""

    outcome: Outcome = "killed"


class TimedOut(SandboxEnded):
    """Lambda ends a function that runs longer than its timeout."""

    outcome: Outcome = "timeout"


@dataclass(slots=True)
class Invocation:
    """One invocation of a function. Times are in seconds since the epoch, in simulated time.

    function: the name of the function.
    request_id: the id of the invocation.
    event: what the handler was called with.
    started_at: when the invocation began.
    cold: whether it was the first of its sandbox.
    outcome: how it ended; None while it runs.
    error: the exception of the handler, or None.
    result: what the handler returned, as JSON values.
    ended_at: when the invocation ended; None while it runs.
    """

    function: str
    request_id: str
    event: Any = field(repr=False)
    started_at: float
    deadline: float = field(repr=False)
    cold: bool = False
    outcome: Outcome | None = None
    error: BaseException | None = None
    result: Any = field(default=None, repr=False)
    ended_at: float | None = None
    text: str = field(default="", repr=False)
    done: Callable[[Invocation], None] = field(default=lambda _: None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the invocation has ended without an error."""
        return self.outcome == "ok"


class Context:
    """What Lambda hands a handler beside its event."""

    function_version = "$LATEST"
    client_context = None
    identity = None

    def __init__(self, world: World, invocation: Invocation, memory: int, arn: str) -> None:
        self._world, self._deadline = world, invocation.deadline
        self.function_name = invocation.function
        self.invoked_function_arn = arn
        self.memory_limit_in_mb = str(memory)
        self.aws_request_id = invocation.request_id
        self.log_group_name = f"/aws/lambda/{invocation.function}"
        self.log_stream_name = "simulated"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - self._world.clock.now) * 1000))


class Sandbox:
    """Runs one invocation at a time. `build` makes the handler, in the sandbox, at the first invocation.

    What runs in it passes time by `pause`, and sees the world's clock moved by `skew` seconds.
    """

    def __init__(
        self, world: World, name: str, arn: str, memory: int, build: Callable[[Sandbox], Handler], skew: float = 0.0
    ) -> None:
        self.world, self.name = world, name
        self._arn, self._memory, self._build, self.skew = arn, memory, build, micros(skew)
        self._handler: Handler | None = None
        self._runner: asyncio.Runner | None = None
        self._next: Invocation | None = None
        self._invocation: Invocation | None = None
        self.gone: SandboxEnded | None = None

    @cached_property
    def _strand(self) -> Strand:
        """Made when it first runs: in real time (wall_sandbox) a sandbox has a thread of another kind."""
        return Strand(f"sandbox-{self.name}", self._live)

    # -- from the main thread ------------------------------------------------------------------------------

    def begin(self, invocation: Invocation) -> None:
        """Runs an invocation as far as it comes without time passing."""
        invocation.cold = self._handler is None
        self._next = invocation
        self.turn()

    def turn(self) -> None:
        """Lets the sandbox go on, until it pauses or its invocation ends."""
        if self._strand.ended:  # it was to be woken, and died meanwhile
            return
        self._strand.go_on()
        self.world.clock.skew(0)
        ended = self._invocation
        if ended is not None and ended.outcome is not None:
            self._invocation = None
            if self.gone is not None:
                self.close()
            ended.done(ended)

    def kill(self, why: str) -> None:
        """Cuts off what runs in the sandbox, which is gone then."""
        self.gone = self.gone or SandboxEnded(why)
        self.turn()

    def close(self) -> None:
        """Ends the sandbox; what runs in it is cut off, and nobody is told."""
        self.gone = self.gone or SandboxEnded("the cloud is closed")
        while not self._strand.ended:
            self._next = None
            self._strand.go_on()
        self.world.clock.skew(0)

    # -- in the sandbox --------------------------------------------------------------------------------------

    @property
    def runner(self) -> asyncio.Runner:
        """Runs coroutines in simulated time."""
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=lambda: SandboxLoop(self))
        return self._runner

    @property
    def loop(self) -> SandboxLoop:
        loop = self.runner.get_loop()
        assert isinstance(loop, SandboxLoop)
        return loop

    @property
    def request_id(self) -> str:
        return self._invocation.request_id if self._invocation else ""

    @property
    def deadline(self) -> int:
        assert self._invocation is not None
        return round(self._invocation.deadline * MICRO)

    def check(self) -> None:
        """Raises SandboxEnded once the sandbox has been ended."""
        if self.gone is not None:
            raise self.gone

    def die(self, why: SandboxEnded) -> None:
        self.gone = self.gone or why
        raise self.gone

    def pause(self, until: int) -> None:
        """Lets others go on until this microsecond; TimedOut when the function's time is up before."""
        self.check()
        late = until >= self.deadline
        until = min(until, self.deadline)
        self.world.clock.skew(0)
        if not self.world.pass_time(until):
            self.world.agenda.put(until, self.turn)
            self._strand.hand_back()
            self.check()
        if late:
            self.die(TimedOut(f"{self.name} ran longer than its timeout"))
        self.world.clock.skew(self.skew)

    def outside(self, act: Callable[[], T]) -> T:
        """Has the main thread do something while the sandbox waits; returns or raises what came of it."""
        results = list[T]()
        errors = list[BaseException]()

        def errand() -> None:
            try:
                results.append(act())
            except BaseException as error:
                errors.append(error)
            self.turn()

        self.check()
        self.world.clock.skew(0)
        self.world.agenda.put(self.world.clock.micros, errand)
        self._strand.hand_back()
        self.check()
        self.world.clock.skew(self.skew)
        if errors:
            raise errors[0]
        return results[0]

    def _live(self) -> None:
        _here.sandbox = self
        while self.gone is None and self._next is not None:
            invocation, self._next = self._next, None
            self._invocation = invocation
            self.world.clock.skew(self.skew)
            self._run(invocation)
            if self.gone is None:
                self._strand.hand_back()
        self.gone = self.gone or SandboxEnded("no more invocations")
        if self._runner is not None:
            with suppress(BaseException):  # whatever its tasks do about their end
                self._runner.close()

    def _run(self, invocation: Invocation) -> None:
        outcome: Outcome = "ok"
        try:
            if self._handler is None:
                self._handler = self._build(self)
            context = Context(self.world, invocation, self._memory, self._arn)
            text = json.dumps(self._handler(json.loads(invocation.text), context))
            if len(text) > MAX_PAYLOAD:
                raise ValueError(f"a response may have {MAX_PAYLOAD} bytes, not {len(text)}")
            invocation.result = json.loads(text)
        except SandboxEnded as gone:
            invocation.error, outcome = gone, gone.outcome
        except Exception as error:
            invocation.error, outcome = error, "error"
        except BaseException as error:  # SystemExit ends the process, and with it the sandbox
            invocation.error, outcome = error, "error"
            self.gone = SandboxEnded(f"the process has exited: {error!r}")
        if self.gone is not None:  # whatever its handler made of it
            outcome, invocation.result = "error" if outcome == "error" else self.gone.outcome, None
        invocation.ended_at = self.world.clock.now
        invocation.outcome = outcome


def current() -> Sandbox | None:
    """The sandbox whose strand this is; None elsewhere."""
    sandbox: Sandbox | None = getattr(_here, "sandbox", None)
    return sandbox
