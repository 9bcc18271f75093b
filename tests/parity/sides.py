"""One coroutine function run on both sides: plain asyncio in virtual time, and a workflow, whose timers are recorded.

Each side gives what the coroutine came to, and what it has said, each with the seconds that had passed. The workflow
is replayed from scratch before each result, and live as well; both must agree.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Record
from stepfast.replay.replay import Replay

CREATED = 1_700_000_000.0
HOUR = 3600.0


@dataclass
class Log:
    """What a body says, each with the time; a replay that is discarded says nothing more."""

    lines: list[list[Any]] = field(default_factory=list)
    began: float = 0.0

    def __call__(self, *words: Any) -> None:
        loop = asyncio.get_running_loop()
        if not getattr(loop, "discarded", False):
            self.lines.append([round(loop.time() - self.began, 3), *(_plain(word) for word in words)])


Body = Callable[[Log], Coroutine[Any, Any, Any]]


def _plain(word: Any) -> Any:
    if isinstance(word, BaseExceptionGroup):
        return [type(word).__name__, *sorted((_plain(inner) for inner in word.exceptions), key=repr)]
    if isinstance(word, BaseException):
        return f"{type(word).__name__}: {word}".removesuffix(": ")
    return word


class _Still(selectors.DefaultSelector):
    """Waits for no time: it tells how long it would have waited."""

    slept = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout is None:
            raise TimeoutError("nothing would ever wake this loop")
        self.slept += 0.0 if found else timeout or 0.0
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, whose time passes only while it would wait."""

    def __init__(self) -> None:
        self._still = _Still()
        super().__init__(self._still)
        self._clock_resolution = 1e-6  # asyncio's own is lost beside times as large as these

    def time(self) -> float:
        # As large as a workflow's clock, so that sums of floats are rounded alike on both sides.
        return CREATED + self._still.slept


def on_asyncio(body: Body) -> tuple[Any, list[Any]]:
    """What asyncio.run makes of it; what is not done by its end says nothing more."""
    log = Log(began=CREATED)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: None)
        outcome = _outcome(lambda: runner.run(body(log)))
    said = json.loads(json.dumps(log.lines))
    return outcome, said


def _outcome(run: Callable[[], Any]) -> Any:
    try:
        return ["returns", json.loads(json.dumps(run()))]
    except BaseException as error:
        return ["raises", _plain(error)]


class _Timers:
    """The records of a workflow's timers, each written once it is due and nothing due earlier is outstanding."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.applied: list[str] = []

    def end_next(self, replay: Replay) -> Record:
        waiting = [command for command in replay.outstanding.values() if command.id not in self.records]
        assert all(command.kind == "timer" for command in waiting), "bodies of these tests use asyncio alone"
        command = min(waiting, key=lambda each: each.due or 0.0)
        record = Record(command.id, "timer", "timer", "SUCCEEDED", 0, ended_at=command.due)
        self.records[command.id] = record
        return record


def in_a_workflow(body: Body) -> tuple[Any, list[Any]]:
    """What a workflow comes to, replayed from scratch for each timer; a live replay has to come to the same."""
    log, live_log = Log(began=CREATED), Log(began=CREATED)

    async def again() -> Any:
        log.lines.clear()
        return await body(log)

    async def live() -> Any:
        return await body(live_log)

    timers, execution = _Timers(), Execution("e1", "w", "null", CREATED)
    going = Replay(Workflow(live, "w"), execution)
    going.advance({}, extend=True)
    while True:
        replay = Replay(Workflow(again, "w"), execution)
        replay.advance(timers.records, timers.applied, extend=True)
        replay.close()
        timers.applied = list(replay.applied)
        assert _standing(going) == _standing(replay), (_standing(going), _standing(replay))
        if replay.finished:
            break
        record = timers.end_next(replay)
        going.advance({record.id: record}, timers.applied, extend=True)
    assert live_log.lines == log.lines
    outcome = ["raises", _plain(replay.error)] if replay.error else ["returns", json.loads(replay.result or "null")]
    return outcome, json.loads(json.dumps(log.lines))


def _standing(replay: Replay) -> tuple[Any, ...]:
    return replay.finished, sorted(replay.outstanding), list(replay.issued), replay.applied, replay.result


async def after(say: Log, seconds: float, word: str, error: BaseException | None = None) -> str:
    say("begins", word)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError as cancelled:
        say("cancelled", word, *cancelled.args)
        raise
    say("ends", word)
    if error is not None:
        raise error
    return word
