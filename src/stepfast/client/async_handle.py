"""The asynchronous twin of handle.py: `make async-client` writes it. Change handle.py."""

from __future__ import annotations

from typing import Any, Generic, Self

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.async_calls import AsyncCalls
from stepfast.client.async_stacks import AsyncStacks
from stepfast.client.handle import R
from stepfast.client.starts import Turned, WorkflowResult


class AsyncHandle(Generic[R]):
    """An execution by its id. The parts of AsyncExecution inherit it."""

    def __init__(
        self,
        stacks: AsyncStacks,
        execution_id: str,
        *,
        calls: AsyncCalls | None = None,
        turned: Turned | None = None,
        workflow: WorkflowResult[R] | str | None = None,
    ) -> None:
        self._stacks, self._calls, self._workflow = stacks, calls, workflow
        self.execution_id = execution_id
        self.created = turned is not None and turned.created
        self.turned_into = turned.into if turned is not None else None
        self._path = f"/v1/executions/{execution_id}"

    async def _intervene(self, action: str, why: str | None, settled: tuple[str, ...] = (), **more: Any) -> Object:
        body = more if why is None else {"why": why, **more}
        path = f"{self._path}/{action}"
        return (
            await (await self._home()).send("POST", path, shapes.Execution, body or None, settled=settled)
        ).body or await self._read()

    async def _beside(self, execution_id: str, created: bool) -> Self:
        """A handle on another execution of the same deployment and workflow."""
        turned = Turned(execution_id, created, None)
        return type(self)(self._stacks, execution_id, calls=await self._home(), turned=turned, workflow=self._workflow)

    async def _home(self) -> AsyncCalls:
        """The deployment that has the execution, looked for once."""
        if self._calls is None:
            self._calls = await self._stacks.holder(self.execution_id)
        return self._calls

    async def _read(self, run: int | None = None) -> Object:
        return await (await self._home()).get(self._path, shapes.Execution, commands="false", run=run)
