"""API Gateway's HTTP API in front of the functions: events of payload 2.0, an authorizer, answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from stepfast.simulator.invocation import Invocation
from stepfast.simulator.lambdas import ACCOUNT, REGION, SimulatedFunction
from stepfast.simulator.world import World

__all__ = ["GatewayRequest", "Response"]

API, HOST = "stepfast01", f"stepfast01.execute-api.{REGION}.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of the HTTP API.

    status: the HTTP status.
    headers: the headers.
    body: the body as text.
    function: the invocation that gave the answer; None when the gateway answered by itself.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    function: Invocation | None = field(default=None, repr=False)

    def json(self) -> Any:
        """The body as JSON values. Raises ValueError for a body that is not JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class GatewayRequest:
    """A request to the HTTP API.

    method, path, body, key, headers, query: as in `MotoCloud.request`.
    response: the answer; None before there is one.
    event: the whole event that API Gateway makes of the request, where it is known, as from a web server.
    """

    method: str
    path: str
    body: Any = None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    response: Response | None = None
    event: dict[str, Any] | None = None


class Gateway:
    """Asks the authorizer about every request, as with its cache off, and then the api function."""

    def __init__(
        self, world: World, api: SimulatedFunction, authorizer: SimulatedFunction | None, open_paths: Collection[str]
    ) -> None:
        self._world, self._api, self._authorizer, self._open = world, api, authorizer, frozenset(open_paths)

    def begin(self, request: GatewayRequest) -> None:
        event = request.event or self._event(request)
        if self._authorizer is None or event["rawPath"] in self._open:
            self._call(request, event)
            return
        asked = {key: value for key, value in event.items() if key not in ("body", "isBase64Encoded")}
        asked |= {
            "type": "REQUEST",
            "routeArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API}/$default/{request.method}{request.path}",
            "identitySource": None,
        }
        if not self._authorizer.free:
            request.response = _problem(503, "Service Unavailable")
            return
        self._authorizer.invoke(asked, lambda invocation: self._authorized(request, event, invocation))

    def _authorized(self, request: GatewayRequest, event: dict[str, Any], invocation: Invocation) -> None:
        answer = invocation.result
        if not invocation.ok or not isinstance(answer, Mapping):
            request.response = _problem(500, "Internal Server Error", invocation)
        elif answer.get("isAuthorized") is not True:
            request.response = _problem(403, "Forbidden", invocation)
        else:
            event["requestContext"]["authorizer"] = {"lambda": answer.get("context")}
            self._call(request, event)

    def _call(self, request: GatewayRequest, event: dict[str, Any]) -> None:
        if not self._api.free:
            request.response = _problem(503, "Service Unavailable")
            return
        self._api.invoke(event, lambda invocation: self._answered(request, invocation))

    def _answered(self, request: GatewayRequest, invocation: Invocation) -> None:
        result = invocation.result
        if invocation.outcome == "timeout":
            request.response = _problem(503, "Service Unavailable", invocation)
        elif not invocation.ok:
            request.response = _problem(500, "Internal Server Error", invocation)
        elif isinstance(result, Mapping) and "statusCode" in result:
            body = result.get("body") or ""
            text = base64.b64decode(body).decode() if result.get("isBase64Encoded") else str(body)
            headers = {str(name).lower(): str(value) for name, value in (result.get("headers") or {}).items()}
            request.response = Response(int(result["statusCode"]), headers, text, invocation)
        else:  # payload 2.0 makes an answer of whatever JSON comes
            request.response = Response(200, {"content-type": "application/json"}, json.dumps(result), invocation)

    def _event(self, request: GatewayRequest) -> dict[str, Any]:
        now = self._world.clock.now
        headers = {"host": HOST, "user-agent": "stepfast-testing", "x-forwarded-proto": "https"}
        body: str | None = None
        if request.body is not None:
            body = request.body if isinstance(request.body, str) else json.dumps(request.body)
            headers |= {"content-type": "application/json", "content-length": str(len(body.encode()))}
        if request.key is not None:
            headers["authorization"] = f"Bearer {request.key}"
        headers |= {name.lower(): value for name, value in request.headers.items()}
        raw_query = urlencode(request.query)
        path = unquote(request.path)
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": raw_query,
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": API,
                "domainName": HOST,
                "domainPrefix": API,
                "http": {
                    "method": request.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": headers["user-agent"],
                },
                "requestId": f"{self._world.ids.getrandbits(64):016x}",
                "routeKey": "$default",
                "stage": "$default",
                "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "timeEpoch": int(now * 1000),
            },
            "isBase64Encoded": False,
        }
        if raw_query:
            joined: dict[str, str] = {}
            for name, value in parse_qsl(raw_query, keep_blank_values=True):
                joined[name] = f"{joined[name]},{value}" if name in joined else value
            event["queryStringParameters"] = joined
        if body is not None:
            event["body"] = body
        return event


def _problem(status: int, message: str, invocation: Invocation | None = None) -> Response:
    body = json.dumps({"message": message})
    return Response(status, {"content-type": "application/json"}, body, invocation)
