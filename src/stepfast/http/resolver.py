"""Powertools' resolver, mended where a server of many threads needs it to be.

Powertools keeps the request it works on in a class attribute, since Lambda gives a process one request
at a time. Here it is the instance's own, and a pool gives each request an instance of its own.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from stepfast.http import bodies, problems


class Request(APIGatewayProxyEventV2):
    """An HTTP API event (payload 2.0), read strictly and exactly."""

    @property
    def headers(self) -> dict[str, str]:
        # A body of another type was refused before; Powertools would read forms and files as well.
        found = super().headers
        found["content-type"] = "application/json"
        return found

    @cached_property
    def json_body(self) -> Any:
        return bodies.parse(self.body, bool(self.is_base64_encoded))

    @property
    def resolved_query_string_parameters(self) -> dict[str, list[str]]:
        # queryStringParameters has duplicates joined by commas, which no longer tells them from values.
        return parse_qs(self.get("rawQueryString") or "", keep_blank_values=True)


class Resolver(APIGatewayHttpResolver):
    """Serves one request at a time, as in Lambda; answers a known path under another method with 405."""

    def __init__(self) -> None:
        super().__init__(enable_validation=True, debug=False)
        self._request = Request({})
        self._paths: list[tuple[re.Pattern[str], str]] = []
        self.exception_handler(Exception)(problems.of)
        self.exception_handler(NotFoundError)(self._unknown)

    @property
    def current_event(self) -> APIGatewayProxyEventV2:  # type: ignore[override]
        return self._request

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        self._request = Request(dict(event))
        return super().resolve(event, context)

    def route(self, rule: str, method: Any, *args: Any, **kwargs: Any) -> Any:
        self._paths.append((re.compile(re.sub(r"<\w+>", "[^/]+", rule) + r"\Z"), str(method)))
        return super().route(rule, method, *args, **kwargs)

    def _unknown(self, error: NotFoundError) -> Response[str]:
        path = self._request.path
        methods = sorted(method for pattern, method in self._paths if pattern.match(path))
        if not methods or self._request.http_method in methods:
            return problems.of(error)
        allowed = ", ".join(methods)
        detail = f"this address takes {allowed}, not {self._request.http_method}"
        return problems.problem(405, "wrong-method", "Wrong method", detail, {"Allow": allowed})


class Pool:
    """As many resolvers as requests have been served at once; the first is made now, as Lambda likes it."""

    def __init__(self, make: Callable[[], Resolver]) -> None:
        self._make = make
        self._free: queue.SimpleQueue[Resolver] = queue.SimpleQueue()
        self._free.put(make())

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        try:
            resolver = self._free.get_nowait()
        except queue.Empty:
            resolver = self._make()
        try:
            return resolver.resolve(event, context)
        finally:
            self._free.put(resolver)
