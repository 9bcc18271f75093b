"""The commands of an execution by the page: in the timeline's order, each once, and cheap to go on with."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel

from stepfast import Retry, signal, step, workflow
from stepfast.engine.operations import Operations
from stepfast.errors import DefinitionError
from stepfast.http import timeline
from stepfast.http.timeline import TimelineEntry, ordered
from stepfast.model import Snapshot
from stepfast.replay.replay import Replay
from tests.http.serving import Api
from tests.waiting import until


class Order(BaseModel):
    id: str
    lines: int = 1


@step
def fetch(number: int) -> int:
    return number


@step(label="{order.id} of {region}")
def ship(order: Order, region: str = "EU") -> None:
    pass


@step(label=lambda count, unit: f"{count} x {unit} " + "y" * 50)
def measure(count: int, unit: str) -> None:
    pass


@step(label=lambda count: count["missing"])
def broken(count: int) -> None:
    pass


@step(retry=Retry(max_attempts=1))
def declined(number: int) -> None:
    raise ConnectionError("no")


@workflow("fanned")
async def fanned(count: int) -> None:
    await asyncio.gather(*(fetch(number) for number in range(count)))
    await asyncio.gather(declined(1), declined(2), return_exceptions=True)
    await signal("go")


@workflow("labelled")
async def labelled() -> None:
    await ship(Order(id="o-7"))
    await measure(3, "kg")
    await broken(5)
    await fetch(9)


@workflow("heavy")
async def heavy(count: int) -> None:
    await asyncio.gather(*(echo("x" * 300_000) for _ in range(count)))


@step
def echo(text: str) -> str:
    return text


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(fanned, labelled, heavy, steps=[fetch, ship, measure, broken, declined, echo])
    return made


def _page(api: Api, **asked: Any) -> Any:
    answer = api.ask("GET", "/v1/executions/one/commands", query=urlencode(asked, doseq=True))
    assert answer.status == 200, answer.body
    return answer.body


def _pages(api: Api, **asked: Any) -> list[Any]:
    pages = [_page(api, **asked)]
    while pages[-1]["next"] is not None:
        pages.append(_page(api, **asked, cursor=pages[-1]["next"]))
    return pages


def _waits(api: Api) -> None:
    api.start("fanned", 25)
    until(lambda: api.get("/v1/executions/one/commands", query="step=go")["total"])


def test_pages_give_every_command_once_in_the_order_of_the_timeline(api: Api) -> None:
    _waits(api)
    pages = _pages(api, limit=7)
    assert [len(page["commands"]) for page in pages] == [7, 7, 7, 7]
    assert {page["total"] for page in pages} == {28}
    whole = api.ask("GET", "/v1/executions/one").body["commands"]
    assert [command for page in pages for command in page["commands"]] == whole
    assert pages[0]["counts"] == {"SUCCEEDED": 25, "FAILED": 2, "OPEN": 1}
    assert pages[0]["steps"] == ["fetch", "declined", "go"]
    assert pages[0]["overdue"] == 0


def test_rows_are_found_by_status_and_by_step(api: Api) -> None:
    _waits(api)
    assert {command["name"] for command in _page(api, status="FAILED")["commands"]} == {"declined"}
    several = _page(api, status=["FAILED", "OPEN"])
    assert [several["total"], {command["status"] for command in several["commands"]}] == [3, {"FAILED", "OPEN"}]
    pages = _pages(api, step="fetch", limit=10)
    assert [pages[0]["total"], sum(len(page["commands"]) for page in pages)] == [25, 25]
    assert _page(api, step="none")["commands"] == []


def test_going_on_does_not_run_the_code_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _waits(api)
    replays: list[str] = []
    replay = Operations.replay

    def counted(self: Operations, snapshot: Any) -> Any:
        replays.append(snapshot.execution.execution_id)
        return replay(self, snapshot)

    monkeypatch.setattr(Operations, "replay", counted)
    assert len(_pages(api, limit=4)) == 7
    assert len(replays) <= 1
    assert api.ask("POST", "/v1/executions/one/signals/go", {"payload": 1}).status == 202
    api.ends("SUCCEEDED")
    assert _page(api)["counts"]["SUCCEEDED"] == 26


def test_a_quick_look_at_very_many_does_not_run_the_code(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.start("fanned", 1100)
    until(lambda: api.get("/v1/executions/one/commands", query="step=go")["total"])
    api.ask("POST", "/v1/executions/one/cancel")
    replays: list[str] = []

    def watched(snapshot: Snapshot, replay: Replay | None) -> list[TimelineEntry]:
        replays.append(str(replay))
        return ordered(snapshot, replay)

    monkeypatch.setattr(timeline, "ordered", watched)
    quick = _page(api, quick="true", limit=10)
    assert [quick["recorded_only"], len(quick["commands"]), quick["counts"]] == [True, 10, {}]
    assert replays == []
    whole = _page(api, limit=10)
    assert [whole["recorded_only"], whole["counts"]["SUCCEEDED"], replays] == [False, 1100, ["None"]]


def test_a_quick_look_at_a_few_is_a_whole_one(api: Api) -> None:
    _waits(api)
    quick = _page(api, quick="true")
    assert [quick["recorded_only"], quick["total"]] == [False, 28]


def test_an_unchanged_page_is_not_sent_again(api: Api) -> None:
    _waits(api)
    first = api.ask("GET", "/v1/executions/one/commands")
    held = {"if-none-match": first.headers["ETag"]}
    assert api.ask("GET", "/v1/executions/one/commands", headers=held).status == 304
    assert api.ask("GET", "/v1/executions/one/commands", query="limit=5", headers=held).status == 200


def test_a_page_ends_before_its_values_are_too_many(api: Api) -> None:
    api.start("heavy", 6)
    api.ends("SUCCEEDED")
    pages = _pages(api)
    assert [len(page["commands"]) for page in pages] == [3, 3]
    assert [len(page["commands"]) for page in _pages(api, largest=1000)] == [6]


@pytest.mark.parametrize("query", ["cursor=x", "cursor=WzFd", "limit=0", "limit=1001", "status=DONE", "page=2"])
def test_what_is_asked_wrongly_is_refused(api: Api, query: str) -> None:
    api.start("fanned", 1)
    assert api.ask("GET", "/v1/executions/one/commands", query=query).status == 422


def test_no_execution_has_no_commands(api: Api) -> None:
    assert api.ask("GET", "/v1/executions/none/commands").status == 404


def test_a_row_says_which_item_it_is_about(api: Api) -> None:
    api.start("labelled", None)
    api.ends("SUCCEEDED")
    labels = {command["name"]: command["label"] for command in _page(api)["commands"]}
    assert labels["ship"] == "o-7 of EU"
    assert labels["measure"] == "3 x kg " + "y" * 32 + "…"
    assert labels["broken"] == "5"  # a label that fails takes nothing away
    assert labels["fetch"] == "9"


def test_a_label_that_names_no_argument_is_refused_where_it_stands() -> None:
    with pytest.raises(DefinitionError, match=r"names 'nummer'; the step's arguments: number"):
        step(label="{nummer}")(fetch.function)
    with pytest.raises(DefinitionError, match="is no template"):
        step(label="{number")(fetch.function)
    with pytest.raises(DefinitionError, match="takes a template"):
        step(label=5)(fetch.function)  # type: ignore[call-overload]
