"""Executions with many commands: the first page comes from a part of the records, and says so."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.backends.sqlite import rows
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.engine.operations import Operations
from stepfast.http import parts
from tests.http.serving import Api
from tests.waiting import until


@step
def fetch(number: int) -> int:
    return number


@step
def long(number: int) -> str:
    return str(number) * 20_000


@step(retry=Retry(max_attempts=1))
def declined(number: int) -> None:
    raise ConnectionError("no")


@workflow("wide")
async def wide(count: int) -> None:
    await asyncio.gather(*(fetch(number) for number in range(count)))
    await signal("go")


@workflow("failing")
async def failing(count: int) -> None:
    await asyncio.gather(*(fetch(number) for number in range(count)), declined(1))


@workflow("heavy")
async def heavy(count: int) -> None:
    await asyncio.gather(*(long(number) for number in range(count)))


@pytest.fixture
def api(serve: Any, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(parts, "FEW", 20)
    monkeypatch.setattr(parts, "MANY", 40)
    monkeypatch.setattr(parts, "FIRST_PAGE_COMMANDS", 10)
    made: Api = serve(wide, failing, heavy, steps=[fetch, declined, long])
    return made


def show(api: Api, **asked: Any) -> Any:
    answer = api.ask("GET", "/v1/executions/one", query=urlencode(asked))
    assert answer.status == 200, answer.body
    return answer.body


def page(api: Api, **asked: Any) -> Any:
    answer = api.ask("GET", "/v1/executions/one/commands", query=urlencode(asked, doseq=True))
    assert answer.status == 200, answer.body
    return answer.body


def all_pages(api: Api, following: str | None, **asked: Any) -> list[Any]:
    pages = []
    while following is not None:
        pages.append(page(api, cursor=following, **asked))
        following = pages[-1]["next"]
    return pages


def waits(api: Api, count: int, workflow: str = "wide") -> None:
    api.start(workflow, count)
    until(
        lambda: (
            (api.runtime.call(api.runtime.operations.load("one")).records.get("signal:go")) is not None or _asks(api)
        )
    )


def _asks(api: Api) -> bool:
    snapshot = api.runtime.call(api.runtime.operations.load("one"))
    replay = api.runtime.operations.replay(snapshot)
    return replay is not None and "signal:go" in replay.outstanding


def test_an_execution_of_few_commands_is_answered_whole(api: Api) -> None:
    waits(api, 5)
    shown = show(api)
    assert [shown["partial"], shown["next"], shown["notable"], len(shown["commands"])] == [False, None, [], 6]
    first = show(api, limit=4)
    assert [first["partial"], len(first["commands"])] == [False, 4]
    rest = all_pages(api, first["next"])
    assert first["commands"] + [command for one in rest for command in one["commands"]] == shown["commands"]


def test_one_of_many_is_answered_in_part_and_goes_on_by_ids(api: Api) -> None:
    waits(api, 50)
    shown = show(api)
    assert [shown["partial"], len(shown["commands"]), shown["status"]] == [True, 10, "RUNNING"]
    pages = all_pages(api, shown["next"], limit=15)
    assert {(one["partial"], one["recorded_only"], one["total"]) for one in pages} == {(True, True, None)}
    ids = [command["id"] for part in (shown, *pages) for command in part["commands"]]
    assert ids == sorted(["fetch", *(f"fetch#{number}" for number in range(2, 51))])
    assert shown["commands"][0]["output"] == 0


def test_it_does_not_run_the_code_nor_read_the_rest(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    waits(api, 60)
    read: list[Any] = []
    record = rows.record

    def counted(row: Any, opened_at: float) -> Any:
        read.append(row[0])
        return record(row, opened_at)

    def refused(self: Operations, *arguments: Any, **more: Any) -> Any:
        raise AssertionError("a part needs neither a replay nor all records")

    monkeypatch.setattr(rows, "record", counted)
    monkeypatch.setattr(Operations, "replay", refused)
    monkeypatch.setattr(Operations, "load", refused)
    assert len(show(api)["commands"]) == 10
    assert len(read) <= 10 + 100  # and what was asked for last
    read.clear()
    assert len(page(api, limit=5)["commands"]) == 5
    assert len(page(api, cursor=show(api)["next"], limit=5)["commands"]) == 5


def test_what_failed_comes_first(api: Api) -> None:
    api.start("failing", 50)
    api.ends("FAILED")
    shown = show(api)
    assert [(command["id"], command["status"]) for command in shown["notable"]] == [("declined", "FAILED")]
    assert shown["notable"][0]["error"]["message"] == "no"
    assert shown["reopens"] == ["declined"]
    assert page(api, status="FAILED")["commands"] == shown["notable"]
    assert all_pages(api, page(api, limit=10)["next"])[0]["notable"] == []  # it is with the first page


def test_what_it_did_last_comes_first_where_nothing_is_found_under_way(api: Api) -> None:
    waits(api, 50)  # for a signal, of which there is no record
    notable = page(api, quick="true")["notable"]
    assert [(command["id"], command["status"]) for command in notable] == [("fetch#50", "SUCCEEDED")]


def test_up_to_many_commands_come_in_the_order_of_the_timeline_unless_a_quick_answer_is_wanted(api: Api) -> None:
    waits(api, 30)
    whole = page(api, limit=100)
    assert [whole["partial"], whole["total"], whole["counts"]] == [False, 31, {"SUCCEEDED": 30, "OPEN": 1}]
    quick = page(api, limit=100, quick="true")
    assert [quick["partial"], quick["total"], quick["counts"], len(quick["commands"])] == [True, None, {}, 30]
    assert quick["steps"] == ["fetch"]
    assert show(api)["partial"] is True


def test_one_command_of_many_is_found_by_its_id(api: Api) -> None:
    waits(api, 50)
    shown = show(api, command="fetch#37")
    assert [shown["partial"], [command["id"] for command in shown["commands"]]] == [True, ["fetch#37"]]
    answer = api.ask("GET", "/v1/executions/one", query="command=none")
    assert (answer.status, answer.kind) == (404, "command-not-found")


def test_an_unchanged_part_is_not_sent_again(api: Api) -> None:
    waits(api, 50)
    for path in ("/v1/executions/one", "/v1/executions/one/commands"):
        first = api.ask("GET", path)
        held = {"if-none-match": first.headers["ETag"]}
        assert api.ask("GET", path, headers=held).status == 304
        assert api.ask("GET", path, query="limit=5", headers=held).status == 200
    held = {"if-none-match": api.ask("GET", "/v1/executions/one").headers["ETag"]}
    api.ask("POST", "/v1/executions/one/cancel")
    assert api.ask("GET", "/v1/executions/one", headers=held).status == 200


def test_large_values_beyond_what_is_shown_are_not_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.start("heavy", 50)
    api.ends("SUCCEEDED")
    read: list[Any] = []
    file_row = SqliteFile.row

    def counted(self: Any, sql: str, *more: Any) -> Any:
        read.extend([1] if "large_values WHERE" in sql else [])
        return file_row(self, sql, *more)

    monkeypatch.setattr(SqliteFile, "row", counted)
    shown = show(api, largest=1000)
    assert [command["output"] for command in shown["commands"]] == [None] * 10
    assert {command["omitted"]["output"] for command in shown["commands"]} == {20_002, 40_002}
    assert read == []
    assert [len(command["output"]) >= 20_000 for command in show(api)["commands"]] == [True] * 10
    assert len(read) == 10


@pytest.mark.parametrize(
    "cursor", [parts.cursor_of(""), parts.cursor_of("\0"), parts.cursor_of("\ud800"), "eyJhZnRlciI6IDF9", "eyJ4IjogMX0"]
)
def test_a_cursor_that_no_page_gave_is_refused(api: Api, cursor: str) -> None:
    api.start("wide", 1)
    answer = api.ask("GET", "/v1/executions/one/commands", query=urlencode({"cursor": cursor}))
    assert (answer.status, answer.kind) == (422, "invalid-request")


def test_the_history_of_very_many_commands_comes_command_by_command(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    waits(api, 50)
    assert api.ask("POST", "/v1/executions/one/signals/go", {"payload": 1}).status == 202
    api.ends("SUCCEEDED")
    path = "/v1/executions/one/history"
    by_time = api.get(path)
    assert by_time["by_command"] is False

    def refused(self: Operations, *arguments: Any, **more: Any) -> Any:
        raise AssertionError("a page needs no other records than its own")

    monkeypatch.setattr(Operations, "load", refused)
    pages = [api.get(path, query="limit=20")]
    while pages[-1]["next"] is not None:
        pages.append(api.get(path, query=urlencode({"limit": 20, "cursor": pages[-1]["next"]})))
    assert {one["by_command"] for one in pages} == {True}
    assert max(len(one["events"]) for one in pages) <= 21
    events = [event for one in pages for event in one["events"]]
    assert [events[0]["type"], events[-1]["type"]] == ["execution-started", "execution-succeeded"]
    key = str
    assert sorted(events, key=key) == sorted(by_time["events"], key=key)


@pytest.mark.parametrize("cursor", ["eyJvZiI6ICIifQ==", "eyJvZiI6IC0xfQ==", "eyJvZiI6IHRydWV9", "W10=", "x", "-1"])
def test_a_cursor_that_no_page_of_the_history_gave_is_refused(api: Api, cursor: str) -> None:
    api.start("wide", 1)
    answer = api.ask("GET", "/v1/executions/one/history", query=urlencode({"cursor": cursor}))
    assert (answer.status, answer.kind) == (422, "invalid-request")
