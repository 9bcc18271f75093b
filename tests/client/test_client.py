"""The client against the real API, through networks that lose things."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import BaseModel

import stepfast
from stepfast import Client, Retry, signal, step, workflow
from stepfast.client import ExecutionCancelled, ExecutionFailed, NotAllowed, Unreachable
from stepfast.client.problems import PROBLEMS
from stepfast.errors import (
    PROBLEM_URN,
    ExecutionConflict,
    ExecutionNotFound,
    InvalidRequest,
    Misconfigured,
    Refused,
    StepfastError,
    Unavailable,
    UnknownWorkflow,
    WrongStatus,
)
from stepfast.http import problems
from stepfast.http.auth import Authenticator
from stepfast.update_errors import QueryFailed
from tests.http.serving import Api, served
from tests.waiting import until


class Order(BaseModel):
    name: str
    due: datetime | None = None
    secret: bytes = b""


@dataclass
class Plain:
    name: str


mended = threading.Event()
ran: list[str] = []


@step(retry=Retry(max_attempts=1))
def ship(name: str) -> str:
    ran.append(name)
    if name == "bad" and not mended.is_set():
        raise ConnectionError("carrier is [down]")
    if name == "slow":
        if ran.count("slow") == 1:
            raise ConnectionError("not the first time")
        mended.wait(20)
    return f"shipped {name}"


@workflow("ship-order")
async def ship_order(order: Order) -> str:
    return await ship(order.name)


@workflow("approval")
async def approval() -> dict[str, int]:
    return {"amount": await signal("approved", int)}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    mended.clear()
    ran.clear()
    made = Api(tmp_path / "test.db", (ship_order, approval), (ship,))
    yield made
    made.close()


@pytest.fixture
def client(api: Api) -> Iterator[Client]:
    with served(api.handler) as url, Client(url) as made:
        yield made


# -- running ----------------------------------------------------------------------------------------------


def test_run_returns_at_once_and_result_waits(client: Client) -> None:
    execution = client.run("ship-order", {"name": "a"}, labels={"team": "ops"})
    assert execution.created
    assert execution.result(timeout=20) == "shipped a"
    assert execution.status() == "SUCCEEDED"
    described = execution.describe()
    assert (described["execution_id"], described["labels"]) == (execution.execution_id, {"team": "ops"})
    assert [event["type"] for event in execution.history()][-1] == "execution-succeeded"
    assert execution.execution_id in repr(execution)


@pytest.mark.parametrize(
    "inputs",
    [Order(name="a", due=datetime(2026, 1, 1, tzinfo=UTC), secret=b"\xff\x00"), Plain("a"), {"name": "a"}],
    ids=["model", "dataclass", "json"],
)
def test_inputs_may_be_models_dataclasses_or_json(client: Client, api: Api, inputs: Any) -> None:
    execution = client.run("ship-order", inputs, "typed")
    assert execution.result(20) == "shipped a"
    if isinstance(inputs, Order):
        stored = api.runtime.call(api.runtime.operations.read("typed")).input
        assert Order.model_validate(ship_order.input.decode(stored)) == inputs


def test_the_same_run_again_is_the_same_execution(client: Client) -> None:
    first = client.run("ship-order", {"name": "a"}, "mine")
    again = client.run("ship-order", Order(name="a"), execution_id="mine")
    assert (first.created, again.created) == (True, False)
    assert first.execution_id == again.execution_id == "mine"
    assert again.result(20) == "shipped a"
    assert ran == ["a"]


def test_a_failure_names_the_step_and_the_error(client: Client) -> None:
    execution = client.run("ship-order", {"name": "bad"}, "e1")
    with pytest.raises(ExecutionFailed) as failed:
        execution.result(20)
    error = failed.value
    assert (error.execution_id, error.step, error.error_type) == ("e1", "ship", "ConnectionError")
    assert error.message == "carrier is [down]"
    assert "in ship" in (error.traceback or "")
    assert str(error) == "execution 'e1' failed in step 'ship': ConnectionError: carrier is [down]"
    mended.set()
    assert execution.resume()["generation"] == 1
    assert execution.result(20) == "shipped bad"


def test_waiting_ends_with_the_timeout_and_can_be_repeated(client: Client) -> None:
    execution = client.run("approval")
    with pytest.raises(TimeoutError, match="still RUNNING after 0.1 s"):
        execution.result(timeout=0.1)
    execution.signal("approved", 7)
    assert execution.result(timeout=20) == {"amount": 7}


def test_a_cancelled_execution_has_no_result(client: Client) -> None:
    execution = client.run("approval")
    assert execution.cancel()["status"] == "CANCELLED"
    with pytest.raises(ExecutionCancelled, match="was cancelled"):
        execution.result(20)


def test_a_client_serves_many_threads(client: Client) -> None:
    failures: list[BaseException] = []

    def start_and_wait(number: int) -> None:
        try:
            assert client.run("ship-order", {"name": str(number)}).result(20) == f"shipped {number}"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start_and_wait, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# -- steering and looking -----------------------------------------------------------------------------------


def test_signals_are_sent_once_by_their_id(client: Client) -> None:
    execution = client.run("approval")
    first = execution.signal("other", {"x": 1}, "s1")
    again = execution.signal("other", {"x": 1}, signal_id="s1")
    assert again == {**first, "note": None, "waits_for": []}  # what is waited for is told with the first call
    with pytest.raises(ExecutionConflict):
        execution.signal("other", {"x": 2}, "s1")
    until(lambda: execution.describe()["commands"])
    with pytest.raises(InvalidRequest) as refused:
        execution.signal("approved", "much")
    assert [path for path, _ in refused.value.fields] == ["payload"]


def test_executions_are_listed_by_filters_and_pages(client: Client) -> None:
    for number in range(3):
        client.run("ship-order", {"name": "a"}, str(number), {"n": str(number), "eq": "a=b:c,d"}).result(20)
    assert [execution["execution_id"] for execution in client.list(limit=2)["executions"]] == ["2", "1"]
    page = client.list(limit=2)
    assert [execution["execution_id"] for execution in client.list(limit=2, cursor=page["next"])["executions"]] == ["0"]
    assert len(client.list(labels={"n": "1", "eq": "a=b:c,d"})["executions"]) == 1
    assert client.list("approval")["executions"] == []
    assert [execution["execution_id"] for execution in client.list(prefix="1")["executions"]] == ["1"]
    assert client.list(status="FAILED")["executions"] == []
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert len(client.list(since=hour_ago, until=hour_ago.timestamp() + 7200)["executions"]) == 3
    assert client.list(until=hour_ago.isoformat())["executions"] == []


def test_dead_letters_are_listed_and_replayed(client: Client) -> None:
    for number in range(3):
        with pytest.raises(ExecutionFailed):
            client.run("ship-order", {"name": "bad"}, str(number)).result(20)
    assert [
        dead_letter["execution_id"]
        for dead_letter in client.dead_letters("ship-order", "ConnectionError")["dead_letters"]
    ] == [
        "2",
        "1",
        "0",
    ]
    by_step = client.dead_letters(step="ship", limit=2)["dead_letters"]
    assert [dead_letter["execution_id"] for dead_letter in by_step] == ["2", "1"]
    assert client.dead_letters(step="")["dead_letters"] == []
    groups = client.dead_letter_groups("ship-order")
    assert [(group["step"], group["error"], group["count"]) for group in groups["groups"]] == [
        ("ship", "ConnectionError", 3)
    ]
    assert groups["complete"]
    mended.set()
    assert client.replay_dead_letters(step="")["resumed"] == 0
    seen: list[Any] = []
    answer = client.replay_dead_letters(["0", "nobody"], each=seen.append)
    assert (answer["resumed"], answer["results"]) == (1, seen)
    assert [outcome["resumed"] for outcome in seen] == [True, False]
    assert client.replay_dead_letters(error="ConnectionError", rate=200)["resumed"] == 2
    assert client.execution("2").result(20) == "shipped bad"
    assert client.replay_dead_letters(all=True) == {"resumed": 0, "results": []}


def test_workflows_and_health_are_returned(client: Client) -> None:
    assert [workflow["name"] for workflow in client.workflows()] == ["approval", "ship-order"]
    assert client.health()["status"] == "ok"


# -- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", [{"labels": {"team": "\udcff"}}, {"contains": "\udcff"}, {"workflow": "\udcff"}], ids=str
)
def test_a_filter_that_is_not_utf8_is_refused_before_it_is_sent(client: Client, query: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="is not UTF-8 text"):
        client.list(**query)


def test_refusals_are_the_exceptions_of_the_engine(client: Client) -> None:
    with pytest.raises(UnknownWorkflow, match="there are: approval, ship-order"):
        client.run("nope")
    with pytest.raises(InvalidRequest) as refused:
        client.run("ship-order", {"name": 5})
    assert refused.value.fields == (("input.name", "Input should be a valid string"),)
    with pytest.raises(ExecutionNotFound):
        client.execution("nobody").status()
    execution = client.run("approval", execution_id="e")
    with pytest.raises(ExecutionConflict):
        client.run("ship-order", {"name": "a"}, "e")
    with pytest.raises(WrongStatus) as wrong:
        execution.resume()
    assert wrong.value.status == "RUNNING"
    with pytest.raises(Refused):
        client.replay_dead_letters()


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"a": object()}, {"a": "\udc80"}, object(), {1: 2}])
def test_what_is_not_json_is_refused_before_it_is_sent(client: Client, value: Any) -> None:
    with pytest.raises(InvalidRequest):
        client.run("ship-order", value)
    with pytest.raises(InvalidRequest):
        client.execution("e").signal("s", value)


@pytest.mark.parametrize("text", ["", "a/b", "é", "..", "x" * 129, "a b"])
def test_ids_and_names_that_are_not_valid_are_refused_before_they_are_sent(client: Client, text: str) -> None:
    for call in (
        lambda: client.run(text),
        lambda: client.run("approval", execution_id=text),
        lambda: client.execution(text),
        lambda: client.execution("e").signal(text),
    ):
        with pytest.raises(InvalidRequest, match="A-Z a-z 0-9"):
            call()


@pytest.mark.parametrize("url", ["localhost:8787", "ftp://x", "http://", "", "http://[::1", 7])
def test_a_url_that_is_not_valid_is_refused(url: Any) -> None:
    with pytest.raises(InvalidRequest, match="URL"):
        Client(url)


def test_api_keys_are_sent_and_wrong_ones_refused(tmp_path: Path) -> None:
    api = Api(tmp_path / "test.db", (approval,), keys=Authenticator(["secret"]))
    try:
        with served(api.handler) as url:
            with Client(url, api_key="secret") as client:
                assert client.run("approval").status() == "RUNNING"
            for key in (None, "wrong"):
                with Client(url, key) as client, pytest.raises(NotAllowed, match="API key") as refused:
                    client.workflows()
                assert "wrong" not in str(refused.value)
                assert refused.value.scope is None
    finally:
        api.close()
    for key in ("", "schlüssel", "a\nb"):
        with pytest.raises(InvalidRequest, match="ASCII"):
            Client(url, key)


def test_client_and_api_agree_on_the_types_of_problems() -> None:
    ours = {name: kind for kind, _, name, _ in problems._OURS}
    special = {"invalid-request": InvalidRequest, "wrong-status": WrongStatus, "unavailable": Unavailable}
    special |= {"query-failed": QueryFailed}
    assert ours == {**PROBLEMS, **special}


def test_the_package_offers_the_client_lazily() -> None:
    assert stepfast.Client is Client
    assert stepfast.Execution is type(Client("http://localhost").execution("x"))


# -- networks that lose things --------------------------------------------------------------------------------


@contextmanager
def lossy(url: str, lose: Callable[[int], bool]) -> Iterator[tuple[str, list[int]]]:
    """A proxy that passes every request on, and drops the answer to the n-th if `lose(n)`."""
    upstream, stop = urlsplit(url), threading.Event()
    counted: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def pump() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(10)
            with connection, httpx.Client() as http:
                reader = connection.makefile("rb")
                method, target, _ = reader.readline().decode().split()
                headers: dict[str, str] = {}
                while line := reader.readline().decode().strip():
                    name, _, value = line.partition(": ")
                    headers[name] = value
                body = reader.read(int(headers.get("Content-Length", 0)))
                headers["Connection"] = "close"
                answer = http.request(
                    method, f"http://{upstream.netloc}{target}", content=body, headers=headers, timeout=10
                )
                counted.append(len(counted))
                reader.close()
                if lose(counted[-1]):
                    continue
                head = (
                    f"HTTP/1.1 {answer.status_code} X\r\nContent-Length: {len(answer.content)}\r\nConnection: close\r\n"
                )
                kind = answer.headers["content-type"]
                connection.sendall(f"{head}Content-Type: {kind}\r\n\r\n".encode() + answer.content)

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", counted
    finally:
        stop.set()
        thread.join()
        listener.close()


def test_a_lost_answer_never_starts_a_second_execution(api: Api) -> None:
    with served(api.handler) as url, lossy(url, lambda n: n < 3) as (lossy_url, counted), Client(lossy_url) as client:
        execution = client.run("ship-order", {"name": "a"})
        assert len(counted) == 4
        assert execution.result(20) == "shipped a"
    assert len(api.get("/v1/executions")["executions"]) == 1
    assert ran == ["a"]


def test_a_lost_answer_never_sends_a_second_signal(api: Api) -> None:
    with served(api.handler) as url, lossy(url, lambda n: n % 2 == 0) as (lossy_url, _), Client(lossy_url) as client:
        execution = client.run("approval")
        execution.signal("approved", 3)
        assert execution.result(20) == {"amount": 3}
        assert [event["type"] for event in execution.history()].count("signal-received") == 1


def test_resume_and_cancel_whose_answer_was_lost_have_done_their_work(api: Api) -> None:
    with served(api.handler) as url, Client(url) as sure:
        failed, running = sure.run("ship-order", {"name": "slow"}), sure.run("approval")
        with pytest.raises(ExecutionFailed):
            failed.result(20)
        with lossy(url, lambda n: n == 0) as (lossy_url, _), Client(lossy_url) as client:
            assert client.execution(running.execution_id).cancel()["status"] == "CANCELLED"
            with pytest.raises(WrongStatus):  # nothing was lost this time
                client.execution(running.execution_id).cancel()
        with lossy(url, lambda n: n == 0) as (lossy_url, _), Client(lossy_url) as client:
            assert client.execution(failed.execution_id).resume()["generation"] == 1
        mended.set()
        assert failed.result(20) == "shipped slow"


class Scripted:
    """A Lambda handler that answers with statuses from a list, then as the real one."""

    def __init__(self, handler: Any, *answers: tuple[int, dict[str, str], str]) -> None:
        self.handler, self.answers = handler, list(answers)
        self.at: list[float] = []

    def __call__(self, event: Any, context: Any) -> Any:
        self.at.append(time.monotonic())
        if not self.answers:
            return self.handler(event, context)
        status, headers, body = self.answers.pop(0)
        return {"statusCode": status, "headers": headers, "body": body}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_servers_that_are_away_are_asked_again(api: Api, status: int) -> None:
    scripted = Scripted(api.handler, (status, {}, "<html>"), (status, {"Retry-After": "0"}, ""))
    with served(scripted) as url, Client(url) as client:
        assert client.health()["status"] == "ok"
    assert len(scripted.at) == 3


def test_retry_after_is_honoured(api: Api) -> None:
    later = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    scripted = Scripted(api.handler, (503, {"Retry-After": "1"}, ""), (429, {"Retry-After": later}, ""))
    with served(scripted) as url, Client(url) as client:
        client.health()
    assert scripted.at[1] - scripted.at[0] >= 1.0
    assert len(scripted.at) == 3


@pytest.mark.parametrize(
    ("status", "raised"), [(503, Unavailable), (500, Unavailable), (404, Refused), (302, Refused), (200, Refused)]
)
def test_an_answer_of_another_server_is_named_as_such(api: Api, status: int, raised: type[StepfastError]) -> None:
    scripted = Scripted(api.handler, *([(status, {"Content-Type": "text/html"}, "<html>")] * 9))
    with served(scripted) as url, Client(url, retry_for=0) as client, pytest.raises(raised, match=url):
        client.health()


def test_trying_again_ends_when_its_time_is_up(api: Api) -> None:
    scripted = Scripted(api.handler, *([(503, {"Retry-After": "30"}, "")] * 9))
    with served(scripted) as url, Client(url, retry_for=1.0) as client, pytest.raises(Unavailable):
        client.health()
    assert len(scripted.at) == 1


def test_an_address_where_nothing_listens_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", retry_for=0.5) as client, pytest.raises(Unreachable) as refused:
        client.run("approval")
    assert (refused.value.sent, refused.value.reason) == (False, "Connection refused")


def test_a_server_that_never_answers_is_given_up_and_may_have_been_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Client(url, timeout=0.1, retry_for=0) as client, pytest.raises(Unreachable, match="too long") as refused:
            client.run("approval")
    assert refused.value.sent


def test_a_proxy_of_the_environment_is_not_used_for_loopback(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    with Client(client.url, timeout=5, retry_for=0) as direct:
        assert direct.health()["status"] == "ok"


def test_a_restart_of_the_server_is_outlasted_while_waiting(api: Api, tmp_path: Path) -> None:
    answers: list[Any] = [(503, {}, json.dumps({"type": f"{PROBLEM_URN}unavailable", "detail": "stopping"}))] * 3
    with served(Scripted(api.handler)) as url, Client(url) as starter:
        execution_id = starter.run("ship-order", {"name": "a"}).execution_id
    with served(Scripted(api.handler, *answers)) as url, Client(url) as client:
        assert client.execution(execution_id).result(20) == "shipped a"


def test_what_someone_must_mend_first_is_not_asked_again(api: Api) -> None:
    problem = json.dumps({"type": f"{PROBLEM_URN}misconfigured", "detail": "this deployment is not in order"})
    scripted = Scripted(api.handler, *([(503, {"Content-Type": "application/problem+json"}, problem)] * 3))
    with served(scripted) as url, Client(url, retry_for=60) as client:
        with pytest.raises(Misconfigured, match="not in order"):
            client.list()
        with pytest.raises(Misconfigured, match="not in order"):
            client.list()
