"""EventBridge Scheduler, whose schedules moto keeps and never fires; and what happens at multiples of a period."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, ScheduleGroup, scheduler_backends

from stepfast.deployment.schedules import wrong_in
from stepfast.simulator.agenda import AgendaEntry
from stepfast.simulator.clock import MICRO
from stepfast.simulator.cron import Cron
from stepfast.simulator.lambdas import ACCOUNT, REGION, SimulatedFunction
from stepfast.simulator.patching import Patches
from stepfast.simulator.sqs_rules import queue_of, send
from stepfast.simulator.world import World

UNITS = {"minute": 60, "hour": 3600, "day": 86400}
AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
Following = Callable[[float], float | None]
"""When a schedule comes again after it was due at a time; None when it does not."""


def _once(due: float) -> float | None:
    return None


def _following(expression: str, zone: ZoneInfo) -> Following:
    if (rate := RATE.fullmatch(expression)) is not None:
        every = int(rate[1]) * UNITS[rate[2]]
        return lambda due: due + every
    return Cron(expression.removeprefix("cron(").removesuffix(")"), zone).after


class SimulatedSchedules:
    """Fires what is scheduled: `at(…)` once, `rate(…)` and `cron(…)` again and again, at SQS queues and functions."""

    def __init__(self, world: World, functions: Mapping[str, SimulatedFunction]) -> None:
        self._world, self._functions = world, functions
        self.fired: list[tuple[str, float]] = []

    def patch(self, patches: Patches) -> None:
        add, update, schedules = ScheduleGroup.add_schedule, EventBridgeSchedulerBackend.update_schedule, self

        def added(self: ScheduleGroup, schedule: Schedule) -> None:
            add(self, schedule)
            schedules._plan(schedule)

        def updated(self: EventBridgeSchedulerBackend, *arguments: Any, **options: Any) -> Schedule:
            schedule = update(self, *arguments, **options)
            schedules._plan(schedule)
            return schedule

        patches.put(ScheduleGroup, "add_schedule", added)
        patches.put(EventBridgeSchedulerBackend, "update_schedule", updated)

    def _plan(self, schedule: Schedule) -> None:
        expression, zone = schedule.schedule_expression, ZoneInfo(schedule.schedule_expression_timezone or "UTC")
        if wrong := wrong_in(expression):
            raise ValueError(f"Scheduler takes no such schedule: {expression!r}: {wrong}")
        if (once := AT.fullmatch(expression)) is not None:
            self._put(schedule, datetime.fromisoformat(once[1]).replace(tzinfo=zone).timestamp(), _once)
            return
        following, now = _following(expression, zone), self._world.clock.now
        # Without a StartDate a rate begins at once: it does not wait for its first period to end.
        self._put(schedule, now if RATE.fullmatch(expression) else following(now), following)

    def _put(self, schedule: Schedule, at: float | None, following: Following) -> None:
        if at is None:
            return
        late = self._world.draw.uniform(0.0, self._world.rules.late)
        due = max(round((at + late) * MICRO), self._world.clock.micros)
        expression = schedule.schedule_expression
        fire = partial(self._fire, schedule, expression, at, following)
        self._world.agenda.put(due, fire, idle=following is not _once)

    def _fire(self, schedule: Schedule, expression: str, at: float, following: Following) -> None:
        group = scheduler_backends[ACCOUNT][REGION].schedule_groups.get(schedule.group_name)
        if group is None or group.schedules.get(schedule.name) is not schedule:
            return  # deleted meanwhile
        if schedule.schedule_expression != expression:
            return  # changed: it has an entry of its own
        if schedule.state == "ENABLED":
            self.fired.append((schedule.name, self._world.clock.now))
            self._deliver(schedule.target, at, schedule.arn)
            if self._world.chance(self._world.rules.duplicates):
                self._world.later(lambda: self._deliver(schedule.target, at, schedule.arn), 1.0)
        again = following(at)
        self._put(schedule, again, following)
        if again is None and schedule.action_after_completion == "DELETE":
            group.delete_schedule(schedule.name)

    def _deliver(self, target: Mapping[str, Any], at: float, arn: str) -> None:
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = target.get("Input", "{}")
        for name, value in {
            "scheduled-time": stamp,
            "execution-id": f"{self._world.ids.getrandbits(64):016x}",
            "attempt-number": "1",
            "schedule-arn": arn,
        }.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        if ":sqs:" in target["Arn"]:
            send(queue_of(target["Arn"]), text)
            return
        function = next((function for function in self._functions.values() if function.arn == target["Arn"]), None)
        if function is None:
            raise ValueError(f"a schedule has a target that MotoCloud does not play: {target['Arn']}")
        self._world.happened()
        function.invoke_later(json.loads(text))


class Ticker:
    """Calls a function at every multiple of a period; ever less often while nothing else happens.

    Three quiet days of a sweep every five minutes are ten sweeps. Once something happens, it is back at once.
    """

    def __init__(self, world: World, every: float, act: Callable[[], object]) -> None:
        self._world, self._every, self._act = world, round(every * MICRO), act
        self._skip = 1
        self._progress = world.progress
        self._entry: AgendaEntry = self._put()
        world.on_progress.append(self._hurry)

    def _put(self) -> AgendaEntry:
        periods = self._world.clock.micros // self._every + self._skip
        return self._world.agenda.put(periods * self._every, self._tick, idle=True)

    def _tick(self) -> None:
        quiet = self._world.progress == self._progress
        self._skip = self._skip * 2 if quiet else 1
        self._progress = self._world.progress
        self._act()
        self._entry = self._put()

    def _hurry(self) -> None:
        """Something has happened: the next period is not skipped."""
        if self._skip > 1:
            self._skip = 1
            self._world.agenda.drop(self._entry)
            self._entry = self._put()
