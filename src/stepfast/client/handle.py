"""What every part of a handle on an execution stands on: its id, and the deployment that has it."""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.calls import Calls
from stepfast.client.stacks import Stacks
from stepfast.client.starts import Turned, WorkflowResult

R = TypeVar("R")


class Handle(Generic[R]):
    """An execution by its id. The parts of Execution inherit it."""

    def __init__(
        self,
        stacks: Stacks,
        execution_id: str,
        *,
        calls: Calls | None = None,
        turned: Turned | None = None,
        workflow: WorkflowResult[R] | str | None = None,
    ) -> None:
        self._stacks, self._calls, self._workflow = stacks, calls, workflow
        self.execution_id = execution_id
        self.created = turned is not None and turned.created
        self.turned_into = turned.into if turned is not None else None
        self._path = f"/v1/executions/{execution_id}"

    def _intervene(self, action: str, why: str | None, settled: tuple[str, ...] = (), **more: Any) -> Object:
        body = more if why is None else {"why": why, **more}
        path = f"{self._path}/{action}"
        return self._home().send("POST", path, shapes.Execution, body or None, settled=settled).body or self._read()

    def _beside(self, execution_id: str, created: bool) -> Self:
        """A handle on another execution of the same deployment and workflow."""
        turned = Turned(execution_id, created, None)
        return type(self)(self._stacks, execution_id, calls=self._home(), turned=turned, workflow=self._workflow)

    def _home(self) -> Calls:
        """The deployment that has the execution, looked for once."""
        if self._calls is None:
            self._calls = self._stacks.holder(self.execution_id)
        return self._calls

    def _read(self, run: int | None = None) -> Object:
        return self._home().get(self._path, shapes.Execution, commands="false", run=run)
