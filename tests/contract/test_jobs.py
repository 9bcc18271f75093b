"""Bulk jobs by the API: the same in both homes (rule *job*)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from tests.contract.asked import Asked
from tests.http.serving import event

BROKEN = {"fails": True}
STOPPED = "the job was stopped before it came to this execution"


@step(retry=Retry(max_attempts=1))
async def charge(order: int) -> int:
    if BROKEN["fails"]:
        raise ConnectionError("no") if order % 2 else ValueError("no")
    return order


@workflow("failing")
async def failing(order: int) -> int:
    return await charge(order)


@workflow("waiting")
async def waiting(order: int) -> str:
    return await signal("go", str)


class AskedForJobs(Asked):
    """A kit with its API, and short words for jobs."""

    def job(self, id: str, body: dict[str, Any]) -> Any:
        """Starts a job and has time pass until it has ended."""
        self("POST", "/v1/jobs", {"job_id": id, **body}, 201)
        return self.ended(id)

    def ended(self, id: str) -> Any:
        for _ in range(100):
            self.env.advance(timedelta(seconds=1))
            state = self("GET", f"/v1/jobs/{id}")
            if state["status"] not in ("RUNNING", "STOPPING"):
                return state
        raise AssertionError(f"the job is under way after 100 s: {state}")

    def outcomes(self, id: str, limit: int = 1000) -> list[tuple[str, str, str | None]]:
        held, cursor = list[tuple[str, str, str | None]](), ""
        while True:
            page = self("GET", f"/v1/jobs/{id}/report?limit={limit}{cursor}")
            held += [(each["execution_id"], each["outcome"], each["reason"]) for each in page["outcomes"]]
            if page["next"] is None:
                return held
            cursor = f"&cursor={page['next']}"

    def statuses(self) -> dict[str, str]:
        listed = self("GET", "/v1/executions?limit=1000")["executions"]
        return {each["execution_id"]: each["status"] for each in listed if each["workflow"] != "stepfast.job"}


def _embedded() -> Iterator[AskedForJobs]:
    with Environment(failing, waiting) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            handle = build(env._stage.operations, Registry([failing, waiting]), finished)
            path, _, query = path.partition("?")
            answer = handle(event(method, path, body, query=query), None)
            return answer["statusCode"], json.loads(answer["body"])

        yield AskedForJobs(env, ask)


def _cloud() -> Iterator[AskedForJobs]:
    with MotoCloud(failing, waiting) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            path, _, query = path.partition("?")
            answer = env.request(method, path, body, query=dict(parse_qsl(query)))
            return answer.status, json.loads(answer.body)

        yield AskedForJobs(env, ask)


@pytest.fixture(params=[_embedded, _cloud])
def api(request: pytest.FixtureRequest) -> Iterator[AskedForJobs]:
    BROKEN["fails"] = True
    yield from request.param()
    BROKEN["fails"] = True


def begin(api: AskedForJobs, workflow: Any, count: int, prefix: str = "o") -> None:
    for number in range(count):
        api.env.start(workflow, number, execution_id=f"{prefix}{number}")
    api.env.advance(timedelta(seconds=5))


def test_a_resume_by_error_takes_those_alone(api: AskedForJobs) -> None:
    begin(api, failing, 6)
    BROKEN["fails"] = False
    job = api.job("j", {"action": "resume", "filter": {"workflow": "failing", "error": "ConnectionError"}, "why": "up"})
    assert (job["status"], job["seen"], job["done"], job["skipped"], job["failed"]) == ("SUCCEEDED", 3, 3, 0, 0)
    api.env.advance(timedelta(seconds=5))
    ended = api.statuses()
    assert {id for id, status in ended.items() if status == "SUCCEEDED"} == {"o1", "o3", "o5"}
    assert sorted(api.outcomes("j")) == [("o1", "done", None), ("o3", "done", None), ("o5", "done", None)]
    assert [each["job_id"] for each in api("GET", "/v1/jobs")["jobs"]] == ["j"]


def test_what_does_not_allow_the_action_is_skipped_and_the_report_says_why(api: AskedForJobs) -> None:
    begin(api, waiting, 2, "w")
    begin(api, failing, 1, "f")
    job = api.job("j", {"action": "pause", "ids": ["w0", "f0", "none", "w1", "w0", "j"], "why": "the night"})
    assert (job["done"], job["skipped"], job["total"]) == (2, 3, 5)
    assert api.statuses() == {"w0": "PAUSED", "w1": "PAUSED", "f0": "FAILED"}
    said = {id: (outcome, reason) for id, outcome, reason in api.outcomes("j", 2)}
    assert said["w0"] == said["w1"] == ("done", None)
    assert said["f0"] == ("skipped", "execution 'f0' is FAILED: only a RUNNING one is taken")
    assert said["none"] == ("skipped", "no execution has the id 'none'")
    assert said["j"] == ("skipped", "it is a job: jobs do not act on jobs")
    history = api("GET", "/v1/executions/w0")["intervention"]
    assert (history["action"], history["why"]) == ("pause", "the night (job j)")


@pytest.mark.parametrize(
    ("actions", "ends"),
    [
        (["pause", "unpause"], "RUNNING"),
        (["cancel"], "CANCELLED"),
        (["terminate"], "CANCELLED"),
        (["pause", "terminate"], "CANCELLED"),
    ],
)
def test_actions_on_running_executions(api: AskedForJobs, actions: list[str], ends: str) -> None:
    begin(api, waiting, 3)
    for action in actions:
        assert api.job(f"job-{action}", {"action": action, "filter": {"workflow": "waiting"}})["done"] == 3
    assert api.statuses() == {"o0": ends, "o1": ends, "o2": ends}


def test_failures_are_closed_reopened_and_deleted(api: AskedForJobs) -> None:
    begin(api, failing, 3)
    assert api.job("a", {"action": "close", "filter": {}})["done"] == 3
    assert set(api.statuses().values()) == {"CLOSED"}
    assert api.job("b", {"action": "reopen", "ids": ["o0"]})["done"] == 1
    assert api.job("c", {"action": "delete", "filter": {"status": "CLOSED"}})["done"] == 2
    assert api.statuses() == {"o0": "FAILED"}


def test_failures_are_forked_once_each(api: AskedForJobs) -> None:
    begin(api, failing, 3)
    BROKEN["fails"] = False
    job = api.job("j", {"action": "fork", "filter": {"status": "FAILED"}, "why": "mended"})
    assert (job["status"], job["done"], job["skipped"]) == ("SUCCEEDED", 3, 0)
    api.env.advance(timedelta(seconds=5))
    notes = {id: reason for id, _, reason in api.outcomes("j")}
    assert set(notes) == {"o0", "o1", "o2"}
    for origin, note in notes.items():
        fork = api("GET", f"/v1/executions/{(note or '').removeprefix('forked as ')}")
        assert (fork["status"], fork["forked_from"]["execution_id"]) == ("SUCCEEDED", origin)
        assert fork["forked_from"]["why"] == "mended (job j)"
        assert api("GET", f"/v1/executions/{origin}")["status"] == "FAILED"
    # The same ids again, by another job: other forks. A SUCCEEDED one has no failure to fork at, and is skipped.
    again = api.job("k", {"action": "fork", "ids": ["o0", (notes["o1"] or "").removeprefix("forked as ")]})
    assert (again["done"], again["skipped"]) == (1, 1)
    assert len(api.statuses()) == 7


def test_a_fork_by_a_filter_needs_a_status(api: AskedForJobs) -> None:
    answer = api("POST", "/v1/jobs", {"action": "fork", "filter": {}}, 422)
    assert "fork needs a status" in answer["detail"]


def test_jobs_are_not_in_the_list_of_executions(api: AskedForJobs) -> None:
    begin(api, waiting, 2)
    for id in ("j", "k"):
        assert api.job(id, {"action": "pause", "filter": {"workflow": "waiting"}})["status"] == "SUCCEEDED"

    def listed(query: str) -> set[str]:
        page = api("GET", f"/v1/executions?{query}")
        assert page["next"] is None
        return {each["execution_id"] for each in page["executions"]}

    assert listed("") == listed("roots=true") == listed("workflow=waiting") == {"o0", "o1"}
    assert listed("status=SUCCEEDED") == listed("prefix=j") == set()
    assert listed("workflow=stepfast.job") == listed("workflow=stepfast.job&status=SUCCEEDED") == {"j", "k"}
    assert listed("workflow=stepfast.job&prefix=j") == {"j"}
    assert [each["job_id"] for each in api("GET", "/v1/jobs")["jobs"]] == ["k", "j"]


def test_a_job_is_started_once_for_its_id(api: AskedForJobs) -> None:
    begin(api, waiting, 1)
    body = {"action": "pause", "filter": {"workflow": "waiting"}, "job_id": "j"}
    api("POST", "/v1/jobs", body, 201)
    api("POST", "/v1/jobs", body, 200)
    assert api.ended("j")["done"] == 1
    assert api("POST", "/v1/jobs", body, 200)["status"] == "SUCCEEDED"
    api("POST", "/v1/jobs", {**body, "rate": 7}, 409)
    api("POST", "/v1/jobs", {**body, "job_id": "o0"}, 409)


def test_a_stopped_job_leaves_the_rest(api: AskedForJobs) -> None:
    begin(api, waiting, 9)
    api("POST", "/v1/jobs", {"job_id": "j", "action": "terminate", "filter": {}, "rate": 0.5}, 201)
    api.env.advance(timedelta(seconds=5))
    api("POST", "/v1/jobs/j/stop", {"why": "a mistake"})
    api.env.advance(timedelta(seconds=5))
    job = api("GET", "/v1/jobs/j")
    assert (job["status"], job["stop"]["why"]) == ("STOPPED", "a mistake")
    assert 1 <= job["done"] <= 5
    assert list(api.statuses().values()).count("CANCELLED") == job["done"]
    said = api.outcomes("j")
    assert len(said) == job["seen"] == job["done"] + job["skipped"]
    assert {reason for _, outcome, reason in said if outcome == "skipped"} <= {STOPPED}
    assert api("POST", "/v1/jobs/j/stop", {"why": "again"})["stop"]["why"] == "a mistake"


def test_the_rate_is_kept(api: AskedForJobs) -> None:
    begin(api, waiting, 20)
    assert api.job("j", {"action": "pause", "filter": {}, "rate": 2})["done"] == 20
    times = sorted(
        datetime.fromisoformat(api("GET", f"/v1/executions/o{number}")["intervention"]["at"]).timestamp()
        for number in range(20)
    )
    assert times[-1] - times[0] == pytest.approx(9.5, rel=0.05)
    assert max(later - earlier for earlier, later in pairwise(times)) < 1.5


def test_what_fails_or_starts_after_the_job_is_skipped(api: AskedForJobs) -> None:
    begin(api, failing, 4)
    body = {"job_id": "j", "action": "resume", "filter": {}, "rate": 0.5}
    api("POST", "/v1/jobs", body, 201)
    api.env.advance(timedelta(seconds=1))
    begin(api, failing, 2, "later")
    job = api.ended("j")
    assert job["done"] == 4  # each of them fails again, and is not resumed twice
    assert {id for id, *_ in api.outcomes("j")} == {"o0", "o1", "o2", "o3"}


def test_a_long_job_goes_on_in_runs_and_its_report_has_all(api: AskedForJobs) -> None:
    ids = [f"none{number}" for number in range(250)]
    job = api.job("j", {"action": "close", "ids": ids, "rate": 1})
    assert (job["skipped"], job["seen"]) == (250, 250)
    assert [id for id, *_ in api.outcomes("j", 100)] == ids


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"action": "explode", "filter": {}}, "must be one of resume, cancel"),
        ({"action": "close"}, 'send either "ids" or "filter"'),
        ({"action": "close", "ids": ["a"], "filter": {}}, 'send either "ids" or "filter"'),
        ({"action": "close", "filter": {}, "rate": 0}, "above 0"),
        ({"action": "close", "filter": {}, "rate": 1001}, "at most 1000"),
        ({"action": "close", "ids": []}, "1 to 100,000 ids"),
        ({"action": "close", "ids": ["a"] * 100_001}, "1 to 100,000 ids"),
        ({"action": "close", "filter": {"status": "RUNNING"}}, "FAILED"),
        ({"action": "delete", "filter": {}}, "needs a status"),
        ({"action": "close", "filter": {}, "options": {"cleanup_seconds": 3}}, "no option 'cleanup_seconds'"),
        ({"action": "close", "filter": {"since": "yesterday"}}, "a time is ISO 8601"),
        ({"action": "close", "filter": {"colour": "red"}}, "colour"),
    ],
)
def test_what_cannot_be_done_is_refused(api: AskedForJobs, body: dict[str, Any], says: str) -> None:
    refused = api("POST", "/v1/jobs", body, 422)
    assert says in json.dumps(refused, ensure_ascii=False).replace('\\"', '"'), refused


def test_an_execution_is_no_job_and_a_job_is_started_by_its_route_alone(api: AskedForJobs) -> None:
    begin(api, waiting, 1)
    for path in ("/v1/jobs/o0", "/v1/jobs/o0/report", "/v1/jobs/none"):
        api("GET", path, status=404)
    api("POST", "/v1/jobs/o0/stop", status=404)
    api("POST", "/v1/workflows/stepfast.job/executions", {"input": {}}, 404)
    api("GET", "/v1/jobs/o0/report?cursor=x", status=422)
