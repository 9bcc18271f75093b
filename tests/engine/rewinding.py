"""Plays of workflows that fail, and their resumes: what rewind() plans is applied as a store would."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from stepfast import StepFailed, step, workflow
from stepfast.engine.rewind import Rewind, rewind
from stepfast.language.workflows import Workflow
from stepfast.model import Record
from tests.replay.driver import Choose, Play, first

down: set[str] = set()
"""Services that are away; calling one fails."""


@step
def call(service: str, value: int = 0) -> int:
    if service in down:
        raise ConnectionError(f"{service} is down")
    return value + 1


@step
def undo(what: str) -> str:
    return f"undone {what}"


async def linear() -> int:
    return await call("c", await call("b", await call("a")))


async def compensating() -> int:
    held = await call("a")
    try:
        await call("b")
        return held + await call("c")
    except StepFailed:
        await undo("b")
        await undo("a")
        raise


Body = Callable[[], Coroutine[Any, Any, Any]]


class Resumable(Play):
    """A play with resumes; `plan` is the last one's."""

    plan: Rewind

    def resume(self, workflow: Workflow[..., Any] | None = None) -> Rewind:
        assert self.execution.status == "FAILED"
        self.workflow = workflow or self.workflow
        self.now += 1_000.0
        self.plan = rewind(self.workflow, self.snapshot(), self.now)
        assert self.plan.execution.generation == self.execution.generation + 1
        for record in self.plan.records:
            self._checked(record)
            self.records[record.id] = record
        assert self.plan.cut is not None
        self.applied = self.applied[: self.plan.cut.cut]
        self.execution = self.plan.execution
        return self.plan

    def _checked(self, record: Record) -> None:
        """Rule 11: an OPEN record of the new generation that a zombie's condition does not fit."""
        old = self.records[record.id]
        assert (record.status, record.generation) == ("OPEN", self.plan.execution.generation)
        assert (record.id, record.kind, record.name) == (old.id, old.kind, old.name)
        assert record.revision == old.revision + 1
        assert (record.output, record.error, record.token, record.attempt) == (None, None, None, 0)

    @property
    def opened(self) -> list[str]:
        return [one.id for one in self.plan.records]


def failing(body: Body, *services: str, choose: Choose = first, **settings: Any) -> Resumable:
    """A play of the workflow, run until it has failed while these services were down."""
    play = Resumable(workflow("w")(body), **settings)
    down.clear()
    down.update(services)
    play.run(choose)
    assert play.execution.status == "FAILED", play.execution
    play.ran.clear()
    return play


def rerun(play: Resumable, choose: Choose = first) -> list[str]:
    """Lets all services come back and plays on; returns the commands that were run."""
    down.clear()
    play.ran.clear()
    play.run(choose)
    return play.ran
