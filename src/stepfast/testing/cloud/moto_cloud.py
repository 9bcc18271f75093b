"""MotoCloud: the whole AWS shape of stepfast on moto, in simulated time, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self

from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.simulator import resources
from stepfast.simulator.deployment import Code, Deployment
from stepfast.simulator.invocation import Invocation, SandboxEnded
from stepfast.simulator.player import START, Player
from stepfast.simulator.provision import DEAD_LETTERS, PARK, TABLE, TIMER, UNDELIVERED
from stepfast.simulator.redrive import MoveTask
from stepfast.simulator.rules import Rules
from stepfast.simulator.sqs_rules import messages_in, queue_of
from stepfast.simulator.strand_sandbox import StrandSandbox
from stepfast.simulator.trouble import Trouble
from stepfast.testing.calls import CallLog
from stepfast.testing.cloud.callers import Callers
from stepfast.testing.cloud.given import registry_of
from stepfast.testing.cloud.reading import CloudView
from stepfast.testing.cloud.steps import PlayedPoints, PlayedRunner
from stepfast.testing.cues import Cue
from stepfast.testing.faults import Faking
from stepfast.testing.kit import Awaited, moment_of
from stepfast.testing.points import Point, Stalled, Trigger
from stepfast.testing.replays import ReplayCheck
from stepfast.testing.runs import Run
from stepfast.testing.steps import Fakes

CLOUD_LIMIT = 5_000


class MotoCloud(Callers, Trouble, Faking):
    """Runs workflows on the real functions, on moto. Use it as a context manager in a plain `def` test.

    workflows: the workflows under test, or one Registry.
    project: the settings of `[tool.stepfast]`; by default those without any setting.
    start, seed, check_replays: as in Environment.
    rules: how long things take, and how often messages are delivered twice.
    limit: the most invocations in one call. With more the executions count as endless.

    `key` is an API key with every scope.

    Nothing happens outside `run`, `run_until`, `advance` and requests. In these calls the time jumps to what is due
    next, and what AWS would do at that time is done. One cloud is open at a time in a process, and while it is open,
    the clocks of the whole process show its time.

    Leaving the block without an error raises AssertionError for a kill or cue that was set and never came.
    """

    def __init__(
        self,
        *workflows: Workflow[..., Any] | Registry,
        project: Project | None = None,
        start: datetime = START,
        seed: int = 0,
        rules: Rules | None = None,
        limit: int = CLOUD_LIMIT,
        check_replays: bool = True,
    ) -> None:
        registry = registry_of(workflows)
        self.plan = Plan.of(registry, project)
        self.player = Player(start=start, seed=seed, rules=rules)
        self.points, self._limit = PlayedPoints(10**9), limit
        self._fake_steps, self._calls = Fakes(), CallLog()
        self._started: dict[str, Workflow[..., Any]] = {}
        self._ended: set[tuple[str, int]] = set()
        self._code = Code(registry, self._runner)
        self._check = ReplayCheck() if check_replays else None
        self._checked = 0

    def __enter__(self) -> Self:
        self.player.__enter__()
        try:
            self._deployment = Deployment(self.player, self.plan, self._code.equip)
            self._reading = CloudView(self.player.world, self._code.registry, self._calls)
            keys = ApiKeys(resources.client("dynamodb"), TABLE)
            _, self.key = keys.create("MotoCloud", SCOPES, self.player.world.clock.now)
            self.player.after_invocation += [self._replay_from_scratch, self._notice]
        except BaseException:
            self.player.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._reading.keep(self._started)
        finally:
            self.player.__exit__(kind, error, traceback)
        kills = [f"kill_at({number})" for number in self.player.world.account.kills]
        if error is None and (pending := self.points.pending() + kills):
            raise AssertionError(f"this has never come to pass: {'; '.join(pending)}")

    def deploy(self, *workflows: Workflow[..., Any] | Registry) -> None:
        """Replaces the code of all functions by these `workflows`. Queues and limits stay as they were."""
        self._code.registry = registry_of(workflows)
        if self._check is not None:
            self._check.deployed()
        for function in self.player.functions.values():
            function.forget()

    def _runner(self, sandbox: StrandSandbox) -> PlayedRunner:
        return PlayedRunner(sandbox.loop, self._fake_steps, self.points, self._calls)

    @property
    def _fakes(self) -> Fakes:
        return self._fake_steps

    # -- running -------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The simulated time, in UTC."""
        return self.player.now

    def run_until(self, what: Awaited) -> Awaited:
        """Runs until an execution has ended, until a simulated time, or until a function returns true, and returns
        `what`.

        what: a Run, a datetime, or a function without arguments.

        Raises Stalled when nothing is due that could bring it, or when it takes more invocations than `limit`. Raises
        TypeError for any other `what`.
        """
        began = len(self.player.invocations)
        goal = self._goal(what)

        def reached() -> bool:
            if len(self.player.invocations) - began > self._limit:
                raise Stalled(f"{self._told(what)}, and goes on without end: {self._limit} invocations in one call")
            return goal()

        if isinstance(what, datetime):
            moment: datetime = what
            self.advance(max(timedelta(), moment - self.now))
        elif not self.player.time.drive(reached):
            raise Stalled(f"{self._told(what)}, and nothing is due that could change it")
        if isinstance(what, Run):
            self._look([what.execution_id])  # the invocation that has brought it may not have ended yet
        return what

    def advance(self, by: timedelta) -> None:
        """Lets the simulated time `by` pass, with everything that is due in it."""
        self.player.advance(by)

    def _goal(self, what: object) -> Callable[[], bool]:
        if isinstance(what, datetime):
            return lambda: False
        if isinstance(what, Run):
            return self._when_written(lambda: what.status != "RUNNING")
        if not callable(what):
            raise TypeError(f"run_until takes a Run, a datetime or a function, not {what!r}")
        return lambda: bool(what())

    def _when_written(self, goal: Callable[[], bool]) -> Callable[[], bool]:
        """Asks only after something was written: asking reads the table."""
        seen = -1

        def asked() -> bool:
            nonlocal seen
            shard = self._deployment.stream.table.stream_shard
            written = len(shard.items) if shard is not None else 0
            if written == seen:
                return False
            seen = written
            return goal()

        return asked

    def _told(self, what: object) -> str:
        runs = [what] if isinstance(what, Run) else self.runs
        return "; ".join(map(str, runs[:5])) or "no execution was started"

    # -- cues ------------------------------------------------------------------------------------------------------

    def at(self, when: timedelta | datetime) -> Cue:
        """A cue at a simulated time. `when` is a datetime, or a timedelta from now."""
        return Cue(self, lambda act, told: self.player.at(when, lambda: act("")))

    def when(
        self,
        *,
        before: Step[..., Any] | None = None,
        after: Step[..., Any] | None = None,
        waiting: str | None = None,
        status: Literal["SUCCEEDED", "FAILED"] | None = None,
        attempt: int = 1,
        times: int = 1,
        delay: timedelta = timedelta(),
    ) -> Cue:
        """A cue at a moment of an execution. Its `.crash()` kills the function that the moment happens in.

        before, after, waiting, status, attempt, times, delay: as in Environment.when.
        """
        side, what, name = moment_of(before, after, waiting, status)

        def put(act: Callable[[str], object], told: str) -> None:
            def meet(point: Point) -> None:
                if delay:
                    self.player.at(delay, lambda: act(point.execution_id))
                else:
                    act(point.execution_id)

            key = side if what == "step" else what
            self.points.add(Trigger(side, what, name, attempt, times, meet, f"when({key}={name!r}){told}"))

        return Cue(self, put)

    def _die(self, execution_id: str, down: timedelta) -> None:
        """What Cue.crash does: the function at the moment, or at a time all that run."""
        sandbox = self.points.stopped_at
        if sandbox is not None:
            sandbox.end(SandboxEnded("killed on cue"))
            return
        for function in self.player.functions.values():
            function.kill("killed on cue")

    def _look(self, execution_ids: Iterable[str]) -> None:
        for execution_id in execution_ids:
            if self._check is not None and execution_id in self._started:
                self._check.look(self._reading, execution_id)

    def _replay_from_scratch(self, invocation: Invocation) -> None:
        """Checks the executions that were written since the last time."""
        records = self._deployment.stream.records
        keys = (one["dynamodb"]["Keys"]["pk"]["S"] for one in records[self._checked :])
        self._checked = len(records)
        self._look(dict.fromkeys(key.removeprefix("x#") for key in keys))

    def _notice(self, invocation: Invocation) -> None:
        """Passes the moments that follow from what an invocation has written, if anyone cares."""
        for run in self.runs if self.points.wanted("waiting") or self.points.wanted("status") else ():
            execution = self._reading.execution(run.execution_id)
            if execution.status == "RUNNING":
                snapshot = self._reading.snapshot(run.execution_id)
                for command in self._reading.replay(snapshot).outstanding.values():
                    if command.kind == "signal" and command.id not in snapshot.records:
                        self.points.reach(Point("at", "waiting", run.execution_id, command.name, 0, command.id))
            elif (run.execution_id, execution.generation) not in self._ended:
                self._ended.add((run.execution_id, execution.generation))
                self.points.reach(Point("at", "status", run.execution_id, execution.status))

    # -- queues ----------------------------------------------------------------------------------------------------

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """The bodies of the messages in the dead-letter queue, as JSON values: one for each failed execution."""
        return [json.loads(one) for one in self.messages(DEAD_LETTERS)]

    @property
    def undelivered(self) -> list[str]:
        """The bodies of what no function could handle: poison messages, and stream records that were given up."""
        return self.messages(UNDELIVERED)

    def messages(self, queue: str) -> list[str]:
        """The bodies of the messages in a queue.

        queue: the name of a pool, "timer", "park", or the name of a queue.
        """
        known = {"timer": TIMER, "park": PARK, **self._deployment.pools}
        return [message.body for message in messages_in(queue_of(known.get(queue, queue)))]

    def send(self, queue: str, body: str) -> None:
        """Puts a message with the text `body` into a `queue`, which is named as in `messages`."""
        known = {"timer": TIMER, "park": PARK, **self._deployment.pools}
        resources.client("sqs").send_message(QueueUrl=known.get(queue, queue), MessageBody=body)

    def redrive(self, rate: int | None = None) -> MoveTask:
        """Starts a redrive of the dead letters, as the SQS console does.

        rate: messages a second, 1 to 500. None takes 500.
        """
        return self.player.redrive(DEAD_LETTERS, rate)

    @property
    def invocations(self) -> list[Invocation]:
        """Every invocation that has ended, in the order of the ends."""
        return self.player.invocations
