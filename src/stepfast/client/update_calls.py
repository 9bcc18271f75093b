"""What the client asks of one execution's queries and updates."""

from __future__ import annotations

import math
import time
import uuid
from typing import Any

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.handle import Handle, R
from stepfast.client.update_answers import StartIf, answer_of, answered, start_body
from stepfast.client.values import plain, segment

WAIT_SECONDS = 5.0
"""How long the server waits for an answer before the client asks again."""


class UpdateCalls(Handle[R]):
    """The part of a handle on an execution that asks and updates it."""

    def handlers(self) -> Object:
        """The names of the `queries` and `updates` that the execution has where it stands, and their `schemas`.

        `schemas["queries"]` and `schemas["updates"]` have, by name, the `payload_schema` and the `result_schema`: JSON
        Schemas, or None for a type that has no JSON form. A server of an earlier version sends no schemas.

        Raises ExecutionNotFound.
        """
        return self._home().get(f"{self._path}/handlers", shapes.HandlersShape)

    def query(self, name: str, payload: Any = None, *, type: Any = None) -> Any:
        """Asks a `@query` function of the workflow, and returns its answer. It changes nothing.

        name: the name of the query.
        payload: its argument, a model or plain JSON values. None for a query without an argument.
        type: the type of the answer. None returns JSON values.

        Raises ExecutionNotFound, NoSuchHandler, InvalidRequest for a payload that does not fit, and QueryFailed.
        """
        body = {"payload": plain(payload, "payload")}
        path = f"{self._path}/queries/{segment(name, 'name')}"
        return answer_of(self._home().send("POST", path, shapes.QueryAnswerShape, body).body["answer"], type)

    def update(
        self,
        name: str,
        payload: Any = None,
        *,
        update_id: str | None = None,
        timeout: float | None = None,
        type: Any = None,
        start: StartIf | None = None,
    ) -> Any:
        """Runs an `@update` function of the workflow, waits for its end, and returns its result.

        name: the name of the update.
        payload: its argument, a model or plain JSON values. None for an update without an argument.
        update_id: makes the call idempotent: under the same id it is one update, with one answer. None makes a new id.
        timeout: the longest wait for the answer, in seconds. None sets no limit.
        type: the type of the result. None returns JSON values.
        start: a StartIf: what to start if no execution has this id.

        Raises ExecutionNotFound, NoSuchHandler, InvalidRequest, UpdateRefused with the reason, UpdateFailed if the
        update has raised an exception, WrongStatus if the execution ended before it, ExecutionConflict if the id was
        used for another update, TooManySignals, and TimeoutError after the timeout. The update goes on then, and
        another call with its id waits again.
        """
        id = update_id or str(uuid.uuid4())
        end = math.inf if timeout is None else time.monotonic() + timeout
        body: Object = {"payload": plain(payload, "payload"), "update_id": id, "wait": _share(end)}
        if start is not None:
            body["start"] = start_body(start)
        path = f"{self._path}/updates/{segment(name, 'name')}"
        state = self._home().send("POST", path, shapes.UpdateShape, body).body
        pause = 0.02
        while state["status"] == "pending":
            if time.monotonic() >= end:
                raise TimeoutError(
                    f"update {id!r} of execution {self.execution_id!r} has no answer after {timeout:g} s"
                )
            # The server answers early while many wait.
            time.sleep(min(pause, max(0.0, end - time.monotonic())))
            pause = min(1.0, pause * 1.5)
            state = self.update_state(id, _share(end))
        return answered(state, type)

    def update_state(self, update_id: str, wait: float = 0.0) -> Object:
        """How an update stands: its `status`, "pending", "succeeded", "failed", "refused" or "ended", and its answer.

        update_id: the id of the update.
        wait: seconds to wait for the answer, at most 20.

        Raises ExecutionNotFound and UpdateNotFound.
        """
        path = f"{self._path}/updates/{segment(update_id, 'update_id')}"
        return self._home().send("GET", path, shapes.UpdateShape, query={"wait": wait}).body


def _share(end: float) -> float:
    return max(0.0, min(WAIT_SECONDS, end - time.monotonic()))
