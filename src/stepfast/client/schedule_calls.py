"""What the client asks of schedules."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.stacks import Stacks
from stepfast.client.values import moment, segment


class ScheduleCalls:
    """The part of a client that is about schedules. Where there are several deployments, the first is asked."""

    _stacks: Stacks

    def schedules(self, limit: int = 50, cursor: str | None = None) -> Object:
        """A page of the `schedules` by name, and the cursor `next`: their next times, last starts and pauses.

        limit: the most schedules of a page, 1 to 100.
        cursor: the `next` of an earlier page.
        """
        return self._stacks.first.get("/v1/schedules", shapes.SchedulePageShape, limit=limit, cursor=cursor)

    def schedule(self, name: str) -> Object:
        """A schedule as JSON values: its next times, its last starts and its pause.

        name: the name of the schedule.

        Raises InvalidRequest where the settings have no such schedule.
        """
        return self._stacks.first.get(_path(name), shapes.ScheduleShape)

    def pause_schedule(self, name: str, *, why: str = "") -> Object:
        """Has nothing start by the clock until the schedule is unpaused. Returns the schedule. Safe to repeat.

        name: the name of the schedule.
        why: for those who look at it.

        A moment that is missed meanwhile is not made up for, unless it is backfilled. Raises InvalidRequest where the
        settings have no such schedule.
        """
        return self._stacks.first.send("POST", _path(name, "pause"), shapes.ScheduleShape, {"why": why}).body

    def unpause_schedule(self, name: str) -> Object:
        """Has the schedule start again from now on. Returns the schedule. Safe to repeat.

        name: the name of the schedule.

        Raises InvalidRequest where the settings have no such schedule.
        """
        return self._stacks.first.send("POST", _path(name, "unpause"), shapes.ScheduleShape).body

    def trigger_schedule(
        self,
        name: str,
        *,
        execution_id: str | None = None,
        overlap: Literal["allow", "skip", "wait", "replace"] | None = None,
    ) -> Object:
        """Starts the workflow of a schedule now, also while the schedule is paused.

        name: the name of the schedule.
        execution_id: names the execution, and makes the call safe to repeat. None makes an id.
        overlap: a policy in place of the schedule's own.

        Returns the `outcome` ("started", "waiting" or "skipped"), the `execution_id`, whether it was `created`, and
        `why` it was skipped. Raises InvalidRequest where the settings have no such schedule.
        """
        body: Object = {"execution_id": execution_id or f"{segment(name, 'name')}-{uuid.uuid4()}"}
        if overlap is not None:
            body["overlap"] = overlap
        return self._stacks.first.send("POST", _path(name, "trigger"), shapes.OutcomeShape, body).body

    def backfill_schedule(
        self,
        name: str,
        since: datetime | float | str,
        until: datetime | float | str,
        *,
        overlap: Literal["allow", "wait"] | None = None,
    ) -> list[dict[str, Any]]:
        """Starts an execution for each moment of a time that has passed. Safe to repeat: what has started stays.

        name: the name of the schedule.
        since: the first moment, included: a datetime, or seconds since the epoch.
        until: the end, not included, and not in the future.
        overlap: "allow" starts all at once, "wait" one after the other. None is "allow" for a schedule that allows
        overlaps, and "wait" for any other.

        Returns the moments (`at`), each with its `outcome` and its `execution_id`. Raises InvalidRequest for a time
        without any moment, or with more than 100.
        """
        body: Object = {"from": moment(since), "to": moment(until)}
        if overlap is not None:
            body["overlap"] = overlap
        answer = self._stacks.first.send("POST", _path(name, "backfill"), shapes.BackfilledShape, body).body
        runs: list[dict[str, Any]] = answer["runs"]
        return runs


def _path(name: str, action: str = "") -> str:
    path = f"/v1/schedules/{segment(name, 'name')}"
    return f"{path}/{action}" if action else path
