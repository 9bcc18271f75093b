"""An execution that old code began and new code goes on with, on the real runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stepfast import signal, step
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Snapshot
from stepfast.replay.replay import Replay
from tests.local.conftest import Embedded
from tests.waiting import until

AnyWorkflow = Workflow[..., Any]


class Versions(Embedded):
    """The execution `one` of a workflow named `w`, which old code takes to where it waits for the signal `go`."""

    ran: list[str]

    def __init__(self, path: Path, ran: list[str]) -> None:
        super().__init__(path)
        self.ran = ran

    def begin(self, old: AnyWorkflow, input: Any = None, waits_for: str = "signal:go") -> None:
        """Starts it with the old code and lets it run until it waits."""
        self.reopen(old)
        self.start(old.name, input)
        until(lambda: waits_for in self.waiting(extend=False) and (waits_for != ":timer" or self.is_sent(waits_for)))

    def is_sent(self, id: str) -> bool:
        """Whether a message for the command is under way: a timer in flight is one that was sent."""
        backend = self.runtime._backend
        backend.flush()
        return any(one.delivery.message.command_id == id for one in backend.outstanding()[0])

    def waiting(self, *, extend: bool = True) -> list[str]:
        """Ids of the commands that the deployed code waits for.

        extend: once it has all outcomes, in any order; else once it has those of the recorded order.
        """
        snapshot = self.stored()
        replay = Replay(self.workflows[0], snapshot.execution)
        replay.advance(snapshot.records, snapshot.cursor.applied, extend=extend)
        replay.close()
        return list(replay.outstanding)

    def applied(self) -> tuple[str, ...]:
        """The recorded order."""
        return self.stored().cursor.applied

    def stored(self) -> Snapshot:
        return self.runtime.call(self.operations.load("one"))

    def go_on(self, new: AnyWorkflow, *statuses: str) -> Execution:
        """Starts the process with the new code, sends the signal, and waits for the end."""
        self.reopen(new)
        self.signal("go", None, "the-signal")
        return self.ends(*(statuses or ("SUCCEEDED",)))

    def refused(self, new: AnyWorkflow, *said: str) -> Execution:
        """As `go_on` with code that cannot go on: the error says all of this, and nothing recorded is lost."""
        before = self.outcomes()
        failed = self.go_on(new, "FAILED")
        assert failed.error is not None
        assert failed.error.type == "NonDeterministic", failed.error
        for text in said:
            assert text in failed.error.message, failed.error.message
        assert before.items() <= self.outcomes().items()
        return failed

    def outcomes(self) -> dict[str, tuple[str, str | None, str | None]]:
        """What is recorded for good, by command."""
        recorded = {id: one for id, one in self.records().items() if one.recorded}
        return {id: (one.status, one.input, one.output) for id, one in recorded.items()}

    def mended(self, code: AnyWorkflow) -> Execution:
        """Deploys the mended code and resumes."""
        self.reopen(code)
        self.resume()
        return self.ends()


def named(name: str, ran: list[str]) -> Step[..., Any]:
    """A step that notes its calls in `ran` and returns its name with its argument."""

    async def work(argument: Any = None) -> str:
        ran.append(name if argument is None else f"{name} {argument}")
        return name if argument is None else f"{name} {argument}"

    return step(name=name)(work)


async def go() -> None:
    await signal("go")
