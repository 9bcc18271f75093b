"""The environment: the real engine on a database in memory, in simulated time, in one thread."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self

from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.testing.driver import Driver
from stepfast.testing.faults import FaultInjection
from stepfast.testing.kit import Awaited
from stepfast.testing.memory import finished
from stepfast.testing.outside import Outside
from stepfast.testing.points import Points, Stalled
from stepfast.testing.runs import Run, View
from stepfast.testing.values import checked_workflows

START = datetime(2030, 1, 1, tzinfo=UTC)
REPLAY_LIMIT = 500


class Environment(Outside, FaultInjection):
    """Runs workflows in simulated time; use it as a context manager in a plain `def` test.

    workflows: the workflows under test, or one Registry.
    start: the simulated time at first, with a time zone; 2030-01-01 00:00 UTC by default.
    seed: of the jitter of retries, and of which of several things due at one moment goes first. With 0 they
        go in the order in which they were asked for; any other number stands for one shuffled order.
    limit: attempts, timers and signals of one execution in one call, after which it counts as endless.
    check_replays: replay executions from scratch as they go on, and raise NotRepeatable where their code then
        asks for something else; False saves that time.

    Nothing happens but in `run`, `run_until` and `advance`: in them steps really run (a `def` step in a
    thread), and when nothing is left to do it is at once the time of what is due next. Time stands still
    while a step runs, unless it awaits asyncio.sleep or is a fake that takes time.

    Leaving the block without an error raises AssertionError for a crash or cue that has never come to pass.
    Raises TypeError for what is not a workflow, ValueError for a `start` without a time zone.
    """

    def __init__(
        self,
        *workflows: Workflow[..., Any] | Registry,
        start: datetime | None = None,
        seed: int = 0,
        limit: int = REPLAY_LIMIT,
        check_replays: bool = True,
    ) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError("start needs a time zone: datetime(2030, 1, 1, tzinfo=UTC)")
        self._registry = _registry(workflows)
        self._start, self._seed, self._limit = start or START, seed, limit
        self._check_replays = check_replays
        self._started: dict[str, Workflow[..., Any]] = {}

    def __enter__(self) -> Self:
        if self._opened is not None:
            raise RuntimeError("an Environment is entered once: make another one")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("the environment runs an event loop of its own: use it in a plain `def` test")
        draw = random.Random(self._seed)
        self._opened = Driver(
            self._registry,
            self._start,
            draw,
            Points(self._limit),
            shuffled=self._seed != 0,
            check_replays=self._check_replays,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._driver.close(self._started)
        if error is None and (pending := self._driver.points.pending()):
            raise AssertionError(f"this has never come to pass: {'; '.join(pending)}")

    # -- running -----------------------------------------------------------------------------------------

    @property
    def _view(self) -> View:
        return self._driver

    def _create(self, workflow: str, input: Any, execution_id: str, labels: Mapping[str, str] | None) -> None:
        finished(self._driver.operations.start(workflow, input, execution_id, labels))

    def run_until(self, what: Awaited) -> Awaited:
        """Runs until an execution has ended, until a simulated time, or until a function returns true.

        A function is asked after whatever happens; it may ask runs anything. Raises Stalled when nothing is
        left that could bring it, or when an execution goes on past `limit`; the message says what the executions wait
        for.
        """
        until = what.timestamp() if isinstance(what, datetime) else None
        try:
            reached = self._driver.drive(self._goal(what), until)
        except Stalled as endless:
            raise Stalled(f"{self._told(what)}, and goes on without end: {endless}") from None
        if not reached and until is None:
            raise Stalled(f"{self._told(what)}, and nothing is due that could change it{self._hint(what)}")
        return what

    def advance(self, by: timedelta) -> None:
        """Lets this much simulated time pass, with all that is due in it."""
        self.run_until(self.now + by)

    def _goal(self, what: object) -> Callable[[], bool]:
        if isinstance(what, Run):
            return lambda: what.status != "RUNNING"
        if isinstance(what, datetime):
            return lambda: False
        if not callable(what):
            raise TypeError(f"run_until takes a Run, a datetime or a function, not {what!r}")
        return lambda: bool(what())

    def _concerned(self, what: object) -> list[Run[Any]]:
        return [what] if isinstance(what, Run) else self.runs

    def _told(self, what: object) -> str:
        return "; ".join(map(str, self._concerned(what))) or "no execution was started"

    def _hint(self, what: object) -> str:
        signals = any(one.kind == "signal" for run in self._concerned(what) for one in run.waiting)
        return "; send it with env.signal(…) or env.when(waiting=…).signal(…)" if signals else ""


class MakeEnvironment(Protocol):
    """The type of the pytest fixture `stepfast_env`: makes environments that are closed after the test."""

    def __call__(
        self,
        *workflows: Workflow[..., Any] | Registry,
        start: datetime | None = None,
        seed: int = 0,
        limit: int = REPLAY_LIMIT,
        check_replays: bool = True,
    ) -> Environment: ...


def _registry(arguments: tuple[Workflow[..., Any] | Registry, ...]) -> Registry:
    workflows = checked_workflows(arguments, "Environment")
    return workflows if isinstance(workflows, Registry) else Registry(workflows)
