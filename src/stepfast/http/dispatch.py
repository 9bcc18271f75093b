"""Finds the route of a request and calls it, once, without the machinery of Powertools' resolver.

Powertools 3.37 compares a request with every route and calls a route through frames of middleware, which read all
headers and the whole query and copy the answer. That took more than half of a request's CPU time. Routes and the fields
of their parameters stay Powertools': they describe the API, and each value is checked by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.middlewares import openapi_validation
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel

from stepfast.http import problems
from stepfast.http.path_pattern import PathPattern
from stepfast.http.route_index import RouteModule, modules

# Private names of Powertools, the same from 3.20 to 3.37.
_powertools: Any = openapi_validation
_MOST_SLASHES = 64
"""Paths with more slashes are compared with every route, so that nobody fills the memory with lengths of paths."""


_MOST_KNOWN_QUERIES, _LONGEST_KNOWN_QUERY = 100, 100
_PLAIN = (str, int, float, type(None), Enum)


class RegisteredRoute:
    """A route: what it matches, and the function that it calls. written: its path, as OpenAPI writes it."""

    __slots__ = ("_arguments", "function", "key", "method", "pattern", "written")

    def __init__(self, pattern: PathPattern, method: str, function: Callable[..., Response[str]], written: str) -> None:
        self.pattern, self.method, self.function, self.written = pattern, method, function, written
        self.key = (method, written)
        self._arguments: _RouteArguments | None = None

    def call(self, route: Route, path: Mapping[str, str], request: Any) -> dict[str, Any]:
        """The answer of the route's function. Raises RequestValidationError for a wrong parameter.

        route: the same route, as Powertools knows it. path: the parameters in the path. request: a Powertools event.
        """
        if self._arguments is None:
            self._arguments = _RouteArguments(route)
        return problems.as_dict(self.function(**self._arguments.of(path, request)))

    def has_taken(self, query: str) -> bool:
        """Whether exactly this query string was right in an earlier request, and what it says is known."""
        return self._arguments is not None and query in self._arguments.queries


class RouteTable:
    """The routes, by method and number of slashes. As in Powertools, one without parameters comes before the others.

    load: loads a module of routes, which then adds its routes here.
    """

    def __init__(self, load: Callable[[RouteModule], None]) -> None:
        self._load, self._unloaded = load, modules()
        self._routes: list[tuple[int, RegisteredRoute, Route]] = []
        self._near: dict[tuple[str, int], list[tuple[RegisteredRoute, Route]]] = {}
        self._rank = 0

    def add(self, registered: RegisteredRoute, route: Route) -> None:
        self._routes.append((self._rank, registered, route))
        # Modules may be loaded in any order. Within a module the order is that of its code, since the sort is stable.
        self._routes.sort(key=lambda each: (each[1].pattern.groups > 0, each[0]))
        self._near.clear()

    def load_all(self) -> None:
        for module in list(self._unloaded):
            self._add_module(module)

    def load(self, names: Collection[str]) -> None:
        """Loads modules of routes by their names."""
        for module in [module for module in self._unloaded if module.name in names]:
            self._add_module(module)

    def find(self, method: str, path: str) -> tuple[RegisteredRoute, Route, dict[str, str]] | None:
        """The route of a request and the parameters in its path."""
        self._load_for(method, path)
        slashes = path.count("/")
        near = self._near.get((method, slashes))
        if near is None:
            near = [
                (registered, route)
                for _, registered, route in self._routes
                if registered.method == method and registered.pattern.slashes in (None, slashes)
            ]
            if near and slashes <= _MOST_SLASHES:
                self._near[method, slashes] = near
        for registered, route in near:
            if match := registered.pattern.match(path):
                return registered, route, match.groupdict()
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that an address takes, in alphabetical order."""
        self._load_for(None, path)
        return sorted(registered.method for _, registered, _ in self._routes if registered.pattern.match(path))

    def _load_for(self, method: str | None, path: str) -> None:
        if self._unloaded:
            parts = path.rstrip("\n").split("/")  # a pattern's end also matches before a line feed
            for module in [module for module in self._unloaded if module.may_have(method, parts)]:
                self._add_module(module)

    def _add_module(self, module: RouteModule) -> None:
        self._rank = module.rank
        self._load(module)
        self._unloaded.remove(module)


class _RouteArguments:
    """Makes the arguments of a route's function. Parameters that are not sent have their defaults.

    queries: the values of query strings that were right. Clients send few of them, over and over.
    """

    def __init__(self, route: Route) -> None:
        fields = route.dependant
        self._path, self._query, self._header = fields.path_params, fields.query_params, fields.header_params
        self._body = fields.body_params
        self._names = frozenset(field.alias.lower() for field in self._header)
        self.queries: dict[str, dict[str, Any]] = {}
        values, errors = _powertools._request_params_to_args(self._header, {})
        self._without_headers: dict[str, Any] | None = values if not errors and _are_plain(values) else None
        self._object = _object_of(self._body)
        if fields.cookie_params:
            raise TypeError("a route that reads cookies: dispatch has no code for it")

    def of(self, path: Mapping[str, str], request: Any) -> dict[str, Any]:
        values: dict[str, Any]
        values, errors = _powertools._request_params_to_args(self._path, path)
        for sent, wrong in (self._of_query(request), self._of_headers(request)):
            values.update(sent)
            errors += wrong
        if self._body:
            sent, wrong = self._of_body(request.json_body)
            values.update(sent)
            errors += wrong
        if errors:
            raise RequestValidationError(_powertools._normalize_errors(errors))
        return values

    def _of_body(self, body: Any) -> Any:
        if self._object is not None and type(body) is dict:
            value, errors = self._object.validate(value=body)
            if not errors:
                return {self._object.name: value}, []
        return _powertools._request_body_to_args(required_params=self._body, received_body=body)

    def _of_query(self, request: Any) -> Any:
        if not self._query:
            return {}, []
        text = request.get("rawQueryString") or ""
        known = self.queries.get(text)
        if known is not None:
            return known, []
        values, errors = self._of_new_query(request)
        if not errors and len(text) <= _LONGEST_KNOWN_QUERY and _are_plain(values):
            if len(self.queries) >= _MOST_KNOWN_QUERIES:
                self.queries.clear()
            self.queries[text] = values
        return values, errors

    def _of_new_query(self, request: Any) -> Any:
        query = request.resolved_query_string_parameters
        if query:
            repeated = {name for name, sent in query.items() if len(sent) > 1}
            query = _powertools._normalize_multi_params(dict(query), self._query, multi_value_params=repeated)
        return _powertools._request_params_to_args(self._query, query)

    def _of_headers(self, request: Any) -> Any:
        if not self._header:
            return {}, []
        sent = request.get("headers") or {}
        headers: Any = {}
        if self._names.isdisjoint(map(str.lower, sent)):
            if self._without_headers is not None:
                return self._without_headers, []
        else:
            headers = _powertools._normalize_multi_params(request.resolved_headers_field, self._header)
        return _powertools._request_params_to_args(self._header, headers)


def _are_plain(values: Mapping[str, Any]) -> bool:
    """Whether nobody could change one of the values, so that many requests may have them."""
    return all(isinstance(value, _PLAIN) for value in values.values())


def _object_of(body: Sequence[Any]) -> Any:
    """The field of a body that is one JSON object as it stands; None where Powertools has to take it apart."""
    if len(body) != 1 or getattr(body[0].field_info, "embed", None):
        return None
    annotation = body[0].field_info.annotation
    return body[0] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
