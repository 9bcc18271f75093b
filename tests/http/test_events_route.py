"""Whoever watches an execution: what has changed since a cursor, by long poll and as server-sent events."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from stepfast import Client, set_labels, set_status, signal, step, workflow
from stepfast.http import changes, streaming
from stepfast.http.auth import Authenticator
from stepfast.model import Execution, Record
from tests.http.serving import Api, served
from tests.waiting import until

EVENTS = "/v1/executions/one/events"
STREAM = {"Accept": "text/event-stream"}


@step
async def count(number: int) -> int:
    return number


@workflow("watched")
async def watched() -> int:
    set_status({"done": 0})
    await signal("go", int)
    await count(1)
    set_labels(stage="counted")
    set_status({"done": 1})
    await signal("end", int)
    set_status("all done")
    return 1


@pytest.fixture
def api(serve: Callable[..., Api]) -> Api:
    api = serve(watched)
    api.start("watched")
    return api


@pytest.fixture
def http(api: Api) -> Iterator[httpx.Client]:
    with served(api.handler) as url, httpx.Client(base_url=url, timeout=60) as client:
        until(lambda: client.get("/v1/executions/one").json()["status_value"] == {"done": 0}, what="its first status")
        yield client


def go(api: Api, name: str) -> None:
    api.ask("POST", f"/v1/executions/one/signals/{name}", {"payload": 1})


def is_watched(api: Api) -> bool:
    return bool(api.runtime.ends._watches.get("one"))


def followed(http: httpx.Client, after: str | None, wait: int = 20) -> Any:
    return http.get(EVENTS, params={"wait": wait} | ({} if after is None else {"after": after})).json()


def test_a_reader_with_a_cursor_gets_what_has_changed_since(api: Api, http: httpx.Client) -> None:
    first = followed(http, None)
    assert [event["type"] for event in first["events"]] == ["status", "execution"]
    assert first["events"][0]["value"] == {"done": 0}
    assert followed(http, first["after"], 0)["events"] == []
    later = threading.Timer(0, lambda: (until(lambda: is_watched(api)), go(api, "go")))
    later.start()
    seen, after = list[Any](), first["after"]
    while {"type": "status", "value": {"done": 1}} not in seen or {
        "type": "labels",
        "labels": {"stage": "counted"},
    } not in seen:
        answer = followed(http, after)
        assert answer["events"], "a wait ends with a change"
        seen, after = seen + answer["events"], answer["after"]
    assert [event["status"] for event in seen if event.get("id") == "count"][-1] == "SUCCEEDED"
    later.join()


def test_the_last_answer_says_that_the_execution_has_ended(api: Api, http: httpx.Client) -> None:
    go(api, "go")
    go(api, "end")
    after, events = None, list[Any]()
    while True:
        answer = followed(http, after)
        after, events = answer["after"], events + answer["events"]
        if answer["ended"]:
            break
    assert (events[-1]["type"], events[-1]["status"]) == ("execution", "SUCCEEDED")
    assert {"type": "status", "value": "all done"} in events
    assert followed(http, after) == {"events": [], "after": after, "ended": True}


def test_the_stream_tells_all_and_ends_with_the_execution(api: Api, http: httpx.Client) -> None:
    seen: list[Any] = []
    with http.stream("GET", EVENTS, headers=STREAM) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
                if seen[-1] == {"type": "status", "value": {"done": 0}}:
                    go(api, "go")
                if seen[-1] == {"type": "status", "value": {"done": 1}}:
                    go(api, "end")
    assert (seen[-1]["type"], seen[-1]["status"]) == ("execution", "SUCCEEDED")
    until(lambda: not is_watched(api), what="the stream to be forgotten")  # its last byte is sent before


def test_a_stream_goes_on_where_it_was_cut_off(api: Api, http: httpx.Client) -> None:
    after = followed(http, None)["after"]
    go(api, "go")
    with http.stream("GET", EVENTS, headers=STREAM | {"Last-Event-ID": after}) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert json.loads(first[6:]).get("id") in ("signal:go", "count")
    go(api, "end")
    until(lambda: http.get("/v1/executions/one").json()["status"] == "SUCCEEDED")
    until(lambda: not is_watched(api), what="the stream to be given up")
    after = followed(http, None)["after"]
    assert http.get(EVENTS, headers=STREAM | {"Last-Event-ID": after}).status_code == 204


def test_streams_are_bounded(api: Api, http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MAX_STREAMS", 1)
    monkeypatch.setattr(streaming, "KEEPALIVE_SECONDS", 0.5)  # a client that has gone is found out by writing
    with http.stream("GET", EVENTS, headers=STREAM) as stream:
        next(stream.iter_lines())
        refused = http.get(EVENTS, headers=STREAM)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    until(lambda: not is_watched(api))


def test_wrong_requests_are_refused(api: Api, http: httpx.Client) -> None:
    assert http.get(EVENTS, params={"after": "nonsense"}).status_code == 422
    assert http.get(EVENTS, params={"wait": "21"}).status_code == 422
    assert http.get("/v1/executions/none/events", headers=STREAM).status_code == 404


def test_a_caller_without_a_key_gets_no_stream(serve: Callable[..., Api]) -> None:
    with served(serve(watched, keys=Authenticator(["the-key"])).handler) as url:
        assert httpx.get(f"{url}{EVENTS}", headers=STREAM).status_code == 401


def test_a_client_follows_an_execution_to_its_end(api: Api, http: httpx.Client) -> None:
    events = []
    with Client(str(http.base_url)) as client:
        for event in client.execution("one").follow():
            events.append(event)
            if event == {"type": "status", "value": {"done": 0}}:
                go(api, "go")
            if event == {"type": "status", "value": {"done": 1}}:
                go(api, "end")
    assert (events[-1]["type"], events[-1]["status"]) == ("execution", "SUCCEEDED")


def test_a_cursor_stays_short_whatever_the_number_of_commands() -> None:
    execution = Execution("one", "w", "1", 1000.0)
    records = [Record(f"s#{n}", "step", "s", "SUCCEEDED", 0, ended_at=1000.0 + n) for n in range(1000)]
    first = changes.since(execution, records, None)
    assert len(first.events) == changes.KEPT + 1
    assert len(first.after) < 2500
    more = [*records, Record("last", "step", "s", "RUNNING", 0, started_at=3000.0)]
    second = changes.since(execution, more, first.after)
    assert [event["id"] for event in second.events] == ["last"]
    assert changes.since(execution, more, second.after).events == []
