"""The two homes with everything in them that a GET can look at, their whole store as one value, and raw requests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from stepfast import Limit, Retry, callback, child, query, signal, step, update, workflow
from stepfast.deployment.project import Project
from stepfast.http.api import Api, build
from stepfast.http.page import DashboardPage
from stepfast.language.registry import Registry
from stepfast.link_tokens import token_in
from stepfast.simulator import resources
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from tests.http.serving import event

KEPT = "x" * 300_000
"""More than an item of the table takes: it is in a part of its own, or in the bucket."""


@step
def post_link(to: str, urls: list[str]) -> str:
    return to


@step(retry=Retry(max_attempts=1), limits=[Limit("visits", rate=1000)])
def refuse_visit(text: str) -> str:
    raise ValueError(text)


@step
def keep(text: str) -> str:
    return KEPT


@workflow("asking-visitors")
async def asking_visitors(to: str) -> str:
    async with callback("choice", Literal["yes", "no"], timeout=timedelta(days=3)) as link:
        await post_link(to, [link.url, link.url_for("yes"), link.url_for("no")])
        return await link.answer()


@workflow("visited-leaf")
async def visited_leaf(text: str) -> str:
    return await refuse_visit(text)


@workflow("visited")
async def visited(text: str) -> str:
    held: list[str] = []

    @query
    def total() -> int:
        return len(held)

    @update
    async def add(item: str) -> int:
        held.append(item)
        return len(held)

    await keep(text)
    return await signal("go", str)


@workflow("visited-parent")
async def visited_parent(text: str) -> str:
    return await child(visited_leaf, text)


WORKFLOWS = (asking_visitors, visited_leaf, visited, visited_parent)
SCHEDULE = {"workflow": "visited", "expression": "cron(0 3 1 1 ? 2040)", "input": "x"}


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Visited:
    """A home. links: the tokens that were mailed: of the whole question, of yes and of no."""

    env: Any
    links: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answered:
        """more: `query` and `headers`, as mappings, and `key`: None for one with every scope, "" for none."""
        raise NotImplementedError

    def dump(self) -> Any:
        """All that is stored, and all that is under way."""
        raise NotImplementedError

    def later(self, **by: int) -> None:
        self.env.advance(timedelta(**by))

    def mailed(self, id: str) -> list[str]:
        """Starts an execution that asks, and gives the tokens that it mails: whole, for yes, and for no."""
        asked = self.env.start(asking_visitors, "ann", id)
        self.env.run_until(lambda: len(asked.calls(post_link)) > 0)
        return [token_in(url) for url in asked.calls(post_link)[0].input["urls"]]

    def fill(self) -> None:
        self.links = self.mailed("asked")
        self.env.start(visited, "text", "visited")
        self.env.start(visited_parent, "no", "family")
        self.env.advance(timedelta(minutes=2))
        sent = {"update_id": "first", "payload": "tea", "wait": 0}
        assert self.ask("POST", "/v1/executions/visited/updates/add", sent).status in (200, 202)
        assert self.ask("POST", "/v1/jobs", {"job_id": "night", "action": "close", "ids": ["none"]}).status == 201
        assert self.ask("POST", "/v1/executions/family/fork", {"execution_id": "forked"}).status == 201
        self.env.advance(timedelta(minutes=10))


class VisitedFile(Visited):
    api: Api

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answered:
        from urllib.parse import urlencode

        sent = event(method, path, body, query=urlencode(more.get("query") or {}), headers=more.get("headers"))
        answer = self.api(sent, None)
        return Answered(answer["statusCode"], answer["headers"], answer["body"] or "")

    def dump(self) -> Any:
        file = self.env._stage._file
        finished(file.write(lambda transaction: None))  # with it goes what was left for the next commit
        with file.reading() as db:
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
            rows = {name: sorted(map(repr, db.execute(f'SELECT * FROM "{name}"'))) for name in names}
        assert sum(map(len, rows.values())) > 5
        return rows


class VisitedCloud(Visited):
    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answered:
        answer = self.env.request(method, path, body, **more)
        return Answered(answer.status, answer.headers, answer.body)

    def dump(self) -> Any:
        tables, bucket = resources.client("dynamodb"), resources.client("s3")
        items = {
            name: sorted(map(repr, page["Items"]))
            for name in tables.list_tables()["TableNames"]
            for page in tables.get_paginator("scan").paginate(TableName=name)
        }
        assert sum(map(len, items.values())) > 5
        objects = [
            (held["Key"], held["ETag"], str(held["LastModified"]))
            for each in bucket.list_buckets()["Buckets"]
            for held in bucket.list_objects_v2(Bucket=each["Name"]).get("Contents", ())
        ]
        urls = resources.client("sqs").list_queues().get("QueueUrls", [])
        queues = {url: self.env.messages(url.rpartition("/")[2]) for url in urls}
        schedules = [held["Name"] for held in resources.client("scheduler").list_schedules()["Schedules"]]
        return items, objects, queues, schedules


@contextmanager
def _file() -> Iterator[Visited]:
    with Environment(*WORKFLOWS) as env:
        made = VisitedFile(env)
        made.api = build(env._stage.operations, Registry(WORKFLOWS), finished, None, DashboardPage())
        yield made


@contextmanager
def _cloud() -> Iterator[Visited]:
    with MotoCloud(*WORKFLOWS, project=Project.of({"schedules": {"yearly": SCHEDULE}})) as env:
        yield VisitedCloud(env)


HOMES = {"sqlite": _file, "dynamodb": _cloud}
