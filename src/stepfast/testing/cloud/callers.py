"""What clients and operators do, as requests to the API; refusals are raised as Client raises them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx

from stepfast.client.problems import error_of
from stepfast.client.replies import Reply
from stepfast.simulator.gateway import HOST, GatewayRequest, Response
from stepfast.simulator.player import Player
from stepfast.testing.calls import CallLog
from stepfast.testing.cloud.reading import CloudView
from stepfast.testing.cues import Target
from stepfast.testing.kit import Kit
from stepfast.testing.runs import Run, View
from stepfast.testing.values import as_json


class Callers(Kit):
    """The part of a cloud that acts as its callers do, from outside. `key` is an API key with every scope."""

    player: Player
    key: str
    _reading: CloudView
    _calls: CallLog

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
        """Sends a request to the HTTP API, through the authorizer, and returns the answer, whatever its status.

        method: the HTTP method.
        path: the path, such as "/v1/executions".
        body: the body as JSON values.
        key: the API key. None takes the cloud's own key, which has every scope; "" sends no key.
        headers, query: further headers, and the query parameters.
        """
        key = self.key if key is None else key
        return self.player.request(method, path, body, key=key or None, headers=headers, query=query)

    def request_all(self, *requests: GatewayRequest) -> list[Response]:
        """Sends several `requests` at the same time, to be served side by side, and returns the answers in their order.

        A request without a key gets the cloud's own.
        """
        for request in requests:
            request.key = self.key if request.key is None else request.key
        return self.player.request_all(*requests)

    @property
    def _view(self) -> View:
        return self._reading

    def _create(self, workflow: str, input: Any, execution_id: str, labels: Mapping[str, str] | None) -> None:
        body = {"input": input, "execution_id": execution_id, "labels": dict(labels or {})}
        self._post(f"/v1/workflows/{workflow}/executions", body)

    def execution(self, execution_id: str) -> Run[Any]:
        """The Run of an execution that a schedule or a request has started, by its `execution_id`.

        Raises ExecutionNotFound.
        """
        found = self._reading.execution(execution_id)
        workflow = self._reading.workflow(found)
        self._started.setdefault(execution_id, workflow)
        return Run(self._reading, workflow, execution_id)

    def signal(self, execution: Target, name: str, payload: Any = None, signal_id: str | None = None) -> None:
        """Sends a signal.

        execution: a Run or the id of an execution.
        name: the name that the workflow waits for.
        payload: a model or plain JSON values.
        signal_id: an id that makes the call idempotent.

        Raises ExecutionNotFound, InvalidRequest when the payload does not fit what the workflow waits for, and
        WrongStatus when the execution has ended for good.
        """
        body = {"payload": as_json(payload, "payload")} | ({"signal_id": signal_id} if signal_id else {})
        self._post(f"/v1/executions/{self._id(execution)}/signals/{name}", body)

    def cancel(self, execution: Target) -> None:
        """Cancels an execution. `execution` is a Run or an id.

        Raises ExecutionNotFound, and WrongStatus when it is not RUNNING.
        """
        self._post(f"/v1/executions/{self._id(execution)}/cancel")

    def resume(self, execution: Target, steps: Sequence[str] | None = None) -> None:
        """Resumes a FAILED execution.

        execution: a Run or the id of an execution.
        steps: the ids of the commands to run again, in place of the failed steps behind the failure (`Run.reopens`).

        Raises ExecutionNotFound, WrongStatus, and InvalidRequest for a command that cannot run again.
        """
        body = None if steps is None else {"steps": list(steps)}
        self._post(f"/v1/executions/{self._id(execution)}/resume", body)

    def _post(self, path: str, body: Any = None) -> None:
        answered(self.request("POST", path, body), path)

    def _die(self, execution_id: str, down: timedelta) -> None:
        raise NotImplementedError


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
