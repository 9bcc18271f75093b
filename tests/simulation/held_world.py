"""A seeded world of starts whose workflow an operator pauses and unpauses at any moment (rule *held start*)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepfast.engine.advancer import Advancer
from stepfast.engine.holding import PAUSES_KEPT_SECONDS
from stepfast.engine.job_actions import ACTIONS, JobActions, Planned
from stepfast.engine.job_runner import JobSteps
from stepfast.engine.operations import Operations
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.start_items import start_in
from stepfast.engine.step_runner import AttemptCall, Ended
from stepfast.errors import Refused
from stepfast.language.job_steps import job_plan
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.model import Execution
from tests.simulation.start_flows import both, debounced, paced, skips, waits
from tests.simulation.start_world import SKEW, BrokenStart, StartClock, StartPorts, StartWorld

HELD_FLOWS = (waits, skips, paced, both, debounced)
KNOWN = PAUSES_KEPT_SECONDS + 2 * SKEW
"""Seconds after which every process knows of a pause, whatever its clock says."""
MOST_PAUSES = 3


class HeldPorts(StartPorts):
    def __init__(self, world: StartWorld) -> None:
        super().__init__(world)
        self.workflow_pauses = StartPorts(world, "workflow_pauses")


class HeldWorld(StartWorld):
    """paused_since: when the pause that stands was written; None where none stands. held: who was held once.

    cut_off: what the operator asks again, since a crash has cut it off.
    """

    def __init__(self, seed: int) -> None:
        self.paused_since: float | None = None
        self.held: set[str] = set()
        self.pauses = 0
        self.cut_off: list[Callable[[], object]] = []
        super().__init__(seed, HELD_FLOWS[seed % len(HELD_FLOWS)])

    def _machine(self) -> tuple[Advancer, Any, Operations]:
        clock = StartClock(self, self.random.uniform(-SKEW, SKEW) if not self.faultless else 0.0)
        ports: Any = HeldPorts(self)
        advancer = Advancer(ports, ports, clock, self.registry, LiveReplays())
        worker = self.worker(ports, clock, self, LiveReplays())
        return advancer, worker, Operations(ports, clock, self.registry, advancer)

    # -- what must hold ------------------------------------------------------------------------------------------

    async def run(self, call: AttemptCall) -> Ended:
        """Runs an attempt; its execution was not started while its workflow was known to be paused."""
        id = call.context.execution_id
        created_at = self.file.all_rows("SELECT created_at FROM executions WHERE execution_id = ?", (id,))[0][0]
        # An unpause that was under way as the workflow was paused again may end that pause, too.
        stands = bool(self.file.all_rows("SELECT 1 FROM workflow_pauses", ()))
        if stands and self.paused_since is not None and created_at > self.paused_since + KNOWN:
            raise BrokenStart(f"{id} was started while its workflow was paused, and runs a step")
        return await super().run(call)

    def look(self) -> dict[str, str]:
        for id, status, text in self.file.all_rows("SELECT execution_id, status, start FROM executions", ()):
            start = start_in(text)
            if status == "PAUSED":
                self.held.add(id)
            if start is not None and start.waits:
                self.began.pop(id, None)  # It was held before it began, and waits for another moment.
        return super().look()

    def _check_end(self, statuses: dict[str, str]) -> None:
        held = sorted(id for id, status in statuses.items() if status == "PAUSED")
        if held:
            raise BrokenStart(f"held for ever, though the workflow is not paused: {held}")
        super()._check_end(statuses)

    # -- the operator --------------------------------------------------------------------------------------------

    def _choices(self, statuses: dict[str, str]) -> list[Callable[[], object]]:
        choices, draw = super()._choices(statuses), self.random.random
        if self.cut_off:
            choices.append(lambda: self.cut_off.pop()())
        if self.paused_since is None and self.unasked and self.pauses < MOST_PAUSES and draw() < 0.3:
            choices.append(self._pause)
        elif self.paused_since is not None:
            if draw() < 0.02:
                choices.append(self._unpause)
            if draw() < 0.1:
                choices.append(self._wait)
            if self.now < self.paused_since + KNOWN:
                choices += [self._wait] * 3 * bool(self.unasked)
        return choices

    def _idle(self) -> None:
        if self.cut_off:
            self.cut_off.pop()()
        elif self.unasked or self.paused_since is None:
            super()._idle()
        else:
            self._unpause()

    def play(self, limit: int = 40_000) -> dict[str, str]:
        statuses = dict[str, str]()
        for _ in range(2):
            if self.paused_since is not None:
                self._unpause()
            statuses = self._played(limit)
            if self.paused_since is None:
                break
        self._check_end(statuses)
        return statuses

    def _played(self, limit: int) -> dict[str, str]:
        for _ in range(limit):
            statuses = self.look()
            if not (
                self.cut_off or self.unasked or self.live or self.queue or self.wakes or "RUNNING" in statuses.values()
            ):
                if self.paused_since is None:
                    return statuses
                self._unpause()
                continue
            self.random.choice(self._choices(statuses) or [self._idle])()
            self.now += 0.01
        raise BrokenStart(f"still under way: {statuses}")

    def _wait(self) -> None:
        """Time passes until every process knows."""
        self.now += KNOWN + 1.0

    def _pause(self) -> None:
        self.pauses += 1

        async def work() -> None:
            await self._engine()[2].workflows.pause(self.flow.name)
            self.paused_since = self.now

        self._spawn("pause", work(), again=lambda: self.cut_off.append(self._pause))

    def _unpause(self) -> None:
        """What the operation does; the job is played by its plans, and its action on each execution that they name."""
        self.paused_since = None

        async def work() -> None:
            ports: Any = HeldPorts(self)
            await ports.workflow_pauses.unpause(self.flow.name)
            clock = StartClock(self, 0.0)
            steps, actions = JobSteps(ports, clock, self.registry), JobActions(ports, clock, self.registry)
            job = {"id": "job", "action": "release", "filter": {"workflow": self.flow.name}, "options": {}}
            execution, place = Execution("job", JOB_WORKFLOW, "", self.now), ""
            while place is not None:
                asked = {"job": job, "place": place, "ids": None, "limit": 2}
                plan = await steps.value(job_plan, asked, execution)
                for entry in plan["entries"]:
                    try:
                        await ACTIONS["release"].act(actions, Planned(*entry), job)
                    except Refused:
                        pass  # It is cancelled by now, or the workflow is paused again.
                place = plan["next"]

        self._spawn("unpause", work(), again=lambda: self.cut_off.append(self._unpause))


def held(seed: int, turns: int = 40_000) -> HeldWorld:
    """Plays a world to its end."""
    world = HeldWorld(seed)
    try:
        world.play(turns)
        return world
    finally:
        world.close()
