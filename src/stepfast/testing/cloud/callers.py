"""What clients and operators do, as requests to the API; refusals are raised as Client raises them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

import httpx

from stepfast.client.problems import error_of
from stepfast.client.replies import Reply
from stepfast.language.workflows import Workflow
from stepfast.simulator.gateway import HOST, Request, Response
from stepfast.simulator.player import Player
from stepfast.testing.calls import CallLog
from stepfast.testing.cloud.reading import Reading
from stepfast.testing.cues import Target
from stepfast.testing.runs import Run
from stepfast.testing.values import as_input, as_json

R = TypeVar("R")


class Callers:
    """The part of a cloud that is outside it. `key` is an API key with every scope."""

    player: Player
    key: str
    _reading: Reading
    _calls: CallLog
    _started: dict[str, Workflow[..., Any]]

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """One request to the HTTP API, through the authorizer; key: by default one that may do everything."""
        key = self.key if key is None else key
        return self.player.request(method, path, body, key=key or None, headers=headers, query=query)

    def request_all(self, *requests: Request) -> list[Response]:
        """Requests sent at one moment, served beside each other; those without a key get the cloud's own."""
        for one in requests:
            one.key = self.key if one.key is None else one.key
        return self.player.request_all(*requests)

    def start(
        self,
        workflow: Workflow[..., R],
        input: Any = None,
        execution_id: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> Run[R]:
        """Starts an execution; nothing runs yet but what is due while the API answers.

        input: a value of the workflow's input type, or plain JSON values as a client would send them.
        execution_id: by default the workflow's name and a number, so that runs are repeatable.
        Raises InvalidRequest, UnknownWorkflow and ExecutionConflict as Client.run does.
        """
        if not isinstance(workflow, Workflow):
            raise TypeError(f"{workflow!r} is not a workflow: give a function that has @workflow")
        id = execution_id or f"{workflow.name}-{len(self._started) + 1}"
        body = {"input": as_input(workflow, input), "execution_id": id, "labels": dict(labels or {})}
        self._post(f"/v1/workflows/{workflow.name}/executions", body)
        self._started[id] = workflow
        return Run(self._reading, workflow, id)

    def execution(self, execution_id: str) -> Run[Any]:
        """An execution that was started otherwise: by a schedule, by a request."""
        found = self._reading.execution(execution_id)
        workflow = self._reading.workflow(found)
        self._started.setdefault(execution_id, workflow)
        return Run(self._reading, workflow, execution_id)

    @property
    def runs(self) -> list[Run[Any]]:
        """The executions started here, oldest first."""
        return [Run(self._reading, workflow, id) for id, workflow in self._started.items()]

    def signal(self, execution: Target, name: str, payload: Any = None, signal_id: str | None = None) -> None:
        """Sends a signal; the payload is a model or plain JSON values.

        Raises ExecutionNotFound, InvalidRequest when the payload does not fit what the workflow waits for,
        and WrongStatus when the execution has ended for good.
        """
        body = {"payload": as_json(payload, "payload")} | ({"signal_id": signal_id} if signal_id else {})
        self._post(f"/v1/executions/{self._id(execution)}/signals/{name}", body)

    def cancel(self, execution: Target) -> None:
        """Cancels a RUNNING execution; ExecutionNotFound, WrongStatus."""
        self._post(f"/v1/executions/{self._id(execution)}/cancel")

    def resume(self, execution: Target, steps: Sequence[str] | None = None) -> None:
        """Resumes a FAILED execution.

        steps: ids of the commands to run again, in place of the failed steps behind the failure (`run.reopens`).
        Raises ExecutionNotFound, WrongStatus, and InvalidRequest for a command that cannot run again.
        """
        body = None if steps is None else {"steps": list(steps)}
        self._post(f"/v1/executions/{self._id(execution)}/resume", body)

    def _post(self, path: str, body: Any = None) -> None:
        answered(self.request("POST", path, body), path)

    def _die(self, execution_id: str, down: timedelta) -> None:
        raise NotImplementedError

    def _id(self, execution: Target) -> str:
        if isinstance(execution, Run):
            return execution.execution_id
        if execution == "" and len(self._started) != 1:  # a cue at a time, which is nobody's in particular
            raise TypeError(f"say which execution the cue is for: execution=…; there are {len(self._started)}")
        return execution or next(iter(self._started))


def answered(response: Response, path: str) -> Any:
    """The JSON of an answer; what the API refused is raised as `stepfast.client` raises it."""
    reply = Reply(
        response.status,
        HTTPStatus(response.status).phrase,
        httpx.Headers(dict(response.headers)),
        f"https://{HOST}{path}",
        response.body.encode(),
    )
    if not reply.is_success:
        raise error_of(reply)
    return reply.json()
