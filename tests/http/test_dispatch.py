"""The arguments of a route's function: whatever dispatch knows already, they are those that Powertools would make."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Query
from pydantic import BaseModel

from stepfast.http import dispatch
from stepfast.http.auth import needs
from stepfast.http.resolver import Request, Resolver


class Order(BaseModel):
    number: int
    tags: list[str] = []


class Routes:
    """Two routes, and the arguments that their functions were called with."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        app = Resolver(lambda app, module: None)

        @app.get("/list/<kind>")
        @needs("read")
        def show(
            kind: str,
            limit: Annotated[int, Query(ge=1, le=9)] = 5,
            name: Annotated[list[str] | None, Query()] = None,
            mark: Annotated[str | None, Header(alias="If-None-Match")] = None,
        ) -> Response[str]:
            self.taken.append({"kind": kind, "limit": limit, "name": name, "mark": mark})
            return Response(200)

        @app.post("/orders")
        @needs("run")
        def order(body: Annotated[Order, Body()]) -> Response[str]:
            self.taken.append({"body": body})
            return Response(200)

        self.table = app.table

    def ask(self, query: str = "", headers: dict[str, str] | None = None) -> dict[str, Any]:
        return self._call("GET", "/list/all", {"rawQueryString": query, "headers": headers or {}})

    def send(self, body: str) -> dict[str, Any]:
        return self._call("POST", "/orders", {"headers": {}, "body": body, "isBase64Encoded": False})

    def _call(self, method: str, path: str, event: dict[str, Any]) -> dict[str, Any]:
        found = self.table.find(method, path)
        assert found is not None
        registered, route, parameters = found
        registered.call(route, parameters, Request(event))
        return self.taken[-1]


@pytest.fixture
def routes() -> Routes:
    return Routes()


def test_a_query_that_is_repeated_has_the_same_values(routes: Routes) -> None:
    first, other, again = routes.ask("limit=3"), routes.ask("limit=4"), routes.ask("limit=3")
    assert first["limit"] == again["limit"] == 3
    assert other["limit"] == 4


def test_a_value_that_a_function_could_change_is_made_for_each_request(routes: Routes) -> None:
    routes.ask("name=a&name=b")["name"].append("c")
    assert routes.ask("name=a&name=b")["name"] == ["a", "b"]


def test_a_wrong_query_is_wrong_each_time(routes: Routes) -> None:
    for _ in range(3):
        with pytest.raises(RequestValidationError):
            routes.ask("limit=10")


def test_a_header_counts_in_any_case_beside_a_query_that_is_known(routes: Routes) -> None:
    assert routes.ask("limit=3")["mark"] is None
    assert routes.ask("limit=3", {"IF-None-match": "x"}) == {"kind": "all", "limit": 3, "name": None, "mark": "x"}
    assert routes.ask("limit=3", {"accept": "x"})["mark"] is None


def test_no_more_than_a_number_of_queries_is_known(routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_MOST_KNOWN_QUERIES", 3)
    found = routes.table.find("GET", "/list/all")
    assert found is not None
    registered = found[0]
    for limit in (1, 2, 3, 4):
        assert routes.ask(f"limit={limit}")["limit"] == limit
    assert [registered.has_taken(f"limit={limit}") for limit in (1, 2, 3, 4)] == [False, False, False, True]
    long = "limit=" + "0" * dispatch._LONGEST_KNOWN_QUERY + "1"
    assert routes.ask(long)["limit"] == 1
    assert not registered.has_taken(long)


@pytest.mark.parametrize("body", ['{"number": 1}', '{"number": "2", "tags": ["a"]}'])
def test_a_body_is_read_as_powertools_reads_it(routes: Routes, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    quick = routes.send(body)
    monkeypatch.setattr(dispatch, "_object_of", lambda body: None)
    assert Routes().send(body) == quick


@pytest.mark.parametrize("body", ['{"number": "x"}', "{}", '{"tags": 1}', ""])
def test_a_wrong_body_is_refused_as_powertools_refuses_it(
    routes: Routes, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    with pytest.raises(RequestValidationError) as quick:
        routes.send(body)
    monkeypatch.setattr(dispatch, "_object_of", lambda body: None)
    with pytest.raises(RequestValidationError) as plain:
        Routes().send(body)
    assert quick.value.errors() == plain.value.errors()
