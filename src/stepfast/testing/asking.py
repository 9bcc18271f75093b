"""Queries and updates in a test: what a workflow lets others ask and do while it runs."""

from __future__ import annotations

from typing import Any

from stepfast.client.update_answers import StartIf, answer_of, answered
from stepfast.language.workflows import Workflow
from stepfast.testing.cues import Target
from stepfast.testing.runs import Run
from stepfast.testing.stage import S
from stepfast.testing.steering import Steering
from stepfast.testing.values import as_json


class Asking(Steering[S]):
    """The part of a kit that asks and updates executions."""

    _updates = 0

    def query(self, execution: Target, name: str, payload: Any = None, *, type: Any = None) -> Any:
        """Asks a `@query` function of the workflow now, and returns its answer.

        execution: a Run or the id of an execution.
        name: the name of the query.
        payload: its argument, a model or plain JSON values.
        type: the type of the answer; None returns plain JSON values.

        Raises ExecutionNotFound, NoSuchHandler, InvalidRequest and QueryFailed.
        """
        return answer_of(self._stage.query(self._id(execution), name, as_json(payload, "payload")), type)

    def send_update(
        self,
        execution: Target,
        name: str,
        payload: Any = None,
        *,
        update_id: str | None = None,
        start: StartIf | None = None,
    ) -> str:
        """Sends an update now, without waiting for its answer. Returns its id, which `update_answer` takes.

        execution: a Run or the id of an execution.
        name: the name of the update.
        payload: its argument, a model or plain JSON values.
        update_id: the id under which the update is sent. None makes an id, the same in each run of the test.
        start: what to start if no execution has the id.

        Raises ExecutionNotFound, NoSuchHandler, InvalidRequest, UpdateRefused, WrongStatus, ExecutionConflict and
        TooManySignals.
        """
        self._updates += update_id is None
        id, target = update_id or f"update-{self._updates}", self._id(execution)
        self._stage.update(target, name, as_json(payload, "payload"), id, start)
        if start is not None and isinstance(start.workflow, Workflow):
            self._stage.state.started.setdefault(target, start.workflow)
        return id

    def update_answer(self, execution: Target, update_id: str, *, type: Any = None) -> Any:
        """Runs until an update is answered, and returns its result.

        execution: a Run or the id of an execution.
        update_id: what `send_update` has returned.
        type: the type of the result; None returns plain JSON values.

        Raises UpdateRefused, UpdateFailed, WrongStatus if the execution ended before the update, and Stalled when
        nothing is due that could bring the answer.
        """
        id = self._id(execution)

        def is_answered() -> bool:
            return bool(self._stage.update_state(id, update_id)["status"] != "pending")

        self._reach(is_answered, execution if isinstance(execution, Run) else None)
        return answered(self._stage.update_state(id, update_id), type)

    def update(
        self,
        execution: Target,
        name: str,
        payload: Any = None,
        *,
        update_id: str | None = None,
        start: StartIf | None = None,
        type: Any = None,
    ) -> Any:
        """Sends an update, and runs until it is answered: `send_update`, then `update_answer`. Returns its result.

        `execution`, `name`, `payload`, `update_id` and `start`: as of `send_update`. `type`: as of `update_answer`.

        Raises the errors of both.
        """
        return self.update_answer(
            execution, self.send_update(execution, name, payload, update_id=update_id, start=start), type=type
        )

    def _reach(self, goal: Any, run: Run[Any] | None) -> None:
        raise NotImplementedError
