"""The asynchronous twin of job_calls.py: `make async-client` writes it. Change job_calls.py."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from stepfast.client import job_shapes
from stepfast.client.answers import Object
from stepfast.client.async_calls import AsyncCalls
from stepfast.client.async_stacks import AsyncStacks
from stepfast.client.job_calls import LONGEST_PAUSE, UNDER_WAY, Action, merged
from stepfast.client.values import moment, segment
from stepfast.errors import ExecutionNotFound, InvalidRequest


class AsyncBulkJob:
    """A handle on a bulk job, as `AsyncClient.start_job` and `AsyncClient.job` return it. `job_id` is its id.

    Every method sends a request. All of them raise ExecutionNotFound for a job that does not exist.
    """

    def __init__(self, stacks: AsyncStacks, job_id: str) -> None:
        self._stacks = stacks
        self.job_id = job_id
        self._path = f"/v1/jobs/{segment(job_id, 'job_id')}"

    def __repr__(self) -> str:
        return f"<job {self.job_id!r}>"

    async def progress(self) -> Object:
        """How the job stands, as JSON values: its `status`, and how many executions it has `seen`.

        Those are `done`, `skipped` and `failed`. The status is RUNNING, STOPPING, STOPPED, SUCCEEDED, or FAILED.
        Where there are several deployments, the numbers are those of all.
        """
        return await self._merged("GET", self._path)

    async def stop(self, why: str | None = None) -> Object:
        """Has the job stop within seconds, and returns how it stands. It undoes nothing. Safe to repeat.

        why: for those who look at the job.
        """
        return await self._merged("POST", f"{self._path}/stop", {} if why is None else {"why": why})

    async def wait(self, timeout: float | None = None) -> Object:
        """Waits until the job has ended, and returns how it stands then.

        timeout: seconds. None waits without end.

        Raises TimeoutError when the timeout has passed. The job goes on then.
        """
        end, pause = None if timeout is None else time.monotonic() + timeout, 0.05
        while True:
            state = await self.progress()
            if state["status"] not in UNDER_WAY:
                return state
            if end is not None and time.monotonic() + pause > end:
                raise TimeoutError(f"job {self.job_id!r} is {state['status']} after {timeout:g} s; it goes on")
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)

    async def report(self, *, follow: bool = False) -> AsyncIterator[Object]:
        """The outcome of each execution so far: `execution_id`, `outcome` and `reason`, in the order of the job.

        follow: goes on with what the job does from now on, until it has ended.

        The outcome is "done", "skipped" or "failed".
        """
        for calls in await self._parts():
            cursor: str | None = None
            more, pause = True, 0.05
            while more:
                page = await calls.get(f"{self._path}/report", job_shapes.JobReportShape, cursor=cursor)
                for outcome in page["outcomes"]:
                    yield outcome
                cursor, more = page["next"], page["next"] is not None and (follow or bool(page["outcomes"]))
                if more and not page["outcomes"]:
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE, pause * 1.5)
                else:
                    pause = 0.05

    async def _parts(self) -> list[AsyncCalls]:
        """The deployments that have the job; ExecutionNotFound where none has."""
        if len(self._stacks.all) == 1:
            return [self._stacks.first]
        parts = list[AsyncCalls]()
        for calls in self._stacks.all:
            try:
                await calls.get(self._path, job_shapes.JobShape)
            except ExecutionNotFound:
                continue
            parts.append(calls)
        if not parts:
            raise ExecutionNotFound(f"no job has the id {self.job_id!r}")
        return parts

    async def _merged(self, method: str, path: str, body: Object | None = None) -> Object:
        states = list[Object]()
        for calls in await self._parts():
            states.append((await calls.send(method, path, job_shapes.JobShape, body)).body)
        return merged(states)


class AsyncJobCalls:
    """The part of a client that is about bulk jobs. Where there are several deployments, a job runs in each."""

    _stacks: AsyncStacks

    async def start_job(
        self,
        action: Action | str,
        ids: Sequence[str] | None = None,
        *,
        workflow: str | None = None,
        status: str | None = None,
        labels: Mapping[str, str] | None = None,
        prefix: str | None = None,
        step: str | None = None,
        error: str | None = None,
        since: datetime | float | str | None = None,
        until: datetime | float | str | None = None,
        roots: bool = True,
        all: bool = False,
        rate: float | None = None,
        why: str | None = None,
        job_id: str | None = None,
        **options: Any,
    ) -> AsyncBulkJob:
        """Starts a bulk job: the server does one action to many executions, also when nobody watches.

        action: "resume", "cancel", "terminate", "pause", "unpause", "release", "close", "reopen", "delete" or "fork".
        ids: the executions, at most 100,000. Without ids the filters choose them.
        workflow, status, labels, prefix, since, until: filters, as those of `list`.
        step, error: filters by the step that failed, and by the error's type or class.
        roots: False takes the children of other executions, too.
        all: True takes all executions that the action can be done to; no ids and no filters then.
        rate: the most executions in a second. None is 50.
        why: for the history of each execution.
        job_id: makes the call safe to repeat. None makes an id.
        options: of the action: `steps` of resume, `cleanup_seconds` of cancel, `before` and `children` of fork.

        Executions that were started after the job, and failures after it, are skipped. Raises InvalidRequest, and
        ExecutionConflict where the id belongs to another job or to an execution.
        """
        chosen: Object = {"workflow": workflow, "status": status, "prefix": prefix, "step": step, "error": error}
        chosen |= {"labels": dict(labels) if labels else None, "roots": None if roots else False}
        chosen |= {"since": None if since is None else moment(since), "until": None if until is None else moment(until)}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if sum((ids is not None, bool(chosen), all)) != 1:
            raise InvalidRequest("choose the executions of the job: ids, or filters, or all=True")
        body: Object = {"action": action, "job_id": job_id or str(uuid.uuid4())}
        body |= {name: value for name, value in (("rate", rate), ("why", why)) if value is not None}
        if options:
            body["options"] = options
        shares: list[tuple[AsyncCalls, Object]] = [(calls, {"filter": chosen}) for calls in self._stacks.all]
        if ids is not None:
            shares = [(calls, {"ids": [*some]}) for calls, some in await self._stacks.shares(ids)]
        for calls, part in shares:
            await calls.send("POST", "/v1/jobs", job_shapes.JobShape, {**body, **part})
        return AsyncBulkJob(self._stacks, body["job_id"])

    def job(self, job_id: str) -> AsyncBulkJob:
        """A handle on a bulk job. Sends no request.

        job_id: the id of the job.
        """
        return AsyncBulkJob(self._stacks, job_id)

    async def jobs(self, limit: int = 20, cursor: str | None = None) -> Object:
        """A page of the `jobs` as JSON values, newest first, and the cursor `next`. Of several deployments, the first.

        limit: the most jobs of a page, 1 to 100.
        cursor: the `next` of an earlier page.
        """
        return await self._stacks.first.get("/v1/jobs", job_shapes.JobPageShape, limit=limit, cursor=cursor)
