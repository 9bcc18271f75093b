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
    """The part of a cloud that is outside it. `key` is an API key with every scope."""

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
        """One request to the HTTP API, through the authorizer; key: by default one that may do everything."""
        key = self.key if key is None else key
        return self.player.request(method, path, body, key=key or None, headers=headers, query=query)

    def request_all(self, *requests: GatewayRequest) -> list[Response]:
        """Requests sent at one moment, served beside each other; those without a key get the cloud's own."""
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
        """An execution that was started otherwise: by a schedule, by a request."""
        found = self._reading.execution(execution_id)
        workflow = self._reading.workflow(found)
        self._started.setdefault(execution_id, workflow)
        return Run(self._reading, workflow, execution_id)

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
