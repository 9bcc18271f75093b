"""Plays the backend for replays: runs what is outstanding, in the order a test chooses, and records it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepfast.language.workflows import Workflow
from stepfast.model import Cursor, Execution, Failure, Record, Snapshot
from stepfast.replay.failures import causes_of, failure_of
from stepfast.replay.replay import Command, Replay

CREATED = 1_700_000_000.0
Choose = Callable[[list[Command]], Command]


def first(open_commands: list[Command]) -> Command:
    """The command asked for first; timers come last, as time stands still while there is work."""
    return min(open_commands, key=lambda one: (one.kind == "timer", one.due or 0.0))


def last(open_commands: list[Command]) -> Command:
    """The command asked for last, before any timer."""
    return max(reversed(open_commands), key=lambda one: (one.kind != "timer", -(one.due or 0.0)))


class Play:
    """One execution, replayed from scratch before every result, as workers and advancers do it.

    signals: payload texts by signal name, each taken once. records, applied: the durable state.
    ran: ids of the commands in the order in which they got their outcome.
    """

    def __init__(
        self, workflow: Workflow[..., Any], input: str = "null", signals: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.workflow = workflow
        self.execution = Execution("e1", workflow.name, input, CREATED)
        self.records: dict[str, Record] = {}
        self.applied: tuple[str, ...] = ()
        self.now = CREATED
        self.ran: list[str] = []
        self._signals = {name: list(payloads) for name, payloads in (signals or {}).items()}

    def replay(self) -> Replay:
        """One pass: the order is extended and kept. The replay is closed and can be looked at."""
        replay = Replay(self.workflow, self.execution)
        try:
            replay.advance(self.records, self.applied, extend=True)
        finally:
            replay.close()
        self.applied = tuple(replay.applied)
        return replay

    def run(self, choose: Choose = first) -> Replay:
        """Plays on until the workflow has ended or waits for what nobody brings."""
        while True:
            replay = self.replay()
            ready = [] if replay.finished else [one for one in replay.outstanding.values() if self._can_end(one)]
            if not ready:
                return self._ended(replay)
            self.end(choose(ready))

    def _can_end(self, command: Command) -> bool:
        if command.id in self.records and self.records[command.id].recorded:
            return False
        return command.kind != "signal" or bool(self._signals.get(command.name))

    def end(self, command: Command) -> Record:
        """Gives a command its outcome: runs the step, lets the time pass, or takes the signal."""
        self.now = max(self.now + 1.0, command.due or 0.0)
        old = self.records.get(command.id)
        record = Record(
            command.id,
            command.kind,
            command.name,
            "SUCCEEDED",
            self.execution.generation,
            revision=old.revision + 1 if old else 1,
            attempt=1 if command.kind == "step" else 0,
            input=command.input,
            first_at=self.now - 1.0,
            started_at=self.now - 1.0,
            ended_at=self.now,
        )
        if command.kind == "step":
            record = attempted(command, record)
        elif command.kind == "signal":
            record = replace(record, output=self._signals[command.name].pop(0), signal=f"signal-{self.now:.0f}")
        self.records[command.id] = record
        self.ran.append(command.id)
        return record

    def _ended(self, replay: Replay) -> Replay:
        if replay.finished and replay.error is not None:
            self.execution = replace(
                self.execution,
                status="FAILED",
                error=failure_of(replay),
                causes=causes_of(replay),
                ended_at=self.now,
            )
        elif replay.finished:
            self.execution = replace(self.execution, status="SUCCEEDED", result=replay.result, ended_at=self.now)
        return replay

    def snapshot(self) -> Snapshot:
        """What a store would hold; the cursor only exists where an order was ever decided."""
        cursor = Cursor(self.applied, frozenset(), self.execution.generation, 1 if self.applied else 0)
        return Snapshot(self.execution, cursor, dict(self.records))


def attempted(command: Command, record: Record) -> Record:
    """The record with the outcome of running the step's own function, once."""
    assert command.step is not None
    arguments = command.step.arguments.decode(command.input or "{}")
    try:
        value = command.step.function(*arguments.args, **arguments.kwargs)
        if isinstance(value, Coroutine):
            value = at_once(value)
        return replace(record, output=command.step.result.encode(value)[0])
    except Exception as error:
        failure = Failure(type(error).__name__, str(error), command.name, None)
        return replace(record, status="FAILED", error=failure)


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that does not wait."""
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        return stopped.value
    coroutine.close()
    raise AssertionError("steps in these tests do not wait")


def played(body: Callable[[], Coroutine[Any, Any, Any]], **settings: Any) -> Play:
    """A play of a workflow made of this function of no arguments, run to its end."""
    play = Play(Workflow(body, "w"), **settings)
    play.run()
    return play


def started(body: Callable[[], Coroutine[Any, Any, Any]]) -> Replay:
    """A live replay of a new execution of this function; the caller closes it."""
    replay = Replay(Workflow(body, "w"), Execution("e1", "w", "null", CREATED))
    replay.advance({})
    return replay
