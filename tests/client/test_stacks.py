"""One client of several deployments: ids find theirs, lists are complete, and a change of URLs starts nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from stepfast import Client, Retry, step, workflow
from stepfast.cli.app import app
from stepfast.cli.session import Session
from stepfast.client import shapes
from stepfast.client.calls import Calls
from stepfast.client.stacks import Listed, Stacks
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest
from tests.http.serving import Api, served
from tests.waiting import until

mended: list[bool] = []


@step(retry=Retry(max_attempts=1))
def ship(name: str) -> str:
    if name == "bad" and not mended:
        raise ConnectionError("down")
    return name


@workflow("ship-one")
async def ship_one(name: str) -> str:
    return await ship(name)


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    mended.clear()
    with ExitStack() as stack:
        started = []
        for number in range(3):
            api = Api(tmp_path / f"{number}.db", (ship_one,), (ship,))
            stack.callback(api.close)
            started.append(stack.enter_context(served(api.handler)))
        yield started


class Deployment:
    """A list in memory that gives pages as a server does: newest first, the cursor is a place in the order."""

    def __init__(self, number: int) -> None:
        self.url, self.rows = f"http://{number}.test", list[tuple[float, str]]()

    def get(self, path: str, shape: type, *, limit: int, cursor: str | None) -> dict[str, Any]:
        rows = sorted(self.rows, reverse=True)
        if cursor is not None:
            at, id = cursor.split("/")
            rows = [row for row in rows if row < (float(at), id)]
        chosen = rows[:limit]
        return {
            "executions": [{"created_at": f"2026-01-01T00:00:{at:09.6f}Z", "execution_id": id} for at, id in chosen],
            "next": f"{chosen[-1][0]}/{chosen[-1][1]}" if len(chosen) < len(rows) else None,
        }


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.booleans()), max_size=30), st.integers(1, 7))
def test_pages_of_several_are_the_list_of_all_in_order(rows: list[tuple[int, int, bool]], limit: int) -> None:
    deployments = [Deployment(number) for number in range(3)]
    late = []
    for number, (at, second, comes_late) in enumerate(rows):
        row = (float(second) + (30 if comes_late else 0), f"e-{number}")
        late.append((at, row)) if comes_late else deployments[at].rows.append(row)
    there = sorted((row for deployment in deployments for row in deployment.rows), reverse=True)
    stacks = Stacks([cast(Calls, deployment) for deployment in deployments])

    listed = Listed("/v1/executions", shapes.Executions, "executions")
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(200):
        page = stacks.page(listed, {}, limit, cursor)
        assert len(page["executions"]) <= limit
        seen += [row["execution_id"] for row in page["executions"]]
        if late:  # an execution that starts between two pages is newer than all that is there
            at, row = late.pop()
            deployments[at].rows.append(row)
        if (cursor := page["next"]) is None:
            break
    assert cursor is None
    before = [id for id in seen if id in {id for _, id in there}]
    assert before == [id for _, id in there]
    assert max(Counter(seen).values(), default=1) == 1


def test_ids_are_shared_evenly_and_another_url_moves_only_its_share() -> None:
    three = Stacks([cast(Calls, Deployment(number)) for number in range(3)])
    four = Stacks([cast(Calls, Deployment(number)) for number in reversed(range(4))])
    ids = [f"order-{number}" for number in range(6000)]
    counts = Counter(three.owner(id).url for id in ids)
    assert all(1800 < count < 2200 for count in counts.values())
    moved = [id for id in ids if four.owner(id).url != three.owner(id).url]
    assert {four.owner(id).url for id in moved} == {"http://3.test"}
    assert 1300 < len(moved) < 1700


def test_executions_are_started_found_and_resumed_wherever_they_are(urls: list[str]) -> None:
    with Client(urls) as client, ExitStack() as stack:
        single = [stack.enter_context(Client(url)) for url in urls]
        for number in range(12):
            client.run("ship-one", "bad" if number % 2 else "good", execution_id=f"e-{number}")
        until(lambda: not client.list(status="RUNNING")["executions"])
        counts = [len(client.list()["executions"]) for client in single]
        assert sum(counts) == 12
        # The ports differ in every run, so the ids may leave a deployment of three empty.
        assert sum(count > 0 for count in counts) > 1

        listed: list[str] = []
        cursor = None
        while True:
            page = client.list(limit=5, cursor=cursor)
            listed += [row["execution_id"] for row in page["executions"]]
            if (cursor := page["next"]) is None:
                break
        assert listed == [f"e-{number}" for number in reversed(range(12))]
        exact = client.list(prefix="e-1", limit=2)["executions"]
        assert [row["execution_id"] for row in exact] == ["e-1", "e-11"]

        (group,) = client.dead_letter_groups()["groups"]
        assert group["count"] == 6
        assert len(client.dead_letters(limit=1000)["dead_letters"]) == 6
        mended.append(True)
        assert client.replay_dead_letters(["e-1", "e-3"])["resumed"] == 2
        assert client.replay_dead_letters(all=True)["resumed"] == 4
        assert [client.execution(f"e-{number}").result(timeout=20) for number in (0, 1)] == ["good", "bad"]
        assert client.run("ship-one", "good", execution_id="e-0").created is False
        client.delete("e-0")
        with pytest.raises(ExecutionNotFound):
            client.execution("e-0").status()
        assert client.urls == tuple(urls)


def test_after_another_url_what_was_started_before_is_found_and_not_started_twice(urls: list[str]) -> None:
    ids = [f"e-{number}" for number in range(20)]
    with Client(urls[:2]) as before:
        for id in ids:
            before.run("ship-one", "good", execution_id=id)
    with Client(urls, former_urls=urls[:2]) as client, Client(urls[2]) as third:
        for id in ids:
            assert client.run("ship-one", "good", execution_id=id).created is False
            assert client.execution(id).result(timeout=20) == "good"
        with pytest.raises(ExecutionConflict):
            client.run("ship-one", "other", execution_id=ids[0])
        assert third.list()["executions"] == []
        new = [client.run("ship-one", "good", execution_id=f"new-{number}") for number in range(50)]
        assert all(execution.created for execution in new)
        assert third.list()["executions"]


def test_the_command_line_takes_several(urls: list[str]) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["--url", ", ".join(urls), *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    for number in range(6):
        run("run", "ship-one", "--input", '"good"', "--id", f"e-{number}", "--wait")
    assert all(f"e-{number}" in run("list") for number in range(6))
    assert "SUCCEEDED" in run("show", "e-5")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": []}, "needs the URL"),
        ({"url": ["http://a.test", "http://a.test/"]}, "twice"),
        ({"url": ["http://a.test", "http://b.test"], "api_key": ["one"]}, "1 API keys for 2 URLs"),
        ({"url": ["http://a.test"], "former_urls": ["http://b.test"]}, "not among the URLs"),
    ],
)
def test_a_wrong_set_of_urls_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        Client(**options)


def test_a_cursor_of_other_deployments_is_refused(urls: list[str]) -> None:
    with Client(urls[:2]) as client:
        for cursor in ("rubbish", "[1]", '{"http://other.test": [null, "", ""]}'):
            with pytest.raises(InvalidRequest, match="cursor"):
                client.list(cursor=cursor)


def test_a_comma_within_a_url_or_a_key_of_one_server_stays() -> None:
    assert Session("http://a.test/x,y", "a,b").client().urls == ("http://a.test/x,y",)
    both = Session("http://a.test/x,y , https://b.test", "a, b").client()
    assert both.urls == ("http://a.test/x,y", "https://b.test")


def test_no_ids_are_refused_by_several_as_by_one(urls: list[str]) -> None:
    for where in (urls[0], urls):
        with Client(where) as client, pytest.raises(InvalidRequest):
            client.replay_dead_letters([])
