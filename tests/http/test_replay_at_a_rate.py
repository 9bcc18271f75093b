"""A replay at a rate goes on in the server: no request waits for it, and it needs nobody to ask."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from stepfast import Client, Retry, step, workflow
from stepfast.http.api import build
from tests.http.serving import Api, event, served
from tests.waiting import until


@step(retry=Retry(max_attempts=1))
def work(n: int) -> int:
    raise KeyError(n)


@workflow("failing")
async def failing(n: int) -> int:
    return await work(n)


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(failing)
    for number in range(6):
        made.start("failing", number, str(number))
        made.ends("FAILED", id=str(number))
    return made


def replay(api: Api, **body: Any) -> Any:
    answer = api.ask("POST", "/v1/dead-letters/replay", body)
    assert answer.status == 200, answer
    return answer.body


def generations(api: Api) -> int:
    return sum(execution["generation"] for execution in api.get("/v1/executions")["executions"])


@pytest.mark.parametrize("selector", [{"all": True}, {"execution_ids": list("012345")}, {"workflow": "failing"}])
def test_it_answers_at_once_and_names_the_job_that_goes_on(api: Api, selector: dict[str, Any]) -> None:
    answer = replay(api, **selector, rate=0.01)  # a hundred seconds between two
    assert (answer["remaining"], answer["working"], answer["after"]) == (True, True, 5)
    assert answer["next"].keys() >= {"job", "rate", *selector}
    job = api.get(f"/v1/jobs/{answer['next']['job']}")
    assert (job["action"], job["rate"], job["status"]) == ("resume", 0.01, "RUNNING")
    again = replay(api, **answer["next"])
    assert (again["working"], again["next"]["job"]) == (True, answer["next"]["job"])


def test_it_goes_on_when_nobody_asks(api: Api) -> None:
    assert replay(api, all=True, rate=20)["working"] is True
    until(lambda: generations(api) == 6)


def test_who_asks_is_told_each_outcome_once(api: Api) -> None:
    body: dict[str, Any] | None = {"execution_ids": [*"0123", "nobody"], "rate": 40}
    seen: list[tuple[str, bool]] = []
    answers = 0
    while body is not None:
        answer = replay(api, **body)
        seen += [(result["execution_id"], result["resumed"]) for result in answer["results"]]
        assert answer["remaining"] == (answer["next"] is not None)
        body, answers = answer["next"], answers + 1
        time.sleep(0.01)
    assert sorted(seen) == [("0", True), ("1", True), ("2", True), ("3", True), ("nobody", False)]
    assert answers > 1


def test_it_keeps_to_its_rate(api: Api) -> None:
    begun = time.monotonic()
    replay(api, all=True, rate=10)
    until(lambda: generations(api) == 6)
    assert time.monotonic() - begun >= 0.5


def test_another_process_tells_what_has_come_of_it(api: Api) -> None:
    body: Any = replay(api, execution_ids=list("0123"), rate=100)["next"]
    elsewhere = build(api.runtime.operations, api.registry, api.runtime.call)
    resumed = 0
    while body is not None:
        response = elsewhere(event("POST", "/v1/dead-letters/replay", body), None)
        answer = json.loads(response["body"])
        body, resumed = answer["next"], resumed + answer["resumed"]
        time.sleep(0.01)
    assert resumed == 4


def test_what_a_server_of_an_earlier_version_has_begun_is_gone_on_with(api: Api) -> None:
    answer = replay(api, execution_ids=list("0123"), rate=1000, job="of-another-server")
    assert answer["next"]["job"] != "of-another-server"
    until(lambda: generations(api) == 4)


@pytest.mark.timeout(60)  # a thread that waited for a replay would take minutes
def test_many_replays_leave_every_thread_to_others(api: Api) -> None:
    with served(api.handler) as url, Client(url, retry_for=0) as client:
        for _ in range(20):
            body = {"execution_ids": ["a", "b"], "rate": 0.01}
            client._stacks.first.send("POST", "/v1/dead-letters/replay", dict, body)
        client.health()
        client.list()


def test_the_client_follows_it_to_its_end(api: Api) -> None:
    progress: list[Any] = []
    with served(api.handler) as url, Client(url, retry_for=0) as client:
        answer = client.replay_dead_letters(all=True, rate=30, each=progress.append)
    assert answer["resumed"] == len(progress) == 6
