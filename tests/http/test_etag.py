"""ETag and If-None-Match of GET /v1/executions/{id}."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from stepfast import signal, step, workflow
from stepfast.http.api import build
from tests.http.serving import Answer, Api, event, served
from tests.waiting import until

PATH = "/v1/executions/one"


@step
def count(n: int) -> int:
    return n


@workflow("patient")
async def patient(n: int) -> int:
    await signal("go", int)
    return await count(n)


@workflow("broken")
async def broken() -> None:
    raise RuntimeError("no")


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(patient, broken, steps=[count])
    made.start("patient", 1)
    until(lambda: made.command("signal:go"))
    return made


def ask(api: Api, tag: str | None = None, query: str = "") -> Answer:
    return api.ask("GET", PATH, query=query, headers={} if tag is None else {"if-none-match": tag})


def tag_of(api: Api, query: str = "") -> str:
    answer = ask(api, query=query)
    assert answer.status == 200
    return answer.headers["ETag"]


def settled(api: Api) -> str:
    """The tag once nothing is under way any more."""
    return str(until(lambda: tag if (tag := tag_of(api)) == tag_of(api) else None))


@pytest.mark.parametrize("query", ["", "commands=false", "largest=0", "command=signal:go"])
def test_who_asks_with_the_tag_hears_that_nothing_has_changed(api: Api, query: str) -> None:
    settled(api)
    tag = tag_of(api, query)
    answer = ask(api, tag, query)
    assert (answer.status, answer.body) == (304, None)
    assert answer.headers == {"ETag": tag, "Cache-Control": "private, no-cache"}
    assert ask(api, query=query).headers["Cache-Control"] == "private, no-cache"


def test_nothing_is_replayed_for_who_has_the_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    tag, replayed = settled(api), []
    monkeypatch.setattr(api.runtime.operations, "replay", lambda snapshot: replayed.append(snapshot))
    assert ask(api, tag).status == 304
    assert replayed == []
    assert ask(api, 'W/"other"').status == 200
    assert len(replayed) == 1


@pytest.mark.parametrize("sent", ["{}", '"0", {}', '"0",{} , W/"1"', "*", " {}  "])
def test_a_tag_is_known_among_others_and_any_is(api: Api, sent: str) -> None:
    tag = settled(api)
    assert ask(api, sent.format(tag)).status == 304
    assert ask(api, sent.format(tag.removeprefix("W/"))).status == 304


@pytest.mark.parametrize("sent", ["", '""', "W/", '"*"', "\N{MONKEY}", "x" * 5000, ",,,", '"0", "1"'])
def test_a_tag_that_is_not_ours_is_answered_in_full(api: Api, sent: str) -> None:
    assert ask(api, sent).status == 200


def test_what_is_asked_for_is_part_of_the_tag(api: Api) -> None:
    settled(api)
    queries = ("", "commands=false", "largest=0", "largest=1", "command=signal:go", "command=signal:go&largest=0")
    assert len({tag_of(api, query) for query in queries}) == len(queries)


def test_whatever_is_stored_changes_the_tag(api: Api) -> None:
    tags = [settled(api)]
    # A signal that nobody waits for is stored, and changes nothing else.
    assert api.ask("POST", f"{PATH}/signals/aside", {"payload": 1}).status == 202
    tags.append(settled(api))
    assert api.ask("POST", f"{PATH}/signals/go", {"payload": 1}).status == 202
    api.ends()
    tags.append(settled(api))
    assert len(set(tags)) == 3
    assert ask(api, tags[1]).status == 200


def test_a_resume_changes_the_tag_also_of_what_is_shown_without_commands(api: Api) -> None:
    api.start("broken", id="two")
    api.ends("FAILED", id="two")
    before = api.ask("GET", "/v1/executions/two", query="commands=false").headers["ETag"]
    assert api.ask("POST", "/v1/executions/two/resume").status == 200
    api.ends("FAILED", id="two")
    again = api.ask("GET", "/v1/executions/two", query="commands=false", headers={"if-none-match": before})
    assert (again.status, again.body["generation"]) == (200, 1)


def test_another_deployment_answers_in_full(api: Api) -> None:
    tag = settled(api)
    other = build(api.runtime.operations, api.registry, api.runtime.call)
    asked = event("GET", PATH, headers={"if-none-match": tag})
    assert other(asked, None)["statusCode"] == 200
    assert api.handler(asked, None)["statusCode"] == 304


def test_an_unknown_execution_is_not_found_whatever_the_tag(api: Api) -> None:
    answer = api.ask("GET", "/v1/executions/nobody", headers={"if-none-match": "*"})
    assert (answer.status, answer.kind) == (404, "execution-not-found")
    assert "ETag" not in answer.headers


def test_on_the_wire_there_is_no_body_and_the_connection_goes_on(api: Api) -> None:
    settled(api)
    with served(api.handler) as url, httpx.Client(base_url=url) as http:
        whole = http.get(PATH)
        for _ in range(3):
            answer = http.get(PATH, headers={"If-None-Match": whole.headers["etag"]})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == whole.headers["etag"]
            assert not {"content-length", "content-type", "transfer-encoding"} & set(answer.headers)
        assert http.get(PATH).json() == whole.json()
