"""The front of the played API Gateway: it checks access, serves the dashboard, and serves a console below /_cloud.

The console is not part of the product's API. It replaces what an operator does in the AWS console.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.sqs.exceptions import InvalidParameterValue

from stepfast.http import auth, problems
from stepfast.http.auth import Authenticator
from stepfast.http.page import DashboardPage
from stepfast.http.problems import Rejected
from stepfast.local.cloud.deployment import ServedCloud
from stepfast.loopback import is_loopback
from stepfast.simulator.deployment import OPEN
from stepfast.simulator.redrive import MoveTask

CONSOLE = "/_cloud"


class Front:
    """A handler of API Gateway's events. It never raises.

    keys: the accepted API keys; None accepts requests to loopback names only, without a key.
    """

    def __init__(self, cloud: ServedCloud, keys: Authenticator | None, page: DashboardPage) -> None:
        self._cloud, self._keys, self._page = cloud, keys, page

    def __call__(self, event: dict[str, Any], context: object) -> dict[str, Any]:
        try:
            return self._answer(event)
        except Exception as error:
            return problems.answer(error)

    def admit(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The refusal of an event, decided before its body is read; None accepts it."""
        try:
            self._check(event)
        except Exception as error:
            return problems.answer(error)
        return None

    def _check(self, event: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in event["headers"].items()}
        if self._keys is None:
            auth.admit_local(headers, event["requestContext"]["http"]["method"])
        elif not self._page.has(event) and event["rawPath"] not in OPEN:
            self._keys.admit(headers)

    def _answer(self, event: dict[str, Any]) -> dict[str, Any]:
        self._check(event)
        path: str = event["rawPath"]
        headers = {name.lower(): value for name, value in event["headers"].items()}
        if self._page.has(event):
            return self._page.answer(event)
        if path == CONSOLE or path.startswith(f"{CONSOLE}/"):
            return self._console(event)
        response = self._cloud.request({**event, "headers": self._with_key(headers)})
        return _response(response.status, dict(response.headers), response.body)

    def _with_key(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers with a key that the authorizer accepts, which reads keys from the table.

        A caller whom this front has admitted gets the cloud's own key. Where the environment sets no keys, a key that
        the caller has sent is passed on, and the authorizer decides about it.
        """
        if self._keys is None and ("authorization" in headers or "x-api-key" in headers):
            return headers
        kept = {name: value for name, value in headers.items() if name != "x-api-key"}
        return {**kept, "authorization": f"Bearer {self._cloud.key}"}

    def _console(self, event: Mapping[str, Any]) -> dict[str, Any]:
        asked = event["requestContext"]["http"]
        if not is_loopback(asked["sourceIp"]):
            raise Rejected(403, "loopback-only", "Loopback only", f"{CONSOLE} answers programs of this machine only")
        match asked["method"], event["rawPath"]:
            case "GET", "/_cloud":
                redrives = [_redrive_json(task) for task in self._cloud.redrives]
                return _json(200, {"queues": self._cloud.queues(), "redrives": redrives})
            case "POST", "/_cloud/redrive":
                return self._redrive()
        detail = f"there are GET {CONSOLE} (queues, redrives) and POST {CONSOLE}/redrive (of the dead letters)"
        raise Rejected(404, "unknown-route", "No such route", detail)

    def _redrive(self) -> dict[str, Any]:
        try:
            return _json(202, _redrive_json(self._cloud.redrive()))
        except InvalidParameterValue as error:
            raise Rejected(409, "redrive-running", "Not now", "a redrive of the dead letters is under way") from error


def _redrive_json(task: MoveTask) -> dict[str, Any]:
    return {"status": task.status, "moved": task.moved, "messages": task.total}


def _json(status: int, body: Any) -> dict[str, Any]:
    return _response(status, {"content-type": "application/json"}, json.dumps(body))


def _response(status: int, headers: dict[str, str], body: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": headers, "cookies": [], "body": body, "isBase64Encoded": False}
