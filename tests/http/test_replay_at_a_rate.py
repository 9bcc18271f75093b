"""A replay at a rate goes on in the server: no request waits for it, and it needs nobody to ask."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from stepfast import Client, Retry, step, workflow
from stepfast.errors import Unavailable
from stepfast.http import jobs as jobs_module
from stepfast.http.api import build
from stepfast.http.jobs import Job, Jobs
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
def test_it_answers_at_once_and_says_what_goes_on(api: Api, selector: dict[str, Any]) -> None:
    answer = replay(api, **selector, rate=0.01)  # a hundred seconds between two
    assert len(answer["results"]) == 1
    assert (answer["remaining"], answer["working"], answer["after"]) == (True, True, 100)
    assert answer["next"].keys() >= {"job", "rate", *(selector.keys() & {"all", "workflow"})}
    again = replay(api, **answer["next"])
    assert (again["results"], again["working"], again["next"]) == ([], True, answer["next"])


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
    assert seen == [("0", True), ("1", True), ("2", True), ("3", True), ("nobody", False)]
    assert answers > 1


def test_it_keeps_to_its_rate(api: Api) -> None:
    begun = time.monotonic()
    replay(api, all=True, rate=10)
    until(lambda: generations(api) == 6)
    assert time.monotonic() - begun >= 0.5


def test_another_process_goes_on_with_what_is_next(api: Api) -> None:
    answer = replay(api, execution_ids=list("0123"), rate=0.01)
    elsewhere = build(api.runtime.operations, api.registry, api.runtime.call)
    response = elsewhere(event("POST", "/v1/dead-letters/replay", {**answer["next"], "rate": 1000}), None)
    assert response["statusCode"] == 200
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


def test_where_a_process_ends_with_its_request_it_works_within_its_time(api: Api) -> None:
    here = build(api.runtime.operations, api.registry, api.runtime.call, background=False)
    response = here(event("POST", "/v1/dead-letters/replay", {"all": True, "rate": 100}), None)
    answer = json.loads(response["body"])
    assert (answer["resumed"], answer["working"], answer["next"]) == (6, False, None)


# -- jobs -----------------------------------------------------------------------------------------------------


class Counting(Job):
    def __init__(self, steps: int, wait: float = 0.0) -> None:
        super().__init__()
        self.left, self.wait = steps, wait

    def step(self) -> float | None:
        self.left -= 1
        if self.left < 0:
            raise ZeroDivisionError("a secret")
        return self.wait if self.left else None

    def rest(self) -> None:
        return None


def test_a_job_that_fails_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    jobs, bad, good = Jobs(), Counting(0), Counting(3)
    jobs.add(bad, 0.0)
    jobs.add(good, 0.0)
    until(lambda: bad.ended and good.ended)
    assert bad.failure is not None
    assert good.failure is None
    assert "secret" not in caplog.text


def test_there_are_only_so_many_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MAX_JOBS", 3)
    jobs = Jobs()
    done = Counting(1)
    jobs.add(done, 0.0)
    until(lambda: done.ended)
    for _ in range(3):  # the one that has ended makes room
        jobs.add(Counting(9, 1000.0), 1000.0)
    with pytest.raises(Unavailable):
        jobs.add(Counting(1), 0.0)
