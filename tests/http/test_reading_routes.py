"""GET /v1/executions, /v1/executions/{id} and its history."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.http import counting
from stepfast.http.models import History
from stepfast.http.page_models import ExecutionDetail, ExecutionList
from tests.http.serving import Api
from tests.waiting import until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@workflow("nothing")
async def nothing(n: int) -> int:
    return n


@workflow("broken")
async def broken() -> None:
    raise RuntimeError("no [red]luck[/red] \udc80")


@pytest.fixture
def four(serve: Any) -> Any:
    """Executions a, b, c of one workflow, d of another; d has failed."""
    api: Api = serve(nothing, broken)
    for n, id in enumerate("abc"):
        labels = {"team": "fin,ance:x=y" if id == "a" else "ops", "n": str(n)}
        api.start("nothing", n, id, labels=labels)
        api.ends(id=id)
    api.start("broken", id="d")
    api.ends("FAILED", id="d")
    return api


def ids(answer: Any) -> list[str]:
    ExecutionList.model_validate(answer, strict=True)
    return [execution["execution_id"] for execution in answer["executions"]]


# -- the list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "dcba"),
        ("workflow=nothing", "cba"),
        ("workflow=unheard-of", ""),
        ("status=FAILED", "d"),
        ("status=RUNNING", ""),
        ("label=team:ops", "cb"),
        ("label=team%3Dops", "cb"),
        ("label=team:ops&label=n:2", "c"),
        ("label=team:fin%2Cance:x%3Dy", "a"),
        ("label=team:ops&label=team:ops", "cb"),
        ("since=2000-01-01", "dcba"),
        ("until=2000-01-01T00:00:00%2B02:00", ""),
        ("since=2000-01-01T00:00:00+02:00", "dcba"),
        ("since=4102444800", ""),
        ("until=4102444800.5", "dcba"),
        ("limit=2", "dc"),
        ("limit=1000&status=SUCCEEDED", "cba"),
    ],
)
def test_the_list_is_newest_first_and_filtered(four: Api, query: str, expected: str) -> None:
    assert ids(four.get("/v1/executions", query=query)) == list(expected)


def test_a_list_counts_all_that_match_where_it_is_asked_to(four: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert four.get("/v1/executions", query="limit=1&total=true")["total"] == {"count": 4, "complete": True}
    assert four.get("/v1/executions", query="status=FAILED&total=true")["total"] == {"count": 1, "complete": True}
    page = four.get("/v1/executions", query="limit=3&total=true")
    second = four.get("/v1/executions", query=f"total=true&cursor={page['next']}")
    assert [ids(second), second["total"]["count"]] == [["a"], 4]
    assert four.get("/v1/executions")["total"] is None
    monkeypatch.setattr(counting, "MAX_COUNT", 2)
    monkeypatch.setattr(counting, "PAGE_SIZE", 2)
    assert four.get("/v1/executions", query="total=true")["total"] == {"count": 2, "complete": False}


def test_since_is_inclusive_and_until_is_not(four: Api) -> None:
    at = four.get("/v1/executions/b")["created_at"]
    later = (datetime.fromisoformat(at) + timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    earlier = (datetime.fromisoformat(at) - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    assert ids(four.get("/v1/executions", query=f"since={earlier}&until={later}")) == ["b"]
    assert "b" not in ids(four.get("/v1/executions", query=f"since={later}"))
    assert "b" not in ids(four.get("/v1/executions", query=f"until={earlier}"))


def test_pages_follow_their_cursors_and_end(four: Api) -> None:
    id_pages, cursor = [], ""
    while True:
        page = four.get("/v1/executions", query=f"limit=3{cursor}")
        id_pages.append(ids(page))
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert id_pages == [["d", "c", "b"], ["a"]]


@pytest.mark.parametrize(
    "forged", ["[1" + "0" * 400 + ', "x"]', '[1, "\\ud800"]', "[" * 700, '["a"]', '{"a": 1, "b": 2}']
)
def test_a_forged_cursor_is_refused(serve: Any, forged: str) -> None:
    cursor = base64.urlsafe_b64encode(forged.encode()).decode()
    for path in ("/v1/executions", "/v1/dead-letters"):
        answer = serve(nothing).ask("GET", path, query=f"cursor={cursor}")
        assert (answer.status, answer.fields) == (422, ["cursor"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=1&limit=2", "limit"),
        ("status=DONE", "status"),
        ("status=FAILED&status=RUNNING", "status"),
        ("since=yesterday", "since"),
        ("since=nan", "since"),
        ("until=9999-99-99", "until"),
        ("label=team", "label"),
        ("label=:x", "label"),
        ("label=team:a&label=team:b", "label"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=bnVsbA==", "cursor"),
        ("cursor=" + "W" * 2000, "cursor"),
        ("workflow=", "workflow"),
        ("workflow=a&workflow=b", "workflow"),
    ],
)
def test_a_bad_filter_is_named(serve: Any, query: str, field: str) -> None:
    answer = serve(nothing).ask("GET", "/v1/executions", query=query)
    assert (answer.status, answer.kind) == (422, "invalid-request"), answer
    assert field in answer.fields


# -- one execution --------------------------------------------------------------------------------------


def test_an_ended_execution_shows_its_steps_tries_and_times(serve: Any) -> None:
    tries: list[int] = []

    @step(pool="pdf", retry=Retry(max_attempts=3, initial=0.001))
    def flaky(n: int) -> int:
        tries.append(n)
        if len(tries) < 3:
            raise ConnectionError(f"down {len(tries)}")
        return n * 2

    @workflow("flaky-one")
    async def flaky_one(n: int) -> int:
        return await flaky(n)

    api: Api = serve(flaky_one, steps=[flaky])
    api.start("flaky-one", 21)
    state = api.ends()
    ExecutionDetail.model_validate(state, strict=True)
    (command,) = state["commands"]
    assert state["result"] == 42
    assert {key: command[key] for key in ("id", "kind", "name", "status", "attempt", "pool", "input", "output")} == {
        "id": "flaky",
        "kind": "step",
        "name": "flaky",
        "status": "SUCCEEDED",
        "attempt": 3,
        "pool": "pdf",
        "input": {"n": 21},
        "output": 42,
    }
    first, second, third = command["attempts"]
    assert [first["error"]["message"], second["error"]["message"], third["error"]] == ["down 1", "down 2", None]
    assert [attempt["attempt"] for attempt in command["attempts"]] == [1, 2, 3]
    assert "ConnectionError" in first["error"]["traceback"]
    assert command["first_at"] == first["started_at"] < first["ended_at"] <= first["next_at"]
    assert third["ended_at"] == command["ended_at"] <= state["ended_at"]
    assert all(TIME.fullmatch(at) for at in (state["created_at"], state["ended_at"], first["next_at"]))


def test_commands_that_are_only_asked_for_are_open_and_those_taken_back_cancelled(serve: Any) -> None:
    release = threading.Event()

    @step
    def slow() -> None:
        release.wait(20)

    @workflow("waiting")
    async def waiting() -> None:
        given_up = asyncio.create_task(slow(), name="slow")
        await asyncio.sleep(0.05)
        given_up.cancel()
        async with asyncio.timeout(3600):
            await signal("go", int)

    api: Api = serve(waiting, steps=[slow])
    try:
        api.start("waiting")
        until(lambda: (api.command("signal:go") or {}).get("status") == "OPEN")
        by_id = {command["id"]: command for command in api.get("/v1/executions/one")["commands"]}
        assert {id: command["status"] for id, command in by_id.items()} == {
            "slow": "CANCELLED",
            ":timer": "SUCCEEDED",
            ":timer#2": "OPEN",
            "signal:go": "OPEN",
        }
        assert {id: command["kind"] for id, command in by_id.items()} == {
            "slow": "step",
            ":timer": "timer",
            ":timer#2": "timer",
            "signal:go": "signal",
        }
        due = datetime.fromisoformat(by_id[":timer#2"]["due"]) - datetime.now(UTC)
        assert timedelta(seconds=3500) < due <= timedelta(seconds=3600)
        assert by_id["signal:go"]["due"] is None
    finally:
        release.set()


def test_a_timer_beyond_the_calendar_is_shown_as_its_end(serve: Any) -> None:
    @workflow("patient")
    async def patient() -> None:
        await asyncio.sleep(1e13)

    api: Api = serve(patient)
    api.start("patient")
    timer = until(lambda: api.command(":timer"))
    assert timer["due"].startswith("9999-12-31T23:59:59")


def test_without_its_commands_an_execution_is_the_same_but_for_them(four: Api) -> None:
    whole = four.get("/v1/executions/a")
    assert (whole.pop("commands"), whole.pop("deployed"), whole.pop("signals_not_taken")) == ([], True, [])
    assert (whole.pop("next"), whole.pop("partial"), whole.pop("notable")) == (None, False, [])
    assert four.get("/v1/executions/a", query="commands=false") == whole


def test_a_failure_is_shown_with_its_place_and_text_that_json_cannot_hold_written_out(four: Api) -> None:
    error = four.get("/v1/executions/d")["error"]
    assert (error["type"], error["step"]) == ("RuntimeError", None)
    assert error["message"] == "no [red]luck[/red] \\udc80"
    assert "in broken" in error["traceback"]


def test_an_execution_whose_workflow_is_gone_is_still_shown(serve: Any) -> None:
    @step
    def once() -> int:
        return 1

    @workflow("gone")
    async def gone() -> int:
        return await once()

    first: Api = serve(gone, steps=[once])
    first.start("gone")
    first.ends()
    first.close()
    answer = serve(nothing, path=first.path).get("/v1/executions/one")
    assert [(command["id"], command["output"], command["pool"]) for command in answer["commands"]] == [
        ("once", 1, None)
    ]


def test_a_cancelled_execution_shows_what_was_cancelled(serve: Any) -> None:
    @workflow("waits")
    async def waits() -> None:
        await signal("never")

    api: Api = serve(waits)
    api.start("waits")
    until(lambda: api.command("signal:never"))
    api.ask("POST", "/v1/executions/one/cancel")
    assert api.command("signal:never")["status"] == "CANCELLED"


# -- history ----------------------------------------------------------------------------------------------


def resumed(serve: Any) -> Api:
    """An API with an execution that has taken a signal, has failed, was resumed and has succeeded."""
    broken_for_now = threading.Event()

    @step(retry=Retry(max_attempts=2, initial=0.001))
    def pay(amount: int) -> str:
        if not broken_for_now.is_set():
            raise ConnectionError("bank is down")
        return f"paid {amount}"

    @workflow("paying")
    async def paying(amount: int) -> str:
        await signal("go")
        return await pay(amount)

    api: Api = serve(paying, steps=[pay])
    api.start("paying", 5)
    api.ask("POST", "/v1/executions/one/signals/go", {"payload": {"by": "Ada"}, "signal_id": "s1"})
    api.ends("FAILED")
    broken_for_now.set()
    assert api.ask("POST", "/v1/executions/one/resume").status == 200
    api.ends()
    return api


def test_the_history_tells_everything_in_order(serve: Any) -> None:
    answer = resumed(serve).get("/v1/executions/one/history")
    History.model_validate(answer, strict=True)
    events = answer["events"]
    assert [event["type"] for event in events] == [
        "execution-started",
        "signal-received",
        "signal-succeeded",
        "attempt-started",
        "attempt-failed",
        "attempt-started",
        "attempt-failed",
        "step-failed",
        "execution-failed",
        "command-reopened",
        "execution-resumed",
        "attempt-started",
        "step-succeeded",
        "execution-succeeded",
    ]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert all(TIME.fullmatch(event["at"]) for event in events)
    assert events[0]["input"] == 5
    assert events[1]["payload"] == {"by": "Ada"}
    assert events[4]["error"]["message"] == "bank is down"
    assert TIME.fullmatch(events[4]["next_at"])
    assert events[4]["command"] == "pay"
    assert events[-1]["result"] == "paid 5"
    assert answer["next"] is None


def test_the_history_comes_in_pages_and_without_large_values(serve: Any) -> None:
    api = resumed(serve)
    events = api.get("/v1/executions/one/history")["events"]
    paged: list[Any] = []
    cursor: str | None = None
    while cursor is not None or not paged:
        page = api.get("/v1/executions/one/history", query=f"limit=4{f'&cursor={cursor}' if cursor else ''}")
        paged += page["events"]
        assert len(page["events"]) == 4 or page["next"] is None
        cursor = page["next"]
    assert paged == events
    brief = api.get("/v1/executions/one/history", query="largest=5")["events"]
    assert [event["payload"] for event in brief if "payload" in event] == [None]
    assert brief[1]["omitted"] == {"payload": 13}
    assert api.ask("GET", "/v1/executions/one/history", query="limit=4&cursor=x").fields == ["cursor"]


@pytest.mark.parametrize("path", ["/v1/executions/nobody", "/v1/executions/nobody/history"])
def test_an_unknown_execution_is_not_found(four: Api, path: str) -> None:
    answer = four.ask("GET", path)
    assert (answer.status, answer.kind) == (404, "execution-not-found")
