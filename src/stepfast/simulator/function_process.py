"""The process in a sandbox, which calls the handler: the same in simulated and in real time."""

from __future__ import annotations

import json

from stepfast.simulator.clock import ReadableClock
from stepfast.simulator.invocation import MAX_PAYLOAD, Context, Handler, Invocation, Outcome, SandboxEnded
from stepfast.simulator.sandbox import Build, Sandbox


class FunctionProcess:
    """The process in a sandbox. It makes the handler at its first invocation, and keeps it.

    gone: why the process has been ended, None while it lives.
    """

    def __init__(self, clock: ReadableClock, arn: str, memory: int, build: Build) -> None:
        self._clock, self._arn, self._memory, self._build = clock, arn, memory, build
        self._handler: Handler | None = None
        self.gone: SandboxEnded | None = None

    @property
    def cold(self) -> bool:
        return self._handler is None

    def end(self, why: SandboxEnded) -> None:
        """Ends the process. The first reason stays."""
        self.gone = self.gone or why

    def check(self) -> None:
        """Raises SandboxEnded once the process has been ended."""
        if self.gone is not None:
            raise self.gone

    def run(self, sandbox: Sandbox, invocation: Invocation) -> None:
        """Calls the handler, and writes its outcome into the invocation; never raises."""
        outcome: Outcome = "ok"
        try:
            if self._handler is None:
                self._handler = self._build(sandbox)
            context = Context(self._clock, invocation, self._memory, self._arn)
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
        if self.gone is not None:  # whatever the handler returned
            outcome, invocation.result = "error" if outcome == "error" else self.gone.outcome, None
        invocation.ended_at = self._clock.now
        invocation.outcome = outcome
