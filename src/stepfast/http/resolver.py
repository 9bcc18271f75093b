"""Powertools' resolver, adapted to a server with many threads.

Powertools 3.37 keeps the current request in a class attribute, because Lambda gives a process one request at a time.
Here the request belongs to the instance, and a pool gives each request its own instance.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import openapi_validation
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from stepfast.errors import InvalidRequest
from stepfast.http import auth, bodies, problems, queries, restricting
from stepfast.http.auditing import AUDITED, Auditing
from stepfast.http.auth import Scope
from stepfast.http.callbacks import is_callback
from stepfast.http.dispatch import RegisteredRoute, RouteTable
from stepfast.http.inbound import is_inbound
from stepfast.http.path_pattern import PathPattern
from stepfast.http.problems import Rejected
from stepfast.http.route_index import RouteModule

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Answers an event by itself."""

# Powertools 3.37 works out anew for each request whether each parameter of its route is a single value, which takes a
# fifth of the CPU time of a request. It depends on the annotation of the parameter alone, and a field is never changed.
_scalar: Any = openapi_validation
_scalar.is_scalar_field = lru_cache(4096)(_scalar.is_scalar_field)


class Request(APIGatewayProxyEventV2):
    """An HTTP API event (payload 2.0), read strictly and exactly."""

    @property
    def headers(self) -> dict[str, str]:
        # Every body that gets here is JSON (auth.require_json). With another type, Powertools would parse forms and
        # files.
        headers = super().headers
        headers["content-type"] = "application/json"
        return headers

    @cached_property
    def json_body(self) -> Any:
        return bodies.parse(self.body, bool(self.is_base64_encoded))

    @cached_property
    def resolved_query_string_parameters(self) -> dict[str, list[str]]:
        # In queryStringParameters API Gateway joins duplicates by commas: `a=1&a=2` and `a=1,2` look the same there.
        return parse_qs(self.get("rawQueryString") or "", keep_blank_values=True)


class Resolver(APIGatewayHttpResolver):
    """Serves one request at a time, as in Lambda; answers a known path under another method with 405.

    load: adds the routes of a module, when a request is first for one of them.

    Every route's function says with `auth.needs` which scope it needs: `scopes` has them by path, as OpenAPI
    writes it, and method. A caller without the scope learns nothing else about the request.
    """

    def __init__(self, load: Callable[[Resolver, RouteModule], None]) -> None:
        super().__init__(enable_validation=True, debug=False)
        self._request = Request({})
        self.table = RouteTable(lambda module: load(self, module))
        self.scopes: dict[tuple[str, str], Scope | None] = {}
        self.find: restricting.Find = lambda execution_id: None
        """Reads an execution, to see whether a limited key is for it."""
        self.audit: Auditing | None = None
        self.exception_handler(Exception)(problems.of)
        self.exception_handler(NotFoundError)(self._unknown)

    @property
    def current_event(self) -> APIGatewayProxyEventV2:  # type: ignore[override]
        return self._request

    def answer(self, event: Mapping[str, Any], context: Any, granted: frozenset[str]) -> dict[str, Any]:
        """Resolves the request of a caller with these scopes; Rejected when the route needs another."""
        request = self._request = Request(dict(event))
        match = self.table.find(request.http_method.upper(), request.path)
        if match is None:
            return restricting.without_values(None, self.resolve(event, context))
        registered, route, parameters = match
        key, function = registered.key, registered.function
        auth.require(vars(function)["needs"], granted)
        restricting.check(restricting.RULES.get(key), parameters, self.find)
        if not registered.has_taken(event.get("rawQueryString") or ""):
            queries.check(function, request.resolved_query_string_parameters)

        def act() -> dict[str, Any]:
            try:
                return registered.call(route, parameters, request)
            except Exception as error:
                return problems.answer(error)

        return restricting.without_values(key, self.audited(key, parameters, act))

    def audited(self, route: tuple[str, str] | None, path: Mapping[str, str], act: Callable[[], Any]) -> dict[str, Any]:
        """What `act` answers, with a line in the audit list if the route changes something."""
        if self.audit is None or route not in AUDITED:
            answer: dict[str, Any] = act()
            return answer
        try:
            body = self._request.json_body
        except (Rejected, InvalidRequest):
            body = None  # the route refuses it
        return self.audit.request(route, path, body, act)

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "^{}$") -> PathPattern:
        """As in Powertools 3.37, but that the id of a command may have slashes, as gateways decode %2F.

        It is compiled when a path first looks like it.
        """

        def compiled() -> re.Pattern[str]:
            plain: re.Pattern[str] = APIGatewayHttpResolver._compile_regex(rule.replace("<command>", "\0"), base_regex)
            return re.compile(plain.pattern.replace("\0", "(?P<command>.+)"))

        return PathPattern(rule, compiled, spans="<command>")

    def route(self, rule: str, method: Any, *args: Any, **kwargs: Any) -> Any:
        register = super().route(rule, method, *args, **kwargs)

        def add(function: Callable[..., Any]) -> Any:
            scope: Scope | None = vars(function)["needs"]
            added = register(function)
            written = re.sub(r"<(\w+)>", r"{\1}", rule)
            # Powertools' own lists (3.37). It has put the route at the end of one of them.
            routes = self._dynamic_routes if "<" in rule else self._static_routes
            # The pattern is Powertools': the scope must hold for exactly the paths that the route matches.
            pattern: Any = routes[-1].rule
            self.table.add(RegisteredRoute(pattern, str(method), function, written), routes[-1])
            self.scopes[written, str(method)] = scope
            return added

        return add

    def _unknown(self, error: NotFoundError) -> Response[str]:
        path = self._request.path
        methods = self.table.methods(path)
        if not methods or self._request.http_method in methods:
            return problems.of(error)
        allowed = ", ".join(methods)
        detail = f"this address takes {allowed}, not {self._request.http_method}"
        return problems.problem(405, "wrong-method", "Wrong method", detail, {"Allow": allowed})


class ResolverPool:
    """A pool of resolvers that grows to the number of concurrent requests.

    It makes the first at once, in Lambda's init phase. callbacks: answers requests for answer links. inbound: answers
    webhooks of others.
    """

    def __init__(
        self, make: Callable[[], Resolver], callbacks: Answer | None = None, inbound: Answer | None = None
    ) -> None:
        self._make, self._link_answers, self._inbound = make, callbacks, inbound
        self._free: queue.SimpleQueue[Resolver] = queue.SimpleQueue()
        self._free.put(make())

    def resolve(self, event: Mapping[str, Any], context: Any, granted: frozenset[str]) -> dict[str, Any]:
        if self._link_answers is not None and is_callback(event):
            return self._link_answers(event)
        if self._inbound is not None and is_inbound(event):
            return self._inbound(event)
        try:
            resolver = self._free.get_nowait()
        except queue.Empty:
            resolver = self._make()
        try:
            return resolver.answer(event, context, granted)
        finally:
            self._free.put(resolver)
