"""No GET and no HEAD changes anything that is stored, whoever sends it: a mail scanner, a browser that prefetches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from stepfast.http.api import scopes_by_route
from stepfast.link_tokens import PATH
from tests.contract.visited import HOMES, Visited

SCANNERS: list[dict[str, str]] = [
    {"accept": "text/html,*/*;q=0.8", "user-agent": "Mozilla/5.0", "sec-fetch-site": "cross-site"},
    {"accept": "*/*", "user-agent": "LinkScanner/1.0"},
    {"accept": "text/html", "purpose": "prefetch", "sec-purpose": "prefetch;prerender"},
]
IDS = ("visited", "asked", "family", "family.leaf", "forked", "none")
NAMED = {"{name}": ("visits", "yearly"), "{workflow}": ("visited",), "{update_id}": ("first", "none")}
QUERIES: dict[str, list[dict[str, str]]] = {
    "/v1/executions/{execution_id}/events": [{}, {"wait": "1"}],
    "/v1/executions": [{}, {"status": "FAILED", "roots": "true", "limit": "1"}, {"label": "a:b"}, {"contains": "amil"}],
    "/v1/executions/{execution_id}/recording/value": [{}, {"name": "input"}, {"name": "input", "run": "1"}],
    "/v1/executions/{execution_id}/recording": [{}, {"run": "1"}, {"run": "9"}],
}
EVERYWHERE = {
    "/v1/executions/{execution_id}", "/v1/executions/{execution_id}/history", "/v1/executions/{execution_id}/recording",
    "/v1/executions/{execution_id}/links", "/v1/executions/{execution_id}/handlers", "/v1/jobs/{execution_id}",
    "/v1/executions/{execution_id}/events", "/v1/link-keys", "/v1/limits/{name}", "/v1/executions", "/v1/audit",
    "/v1/executions/{execution_id}/updates/{update_id}", "/v1/workflows/{workflow}/figures", "/v1/dead-letters",
}  # fmt: skip
"""Routes of which some request of this test must get an answer of 200, so that it has looked at something."""


@pytest.fixture(scope="module", params=HOMES)
def home(request: pytest.FixtureRequest) -> Iterator[Visited]:
    with HOMES[request.param]() as made:
        made.fill()
        yield made


def paths(route: str) -> list[str]:
    ids = ("night",) if route.startswith("/v1/jobs/") else IDS
    made = [route.replace("{execution_id}", id) for id in ids] if "{execution_id}" in route else [route]
    for name, values in NAMED.items():
        made = [path.replace(name, value) for path in made for value in values] if name in route else made
    return made


READS = sorted(path for path, method in scopes_by_route() if method == "GET")


def test_no_read_of_any_route_changes_what_is_stored(home: Visited) -> None:
    before, answered = home.dump(), set[str]()
    for route in [*READS, "/", "/openapi.json", "/v1/inbound/shop", "/v1/callbacks/none", "/favicon.ico"]:
        for path in paths(route):
            assert not re.search("[{}]", path), path
            for query in QUERIES.get(route, [{}]):
                for method in ("GET", "HEAD"):
                    answer = home.ask(method, path, query=query)
                    assert answer.status < 500, (path, answer)
                    if (method, answer.status) == ("GET", 200):
                        answered.add(route)
        assert home.dump() == before, route
    assert answered >= EVERYWHERE, EVERYWHERE - answered


def test_whoever_follows_a_link_answers_nothing_until_a_form_is_sent(home: Visited) -> None:
    before = home.dump()
    for token, headers in zip(home.links, SCANNERS, strict=True):  # a link may be used 20 times at once
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
            answer = home.ask(method, PATH, key="", query={"token": token}, headers=headers)
            assert answer.status == (200 if method in ("GET", "HEAD") else 405), (method, answer)
        followed = {"token": token, "answer": '"yes"', "confirm": "yes", "field.answer": "0"}
        assert home.ask("GET", PATH, key="", query=followed, headers=headers).status == 200
    assert home.dump() == before


def test_the_dump_tells_an_answer_and_a_start(home: Visited) -> None:
    """So that the tests above could fail."""
    before = home.dump()
    assert home.ask("POST", PATH, {"answer": "no"}, key="", query={"token": home.links[0]}).status == 202
    answered = home.dump()
    assert answered != before
    body: Any = {"execution_id": "more", "input": "x"}
    assert home.ask("POST", "/v1/workflows/visited/executions", body).status == 201
    assert home.dump() != answered
