"""The asynchronous twin of workflow_calls.py: `make async-client` writes it. Change workflow_calls.py."""

from __future__ import annotations

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.async_stacks import AsyncStacks
from stepfast.client.workflow_calls import _given, _path


class AsyncWorkflowCalls:
    """The part of a client that pauses workflows. Where there are several deployments, the first is asked."""

    _stacks: AsyncStacks

    async def pause_workflow(self, name: str, *, why: str | None = None) -> Object:
        """Has executions of a workflow that start from now on be held, until it is unpaused. Safe to repeat.

        name: the name of the workflow.
        why: for those who look at it, and for the history of what is held.

        Held executions are recorded as PAUSED, and nothing of them begins. Those that have begun go on. On AWS, starts
        may begin for five seconds more. Returns the `name` and the pause as `paused`. Raises InvalidRequest where no
        workflow has the name.
        """
        return (
            await self._stacks.first.send("POST", _path(name, "pause"), shapes.PausedWorkflowShape, _given(why=why))
        ).body

    async def unpause_workflow(self, name: str, *, why: str | None = None, rate: float | None = None) -> Object:
        """Has new executions of a workflow begin again, and starts a bulk job that lets go what was held.

        name: the name of the workflow.
        why: for the history of what is let go.
        rate: held executions that go on in a second, at most; 50 if left out.

        Returns the `name` and the `job_id`, for `job()`. Repeated, it starts another job, which finds what the first
        has not let go. Raises InvalidRequest where no workflow has the name.
        """
        body = _given(why=why, rate=rate)
        return (await self._stacks.first.send("POST", _path(name, "unpause"), shapes.PausedWorkflowShape, body)).body
