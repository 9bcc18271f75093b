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
    """Runs workflows in simulated time, on a database in memory. Use it as a context manager in a plain `def` test.

    workflows: the workflows under test, or one Registry.
    start: the simulated time at the beginning, with a time zone; by default 2030-01-01 00:00 UTC.
    seed: decides the jitter of retries, and the order of things that are due at the same time. With 0 that is the order
    in which they were asked for; each other number stands for one shuffled order.
    limit: the most attempts, timers and signals of one execution in one call. An execution with more counts as endless.
    check_replays: replays executions from scratch while they progress, and raises NotRepeatable where the code then
    asks for something else. False saves that time.

    Nothing runs outside `run`, `run_until` and `advance`. In these calls steps really run (a `def` step in a thread),
    and when nothing is left to do, the time jumps to the next thing that is due. Time stands still while a step runs,
    unless the step awaits asyncio.sleep or is a fake that takes time.

    Leaving the block without an error raises AssertionError for a crash or cue that was set and never came. Raises
    TypeError for an argument that is not a workflow, ValueError for a `start` without a time zone, and RuntimeError
    when it is entered twice or inside a running event loop.
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
        """Runs until an execution has ended, until a simulated time, or until a function returns true, and returns
        `what`.

        what: a Run, a datetime, or a function without arguments, which is called after every event and may ask runs
        anything.

        Raises Stalled when nothing is due that could bring it, or when an execution exceeds `limit`; the message says
        what the executions wait for. Raises TypeError for any other `what`.
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
        """Lets the simulated time `by` pass, with everything that is due in it."""
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
    """The type of the pytest fixture `stepfast_env`, a function that makes environments.

    It takes the arguments of Environment. Each environment is closed after the test.
    """

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
