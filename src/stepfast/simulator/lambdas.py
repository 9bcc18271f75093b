"""The functions of the cloud: sandboxes begun when needed, used again, counted against the concurrency."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from stepfast.simulator.invocation import MAX_PAYLOAD, Invocation
from stepfast.simulator.sandbox import Build, Sandbox
from stepfast.simulator.timing import Time

ACCOUNT, REGION = "123456789012", "eu-central-1"
RETRIES = (60.0, 120.0)
"""Seconds after which an asynchronous invocation that failed is tried again."""


class SimulatedFunction:
    """A Lambda function; seconds and MB. `reserved` is its reserved concurrency.

    build: makes the handler of a new sandbox. noticed: called after every invocation has ended. skew: seconds
    by which its machines' clocks are ahead.
    """

    def __init__(
        self,
        time: Time,
        name: str,
        build: Build,
        *,
        timeout: float = 60.0,
        memory: int = 256,
        reserved: int | None = None,
        noticed: Callable[[Invocation], None] = lambda _: None,
    ) -> None:
        self.name, self.timeout, self.memory, self.reserved = name, timeout, memory, reserved
        self.arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        self.skew = 0.0
        self._time, self._world, self._build = time, time.world, build
        self._noticed = noticed
        self._version = 0
        self._idle: list[Sandbox] = []
        self._running: dict[str, Sandbox] = {}

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def free(self) -> bool:
        """False while the reserved concurrency is used up: an invocation would be throttled."""
        return self.reserved is None or self.running < self.reserved

    def invoke(self, event: Any, done: Callable[[Invocation], None]) -> Invocation:
        """Begins an invocation; `done` is called with it once it has ended, however."""
        text = json.dumps(event)
        if len(text) > MAX_PAYLOAD:
            raise ValueError(f"an event may have {MAX_PAYLOAD} bytes, not {len(text)}")
        now = self._world.clock.now
        request_id = str(uuid.UUID(int=self._world.ids.getrandbits(128), version=4))
        invocation = Invocation(self.name, request_id, json.loads(text), now, now + self.timeout, text=text)
        sandbox = self._idle.pop() if self._idle else self._new()
        self._running[request_id] = sandbox
        version = self._version

        def ended(invocation: Invocation) -> None:
            del self._running[request_id]
            if sandbox.gone is None and version == self._version:
                self._idle.append(sandbox)
            else:
                sandbox.close()
            done(invocation)
            self._noticed(invocation)

        invocation.done = ended
        # Not at once: whoever begins several has them all begun before time passes in any.
        self._world.agenda.put(self._world.clock.micros, lambda: sandbox.begin(invocation))
        return invocation

    def invoke_later(self, event: Any, attempt: int = 0) -> None:
        """An asynchronous invocation: throttled or failed it is tried again, twice."""

        def done(invocation: Invocation) -> None:
            if not invocation.ok and attempt < len(RETRIES):
                self._world.later(lambda: self.invoke_later(event, attempt + 1), RETRIES[attempt])

        if self.free:
            self.invoke(event, done)
        else:
            self._world.later(lambda: self.invoke_later(event, attempt), 1.0)

    def forget(self) -> None:
        """Ends the sandboxes, busy ones after their invocation, as a deployment does: the next starts are cold."""
        self._version += 1
        while self._idle:
            self._idle.pop().close()

    def kill(self, why: str) -> None:
        """Cuts off whatever runs just now."""
        for sandbox in list(self._running.values()):
            sandbox.kill(why)

    def close(self) -> None:
        for sandbox in list(self._running.values()):
            sandbox.close()
        self.forget()

    def _new(self) -> Sandbox:
        return self._time.sandbox(self.name, self.arn, self.memory, self._build, self.skew)
