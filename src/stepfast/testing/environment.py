"""The environment: the real engine on a database in memory, in simulated time, in one thread."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.testing.crashing import Crashing
from stepfast.testing.engine_stage import EngineStage
from stepfast.testing.kit import Kit
from stepfast.testing.loading import Loading
from stepfast.testing.points import Points
from stepfast.testing.state import KitState
from stepfast.testing.values import checked_workflows

START = datetime(2030, 1, 1, tzinfo=UTC)
REPLAY_LIMIT = 500


class Environment(Crashing, Loading, Kit[EngineStage]):
    """Runs workflows in simulated time, on a database in memory. Use it as a context manager in a plain `def` test.

    workflows: the workflows under test, or one Registry.
    start: the simulated time at the beginning, with a time zone; by default 2030-01-01 00:00 UTC.
    seed: decides the jitter of retries, and the order of things that are due at the same time. With 0 that is the order
    in which they were asked for; each other number stands for one shuffled order.
    limit: the most attempts, timers and signals of one execution in one call. An execution with more counts as endless.
    check_replays: replays executions from scratch while they progress, and raises NotRepeatable where the code then
    asks for something else. False saves that time.

    Nothing runs outside `run`, `run_until` and `advance`. In these calls steps really run (a `def` step in a thread),
    and when nothing is left to do, the time jumps to the next thing that is due. Time stops while a step runs,
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

    def __enter__(self) -> Self:
        if self._own_stage is not None:
            raise RuntimeError("an Environment is entered once: make another one")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("the environment runs an event loop of its own: use it in a plain `def` test")
        state = KitState(Points(self._limit), check_replays=self._check_replays)
        self._own_stage = EngineStage(self._registry, self._start, self._seed, state)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stage.close()
        if error is None:
            self._stage.state.points.require_passed()


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
