"""Modules of routes are loaded when a request is for one of their routes, and nothing that is seen depends on it."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.http.api import resolvers, scopes_by_route
from stepfast.http.engine import ApiEngine
from stepfast.http.resolver import Resolver
from stepfast.http.route_index import ROUTES, RouteModule, modules
from tests.http.serving import Api, event

NOTHING: Any = None


@step
async def work(word: str) -> str:
    return word


@workflow("plain")
async def plain(word: str) -> str:
    return await work(word)


def of(module: RouteModule) -> Resolver:
    """A resolver that has the routes of one module."""
    app = Resolver(lambda app, module: None)
    app.table.load_all()
    module.add(app, ApiEngine(NOTHING, NOTHING, NOTHING, NOTHING, ""))
    return app


def written(rule: str) -> tuple[str, str]:
    method, _, path = rule.partition(" ")
    return path.replace("<", "{").replace(">", "}"), method


@pytest.mark.parametrize("name", ROUTES)
def test_the_index_has_the_routes_of_each_module(name: str) -> None:
    (module,) = [module for module in modules() if module.name == name]
    assert set(of(module).scopes) == {written(rule) for rule in ROUTES[name]}


def test_a_path_of_a_route_is_looked_for_in_its_module() -> None:
    known = modules()
    for name, rules in ROUTES.items():
        for rule in rules:
            method, _, path = rule.partition(" ")
            for value in ("a", "a%b", "a.b-c_d", "é"):
                for command in ("x", "x/y/z"):
                    asked = path.replace("<command>", command)
                    parts = "/".join(value if part.startswith("<") else part for part in asked.split("/")).split("/")
                    assert name in [module.name for module in known if module.may_have(method, parts)]
                    assert name in [module.name for module in known if module.may_have(None, parts)]
                    assert name not in [module.name for module in known if module.may_have("PATCH", parts)]


def answers(api: Api, loaded: Any) -> list[Any]:
    """What a new set of routes answers to every route, and to paths that only look like one."""
    pool = resolvers(api.runtime.operations, api.registry, api.runtime.call, loaded=loaded)
    said = []
    for path, method in [*scopes_by_route(), ("/v1/nothing", "GET"), ("/v1/executions/one/nothing", "POST")]:
        asked = path
        for parameter in ("execution_id", "workflow", "command", "name", "update_id"):
            asked = asked.replace("{" + parameter + "}", "no-such")
        for way in (method, "PATCH"):
            sent = event(way, asked, {} if method in ("POST", "PUT") else None)
            answer = pool.resolve(sent, None, frozenset({"read", "run", "operate"}))
            body = answer["body"] if asked not in ("/v1/health", "/v1/figures") else ""
            said.append((way, asked, answer["statusCode"], answer["headers"].get("Allow"), len(body) > 0, body[:200]))
    return said


def test_answers_are_the_same_whatever_is_loaded(serve: Any) -> None:
    api = serve(plain)
    assert [each[:4] for each in answers(api, ())] == [each[:4] for each in answers(api, tuple(ROUTES))]


def test_the_description_is_the_same_whatever_was_loaded_before(serve: Any) -> None:
    api = serve(plain)
    described = []
    for loaded in ((), tuple(ROUTES)):
        pool = resolvers(api.runtime.operations, api.registry, api.runtime.call, loaded=loaded)
        pool.resolve(event("GET", "/v1/audit"), None, frozenset({"read", "operate"}))
        described.append(pool.resolve(event("GET", "/openapi.json"), None, frozenset({"read"}))["body"])
    assert described[0] == described[1]
