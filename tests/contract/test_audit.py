"""The audit list in both homes: every change has a line with who, what and why, and none has a value (rule *audit*)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.deployment.project import Project
from stepfast.engine.audit import AuditOperations
from stepfast.engine.audit_store import AuditLine, AuditQuery, AuditSettings
from stepfast.errors import InvalidRequest, Unavailable
from stepfast.http import auditing
from stepfast.http.api import Api, build, scopes_by_route
from stepfast.http.auditing import Auditing
from stepfast.http.auth import GatewayAuth
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from tests.contract.asked import Asked
from tests.contract.test_intervention_store import ONE
from tests.http.serving import event

SECRET = "s3cret-value"


@step(retry=Retry(max_attempts=1))
async def audited_charge(order: str) -> str:
    raise ConnectionError(order)


@workflow("audited")
async def audited(order: str) -> str:
    if order.startswith("wait"):
        return await signal("go", str)
    return await audited_charge(order)


class _ByName(GatewayAuth):
    """The callers of these tests, as the authorizer names them."""


def _named(asked: dict[str, Any], name: str) -> dict[str, Any]:
    context = {"lambda": {"scopes": "read run operate", "key": name}}
    return {**asked, "requestContext": {**asked["requestContext"], "authorizer": context}}


class AskedByName(Asked):
    def lines(self, query: str = "") -> list[dict[str, Any]]:
        held: list[dict[str, Any]] = self("GET", f"/v1/audit?limit=1000{query}")["lines"]
        return held


def _embedded() -> Iterator[AskedByName]:
    with Environment(audited) as env:
        env._stage.operations.audit.settings = AuditSettings(routine=True)

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            handle: Api = build(env._stage.operations, Registry([audited]), finished, _ByName())
            path, _, query = path.partition("?")
            answer = handle(_named(event(method, path, body, query=query), "on-call"), None)
            return answer["statusCode"], json.loads(answer["body"] or "null")

        yield AskedByName(env, ask)


def _cloud() -> Iterator[AskedByName]:
    with MotoCloud(audited, project=Project(audit_all=True)) as env:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            path, _, query = path.partition("?")
            answer = env.request(method, path, body, query=dict(parse_qsl(query)))
            return answer.status, json.loads(answer.body or "null")

        yield AskedByName(env, ask)


@pytest.fixture(params=[_embedded, _cloud])
def api(request: pytest.FixtureRequest) -> Iterator[AskedByName]:
    yield from request.param()


def test_every_change_has_a_line_with_who_what_why_and_what_came_of_it_and_no_value(api: AskedByName) -> None:
    api("POST", "/v1/workflows/audited/executions", {"execution_id": "one", "input": SECRET}, 201)
    api.env.advance(timedelta(seconds=1))
    api("POST", "/v1/executions/one/close", {"why": "a known fault"})
    api("POST", "/v1/executions/one/pause", {"why": "too late"}, 409)
    api("POST", "/v1/executions/one/signals/go", {"payload": SECRET}, 409)
    lines = api.lines()
    assert [(line["action"], line["execution_id"], line["target"], line["outcome"]) for line in lines] == [
        ("signal", "one", "go", "refused"),
        ("pause", "one", None, "refused"),
        ("close", "one", None, "done"),
        ("start", "one", "audited", "done"),
    ]
    assert [(line["why"], line["status"]) for line in lines] == [
        (None, 409),
        ("too late", 409),
        ("a known fault", 200),
        (None, 201),
    ]
    assert len({line["by"] for line in lines}) == 1
    assert all(line["by"] for line in lines)
    assert SECRET not in json.dumps(lines)


def test_a_deletion_leaves_the_lines_of_what_it_deletes(api: AskedByName) -> None:
    started = api("POST", "/v1/workflows/audited/executions", {"input": SECRET, "labels": {"who": SECRET}}, 201)
    id = started["execution_id"]
    api.env.advance(timedelta(seconds=1))
    assert api._ask("DELETE", f"/v1/executions/{id}", None)[0] < 300
    api.env.advance(timedelta(seconds=1))
    lines = api.lines(f"&execution_id={id}")
    assert [line["action"] for line in lines] == ["delete", "start"]
    assert SECRET not in json.dumps(lines)


def test_lines_are_found_by_execution_key_action_and_time_page_by_page(api: AskedByName) -> None:
    for number in range(7):
        body = {"execution_id": f"e{number}", "input": "wait"}
        api("POST", "/v1/workflows/audited/executions", body, 201)
        api("POST", f"/v1/executions/e{number}/pause")
        api.env.advance(timedelta(hours=13))
    every = api.lines()
    assert [line["execution_id"] for line in every] == [f"e{7 - 1 - number // 2}" for number in range(14)]
    assert [line["id"] for line in every] == sorted((line["id"] for line in every), reverse=True)
    paged, cursor = list[Any](), ""
    while True:
        page = api("GET", f"/v1/audit?limit=3{cursor}")
        paged += page["lines"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == every
    assert [line["action"] for line in api.lines("&execution_id=e3")] == ["pause", "start"]
    assert len(api.lines("&action=pause")) == 7
    by = every[0]["by"]
    assert api.lines(f"&by={by}") == every
    assert api.lines("&by=nobody") == []
    between = api.lines(f"&since={every[5]['at']}&until={every[2]['at']}")
    assert between == [line for line in every if every[5]["at"] <= line["at"] < every[2]["at"]]
    api("GET", "/v1/audit?action=think", status=422)
    api("GET", "/v1/audit?cursor=elsewhere", status=422)


def test_a_line_is_there_before_the_action_and_says_asked_until_it_is_settled(backend: Any) -> None:
    audit = AuditOperations(backend.store.audit, backend.clock, AuditSettings())
    line = backend.run(audit.note("ann", "cancel", "one", why="w"))
    assert backend.run(audit.page(AuditQuery())).lines == [line]
    backend.run(audit.settle(line, 503))
    settled = replace(line, outcome="failed", status=503)
    assert backend.run(audit.page(AuditQuery(execution_id="one"))).lines == [settled]
    backend.clock.time += 90 * 86400.0 + 1
    assert backend.run(audit.page(AuditQuery())).lines == []


def test_a_job_and_a_fork_name_what_they_make_and_how_many_they_are_about(api: AskedByName) -> None:
    for id in ("a", "b"):
        api("POST", "/v1/workflows/audited/executions", {"execution_id": id, "input": "no"}, 201)
    api.env.advance(timedelta(seconds=1))
    api("POST", "/v1/executions/a/fork", {"execution_id": "a-again"}, 201)
    api("POST", "/v1/dead-letters/replay", {"execution_ids": ["a"]})
    made = api("POST", "/v1/jobs", {"action": "close", "ids": ["a", "b"], "why": "no more"}, 201)
    lines = [(each["action"], each["execution_id"], each["target"], each["count"], each["why"]) for each in api.lines()]
    assert lines[:3] == [
        ("start-job", made["job_id"], "close", 2, "no more"),
        ("replay-dead-letters", None, None, 1, None),
        ("fork", "a", "a-again", 0, None),
    ]


class _Dies(Exception):
    """The process."""


def test_wherever_the_process_dies_what_took_effect_has_a_line(embedded: Any) -> None:
    """Counts the commits of an action, and has the process die before each of them."""

    def act(dies_at: int) -> bool:
        """Whether it got to its end. Only what was committed before is left."""
        count, commit = 0, embedded.ports._file._commit

        def dying(batch: list[Any]) -> None:
            nonlocal count
            count += 1
            if count == dies_at:
                for write in batch:
                    write.error = _Dies()
                return
            commit(batch)

        embedded.ports._file._commit = dying
        audit = AuditOperations(embedded.store.audit, embedded.clock, AuditSettings())
        execution = replace(ONE, execution_id=f"one-{dies_at}")
        try:
            line = embedded.run(audit.note("ann", "start", execution.execution_id))
            embedded.run(embedded.store.create(execution))
            embedded.run(audit.settle(line, 201))
            embedded.run(audit.page(AuditQuery()))
        except _Dies:
            embedded.ports._file._posted.clear()
            return False
        finally:
            embedded.ports._file._commit = commit
        return True

    dies_at = 1
    while not act(dies_at):
        dies_at += 1
    assert dies_at == 3
    audit = AuditOperations(embedded.store.audit, embedded.clock, AuditSettings())
    lines = {line.execution_id: line.outcome for line in embedded.run(audit.page(AuditQuery())).lines}
    stored = {each.execution_id for each in embedded.run(embedded.store.read_many([f"one-{n}" for n in range(1, 4)]))}
    assert stored == {"one-2", "one-3"}
    assert lines == {"one-2": "asked", "one-3": "done"}


def test_no_action_is_done_whose_line_cannot_be_written_and_a_lost_outcome_costs_no_answer(backend: Any) -> None:
    audit = AuditOperations(backend.store.audit, backend.clock, AuditSettings())
    done = list[str]()

    def act() -> dict[str, Any]:
        done.append("cancelled")
        return {"statusCode": 200, "body": None}

    def list_of(method: str) -> Any:
        async def away(*arguments: Any) -> None:
            raise Unavailable("the store is away")

        store = _Part(backend.store.audit, method, away)
        return SimpleNamespace(audit=AuditOperations(store, backend.clock, audit.settings))

    with pytest.raises(Unavailable):
        Auditing(list_of("note"), backend.run).line("cancel", act, "one")
    assert done == []
    assert Auditing(list_of("settle"), backend.run).line("cancel", act, "one")["statusCode"] == 200
    assert [line.outcome for line in backend.run(audit.page(AuditQuery())).lines] == ["asked"]


class _Part:
    """A store of the audit list of which one method is replaced."""

    def __init__(self, store: Any, method: str, by: Any) -> None:
        self._store = store
        setattr(self, method, by)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_cursor_of_nowhere_is_refused_and_no_list_is_kept_for_no_days(backend: Any) -> None:
    audit = AuditOperations(backend.store.audit, backend.clock, AuditSettings(days=0))
    with pytest.raises(InvalidRequest):
        backend.run(audit.page(AuditQuery(cursor="1")))
    assert backend.run(audit.page(AuditQuery())).lines == ()


def test_the_file_has_a_line_in_the_same_commit_as_what_it_is_about_and_drops_it_after_its_time(embedded: Any) -> None:
    audit = AuditOperations(embedded.store.audit, embedded.clock, AuditSettings(days=1))
    commits = embedded.ports._file.commits
    line: AuditLine = embedded.run(audit.note("ann", "note"))
    assert embedded.ports._file.commits == commits
    embedded.run(embedded.store.create(ONE))
    assert embedded.ports._file.commits == commits + 1
    embedded.reopen()
    audit = AuditOperations(embedded.store.audit, embedded.clock, AuditSettings(days=1))
    assert embedded.run(audit.page(AuditQuery())).lines == [line]
    assert embedded.run(audit.expire()) == 0
    embedded.clock.time += 86401.0
    assert embedded.run(audit.expire()) == 1


def test_each_route_that_takes_a_body_is_audited_or_only_reads() -> None:
    changing = {(method, path) for path, method in scopes_by_route() if method != "GET"}
    assert changing == set(auditing.AUDITED) | auditing.READ_ROUTES


def test_what_applications_do_all_day_has_no_lines_unless_the_settings_ask_for_them() -> None:
    home = MotoCloud(audited)
    with home as env:
        body = {"execution_id": "one", "input": "wait"}
        assert env.request("POST", "/v1/workflows/audited/executions", body).status == 201
        assert env.request("POST", "/v1/executions/one/pause").status == 200
        assert env.request("POST", "/v1/executions/one/signals/go", {"payload": "on"}).status == 202
        lines = json.loads(env.request("GET", "/v1/audit").body)["lines"]
    assert [line["action"] for line in lines] == ["pause"]
