"""A handle on one execution."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Sequence
from typing import Any

from stepfast.client import shapes
from stepfast.client.calls import GONE, Calls, Object
from stepfast.client.problems import ExecutionCancelled, ExecutionFailed
from stepfast.client.values import plain, segment
from stepfast.errors import InvalidRequest

Objects = list[dict[str, Any]]


class Execution:
    """A handle on one execution; `created` tells whether the call that made the handle started it."""

    def __init__(self, calls: Calls, execution_id: str, *, created: bool = False) -> None:
        self._calls, self.execution_id, self.created = calls, execution_id, created
        self._path = f"/v1/executions/{execution_id}"

    def __repr__(self) -> str:
        return f"<execution {self.execution_id!r} at {self._calls.url}>"

    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED or CANCELLED; ExecutionNotFound."""
        status: str = self._read()["status"]
        return status

    def describe(self, *, commands: bool = True) -> Object:
        """The whole execution as JSON, with its `commands` unless left out; ExecutionNotFound."""
        return self._calls.get(self._path, shapes.Described) if commands else self._read()

    def commands(
        self,
        status: str | Sequence[str] | None = None,
        step: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        largest: int | None = None,
    ) -> Object:
        """A page of its commands in the order of the timeline: `commands`, and `next`, the next page's cursor or None.

        status: one or several of OPEN, RUNNING, RETRYING, SUCCEEDED, FAILED, CANCELLED. step: the name of a step,
        signal or timer. limit: 1 to 1000. largest: bytes of JSON up to which values are shown. `total` says how many
        match on all pages, `counts` how many of all its commands have each status. Raises ExecutionNotFound and
        InvalidRequest.
        """
        path = f"{self._path}/commands"
        chosen = {"status": status, "step": step, "limit": limit, "cursor": cursor, "largest": largest}
        query = {key: value for key, value in chosen.items() if value is not None}
        return self._calls.send("GET", path, shapes.CommandPage, query=query).body

    def history(self) -> Objects:
        """What happened, in order: `at`, `type`, `command` and details; ExecutionNotFound."""
        events: Objects = self._calls.get(f"{self._path}/history", shapes.History)["events"]
        return events

    def result(self, timeout: float | None = None) -> Any:
        """Waits for the end and returns the result as JSON values.

        timeout: seconds; None waits as long as it takes. Raises ExecutionFailed, ExecutionCancelled,
        ExecutionNotFound, and TimeoutError when it still runs by then; waiting can be repeated.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        pause = 0.02
        while True:
            execution = self._read(patience=None if timeout is None else max(0.0, end - time.monotonic()))
            if execution["status"] == "SUCCEEDED":
                return execution["result"]
            if execution["status"] == "FAILED":
                raise ExecutionFailed(execution)
            if execution["status"] == "CANCELLED":
                raise ExecutionCancelled(self.execution_id)
            remaining = end - time.monotonic()
            if remaining <= 0:
                raise TimeoutError(f"execution {self.execution_id!r} is still RUNNING after {timeout:g} s")
            time.sleep(min(pause, remaining))
            pause = min(1.0, pause * 1.5)

    def resume(self, steps: Sequence[str] | None = None) -> Object:
        """Goes on with a FAILED execution; returns it, with what was `reopened`, and a `notice` where nothing was.

        What runs again are the failed steps behind the failure: `describe()["reopens"]` says beforehand which. If that
        is empty, the code at hand runs on what is recorded. steps: ids of the commands to run again instead; what
        was decided after them is decided anew; empty runs no step again. Raises ExecutionNotFound, WrongStatus when it
        is not FAILED, and InvalidRequest for a command that cannot run again.

        What waits for its next try is tried at once. `waits` of the answer names the steps that an attempt from
        before the resume may still run: its outcome counts, and `until` says when they are tried again at the latest.
        """
        body = None if steps is None else {"steps": _listed(steps)}
        path, settled = f"{self._path}/resume", ("RUNNING", "SUCCEEDED")
        return self._calls.send("POST", path, shapes.ResumedExecution, body, settled=settled).body or self._read()

    def cancel(self) -> Object:
        """Ends a RUNNING execution; WrongStatus when it is not RUNNING."""
        path, settled = f"{self._path}/cancel", ("CANCELLED",)
        return self._calls.send("POST", path, shapes.Execution, settled=settled).body or self._read()

    def delete(self) -> None:
        """Deletes an execution that has ended, with its values, steps, signals and history, for good.

        WrongStatus when it is RUNNING (cancel it first); ExecutionNotFound, also when it was deleted before.
        """
        self._calls.send("DELETE", self._path, shapes.Deleted, settled=(GONE,))

    def signal(self, name: str, payload: Any = None, signal_id: str | None = None) -> Object:
        """Sends a signal, once, however often it has to try; returns it.

        payload: a pydantic model, a dataclass, or plain JSON values. signal_id: makes the call itself
        repeatable; one is made when none is given. Raises InvalidRequest when the workflow waits for
        another type, WrongStatus when the execution has ended, and ExecutionConflict when the id was used
        for something else.
        """
        signal_id = str(uuid.uuid4()) if signal_id is None else segment(signal_id, "a signal id")
        body = {"payload": plain(payload, "payload"), "signal_id": signal_id}
        path = f"{self._path}/signals/{segment(name, 'a signal name')}"
        return self._calls.send("POST", path, shapes.Signal, body).body

    def _read(self, patience: float | None = None) -> Object:
        return self._calls.get(self._path, shapes.Execution, patience=patience, commands="false")


def _listed(steps: Sequence[str]) -> list[str]:
    if isinstance(steps, str):
        raise InvalidRequest(f"steps takes a list of command ids: [{steps!r}]", (("steps", "must be a list"),))
    return list(steps)
