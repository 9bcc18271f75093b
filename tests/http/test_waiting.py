"""Requests that wait for the end of an execution: `Prefer: wait=SECONDS`, at the real web server."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from stepfast import Client, signal, update, workflow
from stepfast.http.auth import Authenticator
from stepfast.http.key_file import KeyFile
from stepfast.http.waiting import MAX_END_WAIT_SECONDS, HeldRequests
from stepfast.restriction import Restriction
from tests.http.serving import Api, event, served, serving
from tests.waiting import until

LONG = {"Prefer": "wait=20"}


@workflow("vigil")
async def vigil() -> str:
    return await signal("go", str)


@pytest.fixture
def api(serve: Callable[..., Api]) -> Api:
    return serve(vigil)


@pytest.fixture
def http(api: Api) -> Iterator[httpx.Client]:
    with served(api.handler) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def watched(api: Api, id: str = "one") -> int:
    """How many requests wait for the end of an execution."""
    return len(api.runtime.ends._watches.get(id, ()))


def later(api: Api, id: str = "one", count: int = 1) -> threading.Thread:
    """Lets the execution end once so many requests wait for it."""

    def end() -> None:
        until(lambda: watched(api, id) == count, what="the requests to wait")
        api.ask("POST", f"/v1/executions/{id}/signals/go", {"payload": "gone"})

    thread = threading.Thread(target=end)
    thread.start()
    return thread


def test_the_answer_comes_with_the_end(api: Api, http: httpx.Client) -> None:
    api.start("vigil")
    ending = later(api)
    answer = http.get("/v1/executions/one?commands=false", headers=LONG)
    ending.join()
    assert (answer.json()["status"], answer.json()["result"]) == ("SUCCEEDED", "gone")
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert watched(api) == 0
    again = http.get("/v1/executions/one", headers=LONG)
    assert (again.json()["status"], again.headers["Preference-Applied"]) == ("SUCCEEDED", "wait=20")


def test_an_execution_that_goes_on_is_answered_when_the_time_is_over(api: Api, http: httpx.Client) -> None:
    api.start("vigil")
    answer = http.get("/v1/executions/one", headers={"Prefer": "respond-async, wait=1"})
    assert (answer.json()["status"], answer.headers["Preference-Applied"]) == ("RUNNING", "wait=1")


@pytest.mark.parametrize("prefer", ["", "wait", "wait=-1", "wait=1.5", "wait=soon", "await=20", "wait=20s"])
def test_another_preference_is_ignored(api: Api, http: httpx.Client, prefer: str) -> None:
    api.start("vigil")
    answer = http.get("/v1/executions/one", headers={"Prefer": prefer})
    assert answer.json()["status"] == "RUNNING"
    assert "Preference-Applied" not in answer.headers


def test_what_no_wait_can_answer_is_answered_at_once(api: Api, http: httpx.Client) -> None:
    assert http.get("/v1/executions/none", headers=LONG).status_code == 404
    assert http.get("/v1/executions", headers=LONG).status_code == 200
    api.start("vigil")
    assert http.get("/v1/executions/one?run=1", headers=LONG).json()["status"] == "RUNNING"


def test_of_a_deletion_nobody_tells_and_it_is_seen_all_the_same(api: Api, http: httpx.Client) -> None:
    api.start("vigil")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(http.get, "/v1/executions/one", headers=LONG)
        until(lambda: watched(api) == 1)
        api.runtime.ends.on_ended = lambda execution: None  # type: ignore[method-assign]
        api.ask("POST", "/v1/executions/one/terminate", {})
        assert waiting.result(30).json()["status"] == "CANCELLED"


def test_a_caller_without_a_key_does_not_wait(serve: Callable[..., Api]) -> None:
    api = serve(vigil, keys=Authenticator(["the-key"]))
    api.ask(
        "POST", "/v1/workflows/vigil/executions", {"execution_id": "one"}, headers={"authorization": "Bearer the-key"}
    )
    with served(api.handler) as url:
        assert httpx.get(f"{url}/v1/executions/one", headers=LONG, timeout=60).status_code == 401
    assert watched(api) == 0


def test_a_client_that_goes_away_is_not_waited_for(api: Api) -> None:
    api.start("vigil")
    with served(api.handler) as url:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(b"GET /v1/executions/one HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=20\r\n\r\n")
            until(lambda: watched(api) == 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it is closed by a reset
        until(lambda: watched(api) == 0, seconds=MAX_END_WAIT_SECONDS / 2, what="the wait to be given up")


def test_a_server_that_stops_answers_those_who_wait(api: Api) -> None:
    api.start("vigil")
    with ThreadPoolExecutor() as pool, serving(api.handler) as server:
        url = f"http://127.0.0.1:{server.port}/v1/executions/one"
        waiting = pool.submit(httpx.get, url, headers=LONG, timeout=60)
        until(lambda: watched(api) == 1)
        server.stop()
        assert waiting.result(MAX_END_WAIT_SECONDS / 2).json()["status"] == "RUNNING"


def test_two_hundred_waits_take_no_thread_from_other_requests(api: Api) -> None:
    api.start("vigil")
    limits = httpx.Limits(max_connections=None)
    with served(api.handler) as url, ThreadPoolExecutor(200) as pool, httpx.Client(limits=limits, timeout=60) as client:
        waiting = [pool.submit(client.get, f"{url}/v1/executions/one", headers=LONG) for _ in range(200)]
        until(lambda: watched(api) == 200)
        assert client.get(f"{url}/v1/executions/one").json()["status"] == "RUNNING"
        later(api, count=200).join()
        assert {answer.result().json()["status"] for answer in waiting} == {"SUCCEEDED"}


def test_a_client_that_waits_for_a_result_asks_once_for_each_wait(api: Api) -> None:
    asked: list[Any] = []
    handler = api.handler

    class Counting:
        ends, admit = handler.ends, staticmethod(handler.admit)

        def __call__(self, event: Any, context: object) -> Any:
            if event["requestContext"]["http"]["method"] == "GET":
                asked.append(event["headers"].get("prefer"))
            return handler(event, context)

    with served(Counting()) as url, Client(url) as client:
        execution = client.run("vigil", execution_id="one")
        ending = later(api)
        assert execution.result(timeout=15) == "gone"
        ending.join()
        assert len(asked) <= 2  # one read before the wait, and one after the end
        assert set(asked) <= {"wait=14", "wait=15"}
        client.run("vigil", execution_id="two")
        with pytest.raises(TimeoutError, match="still RUNNING after 0.3 s"):
            client.execution("two").result(timeout=0.3)
        assert asked[-1] is None


def test_a_run_that_is_named_and_another_method_wait_for_nothing() -> None:
    nobody: Any = None
    waiting = HeldRequests(nobody)
    for method, path, query in (("POST", "/v1/executions/one", ""), ("GET", "/v1/executions/one", "run=2")):
        sent = event(method, path, query=query, headers={"prefer": "wait=3"})
        assert waiting.asked(sent) is None
    asked = waiting.asked(event("GET", "/v1/executions/one", headers={"prefer": "wait=900"}))
    assert asked is not None
    assert asked.seconds == MAX_END_WAIT_SECONDS


@workflow("counter")
async def counter() -> int:
    seen: list[int] = []

    @update
    async def add(number: int) -> int:
        await signal(f"go{number}", str)
        seen.append(number)
        return len(seen)

    await signal("end", str)
    return len(seen)


def test_the_answer_of_an_update_comes_as_it_is_given_and_holds_no_thread(serve: Callable[..., Api]) -> None:
    api = serve(counter)
    api.start("counter")
    with served(api.handler) as url, httpx.Client(base_url=url, timeout=60) as http:

        def send(number: int) -> httpx.Response:
            body = {"payload": number, "wait": 20}
            return http.post("/v1/executions/one/updates/add", json=body)

        many = 24  # more than there are threads for reads and for writes
        with ThreadPoolExecutor(many) as pool:
            sent = [pool.submit(send, number) for number in range(many)]
            until(lambda: watched(api) == many, what="all of them to wait")
            listed = http.get("/v1/executions/one?commands=false", timeout=10)
            assert listed.status_code == 200, "whoever waits is in nobody's way"
            for number in range(many):
                api.ask("POST", f"/v1/executions/one/signals/go{number}", {"payload": "gone"})
            answers = [each.result(30) for each in sent]
    assert [(each.status_code, each.json()["status"]) for each in answers] == [(200, "succeeded")] * many
    assert sorted(each.json()["result"] for each in answers) == list(range(1, many + 1))
    assert watched(api) == 0


def test_an_update_that_is_not_answered_in_time_was_stored_once(serve: Callable[..., Api]) -> None:
    api = serve(counter)
    api.start("counter")
    with served(api.handler) as url, httpx.Client(base_url=url, timeout=60) as http:
        late = http.post("/v1/executions/one/updates/add", json={"payload": 1, "wait": 0.2})
        assert (late.status_code, late.json()["status"]) == (202, "pending")
        path = f"/v1/executions/one/updates/{late.json()['update_id']}"
        assert http.get(path, params={"wait": 0.2}).status_code == 202
        api.ask("POST", "/v1/executions/one/signals/go1", {"payload": "gone"})
        assert http.get(path, params={"wait": 19.98765432101234}).json()["result"] == 1
        updates = [each for each in api.get("/v1/executions/one")["commands"] if each["kind"] == "update"]
        assert len(updates) == 1


def counted(handler: Any, asked: list[str]) -> Any:
    """The handler, which notes the addresses that are read."""

    class Counting:
        ends, admit, may_read = handler.ends, staticmethod(handler.admit), staticmethod(handler.may_read)

        def __call__(self, event: Any, context: object) -> Any:
            if event["requestContext"]["http"]["method"] == "GET":
                asked.append(event["rawPath"])
            return handler(event, context)

    return Counting()


@pytest.mark.parametrize("query", ["", "?commands=false"])
def test_an_execution_that_was_just_started_is_read_once_at_its_end(api: Api, query: str) -> None:
    asked: list[str] = []
    with served(counted(api.handler, asked)) as url:
        api.start("vigil")
        ending = later(api)
        answer = httpx.get(f"{url}/v1/executions/one{query}", headers=LONG, timeout=60)
        ending.join()
    assert (answer.json()["status"], answer.headers["Preference-Applied"]) == ("SUCCEEDED", "wait=20")
    assert asked == ["/v1/executions/one"]


def test_an_end_before_the_wait_is_answered_at_once(api: Api) -> None:
    asked: list[str] = []
    with served(counted(api.handler, asked)) as url:
        api.start("vigil")
        api.ask("POST", "/v1/executions/one/signals/go", {"payload": "gone"})
        until(lambda: not api.runtime.ends.goes_on("one"))
        answer = httpx.get(f"{url}/v1/executions/one", headers=LONG, timeout=5)
    assert answer.json()["result"] == "gone"
    assert asked == ["/v1/executions/one"]


def test_a_wait_whose_request_is_wrong_or_known_is_answered_at_once(api: Api) -> None:
    with served(api.handler) as url:
        api.start("vigil")
        assert httpx.get(f"{url}/v1/executions/one?comands=false", headers=LONG, timeout=5).status_code == 422
        tag = httpx.get(f"{url}/v1/executions/one", timeout=5).headers["ETag"]
        known = httpx.get(f"{url}/v1/executions/one", headers={**LONG, "If-None-Match": tag}, timeout=5)
        assert known.status_code == 304


def test_only_a_caller_that_may_read_every_execution_waits_unread(serve: Callable[..., Api], tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    texts = {
        name: file.create(name, scopes, 1.0, None, Restriction(workflows))[1]
        for name, scopes, workflows in (
            ("reads", ["read"], ()),
            ("looks", ["look"], ()),
            ("starts", ["run"], ()),
            ("limited", ["read"], ("other",)),
        )
    }
    handler = serve(vigil, keys=Authenticator([], file)).handler

    def may(key: str) -> bool:
        return handler.may_read(event("GET", "/v1/executions/one", headers={"authorization": f"Bearer {key}"}))

    assert [name for name, text in texts.items() if may(text)] == ["reads", "looks"]
    assert not may("another")


@pytest.mark.parametrize(
    ("query", "headers", "plain"),
    [
        ("", {}, True),
        ("commands=false", {}, True),
        ("comands=false", {}, False),
        ("largest=5", {}, False),
        ("", {"if-none-match": '"a"'}, False),
    ],
)
def test_only_a_read_that_no_route_refuses_is_left_out(query: str, headers: dict[str, str], plain: bool) -> None:
    nobody: Any = None
    sent = event("GET", "/v1/executions/one", query=query, headers={"prefer": "wait=3", **headers})
    for may_read in (True, False):
        asked = HeldRequests(nobody, lambda event, may=may_read: may).asked(sent)  # type: ignore[misc]
        assert asked is not None
        assert asked.plain == (plain and may_read)
