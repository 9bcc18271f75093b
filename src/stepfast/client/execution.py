"""A handle on one execution."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from stepfast.client import shapes
from stepfast.client.answers import GONE, Object
from stepfast.client.follow_calls import FollowCalls
from stepfast.client.hand_calls import HandCalls
from stepfast.client.handle import R as R
from stepfast.client.problems import ExecutionCancelled, ExecutionFailed
from stepfast.client.starts import decoded
from stepfast.client.update_calls import UpdateCalls
from stepfast.client.values import plain, segment
from stepfast.errors import InvalidRequest

Objects = list[dict[str, Any]]


class Execution(FollowCalls[R], UpdateCalls[R], HandCalls[R]):
    """A handle on one execution, as `Client.run` and `Client.execution` return it.

    `execution_id` is its id. `created` is True if the call that returned this handle has started the execution.
    `turned_into` is what the start was turned into: "started", "waiting", "skipped", "replaced" or "debounced"; None
    for a handle that no start has returned.

    Every method sends a request. All of them raise ExecutionNotFound and the exceptions of Client's methods.
    """

    def __repr__(self) -> str:
        return f"<execution {self.execution_id!r} at {self._stacks.owner(self.execution_id).url}>"

    def status(self) -> str:
        """RUNNING, PAUSED, SUCCEEDED, FAILED, CLOSED or CANCELLED. Raises ExecutionNotFound."""
        status: str = self._read()["status"]
        return status

    def describe(
        self,
        *,
        commands: bool = True,
        limit: int | None = None,
        largest: int | None = None,
        run: int | None = None,
    ) -> Object:
        """The execution as JSON values, with its commands or the first page of them.

        commands: False leaves out `commands`.
        limit: the most commands, 1 to 1000. None asks for all of an execution with at most 1,000 commands, and else
        for the first 100.
        largest: values above this size, in bytes of JSON, are left out.
        run: the number of an earlier run, of an execution that has continued as new. None is the current run.

        `next` is None, or the cursor of the next page for `commands`. Of an execution with more than 1,000 commands the
        answer comes from a part of them, and `partial` is True. `commands` are then in the order of their ids.
        `notable` lists what to look at first: the commands behind a failure, or those under way.

        Raises ExecutionNotFound, also for a run that is no longer kept, and InvalidRequest.
        """
        if not commands:
            return self._read(run=run)
        return self._home().get(self._path, shapes.Described, limit=limit, largest=largest, run=run)

    def runs(self, limit: int = 100, before: int | None = None) -> Object:
        """A page of runs, the latest first: `runs`, and `next`, the `before` of the next page or None.

        An execution has one run, unless its workflow raises ContinueAsNew. Each run has its number as `run`,
        `began_at`, `ended_at`, `generation`, `resumes`, and `continued`, which is False for the last run.

        limit: the most runs in a page, 1 to 1000.
        before: only runs of a lower number.

        Raises ExecutionNotFound and InvalidRequest.
        """
        return self._home().get(f"{self._path}/runs", shapes.RunPage, limit=limit, before=before)

    def waits(self) -> Objects:
        """The steps that wait at a gate or for a limit, at most 100, in the order in which the code asks for them.

        Each has the id of its `command`, and says what it `waits_for`: "gate", "slot" or "rate". `limit` and `key` name
        the limit. `since` is when it began to wait, and `before` the number of those before it in the line. Both are
        None where it is not in a line. `next_at` is when the next probe of the gate may begin, or when a step that
        waits for its rate begins at the latest. Of a gate, `gate` is its status since `gate_since`, with `cause`, and
        `by` and `why` if somebody has closed or opened it by hand. `probe` is True for the next probe.

        Of an execution with more than 10,000 commands the list is empty. Raises ExecutionNotFound.
        """
        waits: Objects = self._home().get(f"{self._path}/waits", shapes.WaitList)["waits"]
        return waits

    def commands(
        self,
        status: str | Sequence[str] | None = None,
        step: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        largest: int | None = None,
        run: int | None = None,
    ) -> Object:
        """A page of commands: `commands`, and `next`, the cursor of the next page or None.

        They are in the order of the timeline: by when each was first asked for or claimed, then as the code issued
        them. Of an execution with more than 10,000 commands, and after the `next` of an answer that was `partial`, they
        are in the order of their ids, by the bytes of UTF-8. Then `partial` is True, `total` is None, `counts` is
        empty, and a page may be empty although more pages follow.

        status: one or several of OPEN, RUNNING, RETRYING, SUCCEEDED, FAILED, CANCELLED.
        step: only commands of this name: of a step, a signal or a timer.
        limit: the most commands in a page, 1 to 1000.
        cursor: `next` of the page before, with the other arguments unchanged.
        largest: values above this size, in bytes of JSON, are left out.
        run: the number of an earlier run. None is the current run. A run is always in the order of the timeline.

        `total` is the number of commands that match on all pages. `counts` is the number of all commands of the
        execution by status. Raises ExecutionNotFound and InvalidRequest.
        """
        path = f"{self._path}/commands"
        chosen = {"status": status, "step": step, "limit": limit, "cursor": cursor, "largest": largest, "run": run}
        query = {key: value for key, value in chosen.items() if value is not None}
        return self._home().send("GET", path, shapes.CommandPage, query=query).body

    def all_commands(
        self,
        status: str | Sequence[str] | None = None,
        step: str | None = None,
        largest: int | None = None,
        limit: int = 1000,
        run: int | None = None,
    ) -> Iterator[Object]:
        """Every command, one page of `commands` after the other, each page asked for when it is needed.

        status, step, largest, run: as of `commands`.
        limit: the most commands in a page, 1 to 1000.

        Raises ExecutionNotFound and InvalidRequest.
        """
        cursor: str | None = None
        while True:
            page = self.commands(status, step, limit, cursor, largest, run)
            for command in page["commands"]:  # noqa: UP028, the asynchronous twin has no `yield from`
                yield command
            cursor = page["next"]
            if cursor is None:
                return

    def history(self, run: int | None = None) -> Objects:
        """The events of the execution, oldest first: `at`, `type`, `command` and details.

        run: the number of an earlier run. None is the current run.

        All of them come in one answer, and a deployment on AWS refuses an answer of more than 6 MB. `events` asks for
        pages. Raises ExecutionNotFound.
        """
        events: Objects = self._home().get(f"{self._path}/history", shapes.History, run=run)["events"]
        return events

    def events(
        self, limit: int = 1000, cursor: str | None = None, largest: int | None = None, run: int | None = None
    ) -> Object:
        """A page of the history, oldest first: `events`, and `next`, the cursor of the next page or None.

        limit: the most events in a page, 1 to 1000. A page ends early where its values would exceed about 2 MB.
        cursor: `next` of the page before.
        largest: values above this size, in bytes of JSON, are left out.
        run: the number of an earlier run. None is the current run.

        The pages of an execution with more than 10,000 commands come command by command, in the order of their ids, and
        then all other events. `by_command` is then True.

        Raises ExecutionNotFound and InvalidRequest.
        """
        asked: Object = {"limit": limit, "cursor": cursor, "largest": largest, "run": run}
        return self._home().get(f"{self._path}/history", shapes.History, **asked)

    def map_results(
        self, failed: bool = False, limit: int = 1000, cursor: str | None = None, largest: int | None = None
    ) -> Object:
        """A page of the items of the execution's maps: `items`, and `next`, the cursor of the next page or None.

        failed: True for only the items that have failed.
        limit: the most items in a page, 1 to 1000. A page is of one batch, so it may hold fewer, even none.
        cursor: `next` of the page before, with the other arguments unchanged.
        largest: results above this size, in bytes of JSON, are left out.

        Each item has `item`, `status`, `result`, `error`, `batch_id` and `command_id`. Items come in the order of the
        list or of the file. An item that no worker has begun is not listed. Raises ExecutionNotFound and
        InvalidRequest.
        """
        chosen = {"failed": "true" if failed else None, "limit": limit, "cursor": cursor, "largest": largest}
        query = {key: value for key, value in chosen.items() if value is not None}
        return self._home().send("GET", f"{self._path}/items", shapes.ItemPage, query=query).body

    def result(self, timeout: float | None = None) -> R:
        """Waits for the end of the execution and returns its result.

        The result has the type that the workflow returns where the handle was made with the workflow itself. Where it
        was made with a name or an id only, the result is JSON values.

        timeout: the longest wait in seconds. None sets no limit.

        Raises ExecutionFailed, ExecutionCancelled, ExecutionNotFound, and TimeoutError when the execution is still
        RUNNING or PAUSED after the timeout. The execution goes on then, and another call waits again.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        pause = 0.02
        while True:
            left = max(0.0, end - time.monotonic())
            answer = self._home().awaited(self._path, None if timeout is None else left)
            execution = answer.body
            if execution["status"] == "SUCCEEDED":
                result: R = decoded(self._workflow, execution["result"])
                return result
            if execution["status"] in ("FAILED", "CLOSED"):
                raise ExecutionFailed(execution)
            if execution["status"] == "CANCELLED":
                raise ExecutionCancelled(self.execution_id)
            remaining = end - time.monotonic()
            if remaining <= 0:
                raise TimeoutError(
                    f"execution {self.execution_id!r} is still {execution['status']} after {timeout:g} s"
                )
            if not answer.waited:  # on AWS a function that waits would cost more than one that is asked again
                time.sleep(min(pause, remaining))
                pause = min(1.0, pause * 1.5)

    def resume(self, steps: Sequence[str] | None = None) -> Object:
        """Continues a FAILED execution and returns it as JSON values.

        The failed steps behind the failure run again: `describe()["reopens"]` lists them beforehand. If that list is
        empty, the deployed code continues from the records. Steps that wait for a retry are tried at once.

        steps: the ids of the commands to run again instead. Later decisions are made again. An empty list
        runs no step again.

        In the answer, `reopened` lists the commands that run again, and `notice` explains it where none does. `waits`
        lists the steps that an attempt from before the resume may still be running: the outcome of that attempt
        counts, and `until` is the latest time at which the step is tried again.

        Raises ExecutionNotFound, WrongStatus when the execution is not FAILED, and InvalidRequest for a command that
        cannot run again. Retries within one call resume once.
        """
        body = None if steps is None else {"steps": command_ids(steps)}
        path, settled = f"{self._path}/resume", ("RUNNING", "SUCCEEDED")
        return self._home().send("POST", path, shapes.ResumedExecution, body, settled=settled).body or self._read()

    def pause(self, why: str | None = None) -> Object:
        """Pauses a RUNNING execution, with its children, and returns it as JSON values. Safe to repeat.

        Nothing new begins. Running steps end, and their outcomes are recorded.

        why: for the history, which also has the caller's name.

        Raises ExecutionNotFound, and WrongStatus when the execution has ended.
        """
        return self._intervene("pause", why)

    def unpause(self, why: str | None = None) -> Object:
        """Lets a PAUSED execution go on where it was, and returns it as JSON values. Safe to repeat.

        `why` is for the history. Raises ExecutionNotFound, and WrongStatus when the execution has ended, or its parent
        is PAUSED.
        """
        return self._intervene("unpause", why)

    def close(self, why: str | None = None) -> Object:
        """Closes a FAILED execution and returns it as JSON values. Safe to repeat.

        It is kept, and is neither a dead letter nor resumed any more, unless it is reopened.

        `why` is for the history. Raises ExecutionNotFound, and WrongStatus when the execution is a child or not FAILED.
        """
        return self._intervene("close", why)

    def reopen(self, why: str | None = None) -> Object:
        """Makes a CLOSED execution FAILED again, so that it can be resumed, and returns it. Safe to repeat.

        `why` is for the history. Raises ExecutionNotFound, and WrongStatus when the execution is not CLOSED or FAILED.
        """
        return self._intervene("reopen", why)

    def cancel(self, why: str | None = None, cleanup_seconds: float | None = None) -> Object:
        """Cancels a RUNNING or PAUSED execution and returns it as JSON values. CANCELLED is final.

        Its code gets asyncio.CancelledError where it waits, and may clean up with further steps. If it has nothing to
        clean up, the execution is CANCELLED at once. Else it is RUNNING until its code has ended, and then CANCELLED.

        why: for the history, which also has the caller's name.
        cleanup_seconds: the execution ends then, whatever its code still does. None: the server's 60 seconds.

        Raises ExecutionNotFound, and WrongStatus when the execution has ended. Retries within one call cancel once.
        """
        more = {} if cleanup_seconds is None else {"cleanup_seconds": cleanup_seconds}
        return self._intervene("cancel", why, ("CANCELLED",), **more)

    def terminate(self, why: str | None = None) -> Object:
        """Ends a RUNNING or PAUSED execution at once: none of its code runs any more. `why` is for the history."""
        return self._intervene("terminate", why, ("CANCELLED",))

    def delete(self) -> None:
        """Deletes an execution that has ended, for good, with its values, steps, signals and history.

        Raises WrongStatus when it is RUNNING (cancel it first), and ExecutionNotFound, also when an earlier call has
        deleted it. Retries within one call do not raise ExecutionNotFound.
        """
        self._home().send("DELETE", self._path, shapes.Deleted, settled=(GONE,))

    def signal(self, name: str, payload: Any = None, signal_id: str | None = None) -> Object:
        """Sends a signal and returns it as JSON values. Retries within one call send it once.

        name: the name that the workflow waits for.
        payload: a pydantic model, a dataclass, or plain JSON values.
        signal_id: 1 to 128 of `A-Z a-z 0-9 . _ -`. With an id the call is idempotent: a later call with the same id and
        payload sends nothing new. None makes a new id.

        Raises ExecutionNotFound, InvalidRequest when the workflow waits for another type, WrongStatus when the
        execution has ended, TooManySignals, and ExecutionConflict when the id belongs to another signal.
        """
        signal_id = str(uuid.uuid4()) if signal_id is None else segment(signal_id, "a signal id")
        body = {"payload": plain(payload, "payload"), "signal_id": signal_id}
        path = f"{self._path}/signals/{segment(name, 'a signal name')}"
        return self._home().send("POST", path, shapes.Signal, body).body


def command_ids(steps: Sequence[str]) -> list[str]:
    if isinstance(steps, str):
        raise InvalidRequest(f"steps takes a list of command ids: [{steps!r}]", (("steps", "must be a list"),))
    return list(steps)
