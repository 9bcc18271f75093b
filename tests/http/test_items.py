"""The items of maps, by the page, with their progress: over the API, the client and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast import Client, JsonLines, Retry, map_items, step, workflow
from stepfast.cli.app import app
from tests.http.serving import Api, served


@step(retry=Retry(max_attempts=1))
def square(number: int) -> int:
    if number == 4:
        raise ValueError("no four")
    return number * number


@step
def large(number: int) -> str:
    return "x" * (5 * 1024 * 1024 if number == 3 else 5)


@workflow("squares")
async def squares(path: str) -> int:
    report = await map_items(square, JsonLines(path), batch=3, tolerate=2)
    return report.succeeded


@workflow("large-results")
async def large_results(numbers: list[int]) -> int:
    report = await map_items(large, numbers)
    return sum([len(text) async for text in report.results])


@pytest.fixture
def mapped(serve: Callable[..., Api], tmp_path: Path) -> Api:
    file = tmp_path / "numbers.jsonl"
    file.write_text("".join(f"{number}\n" if number != 5 else "five\n" for number in range(1, 9)))
    api = serve(squares)
    api.start("squares", str(file))
    assert api.ends("SUCCEEDED")["result"] == 6
    return api


def all_items(api: Api, query: str = "limit=2") -> list[Any]:
    items, cursor = [], ""
    while True:
        page = api.get("/v1/executions/one/items", query=query + cursor)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"


def test_items_come_in_their_order_with_results_and_errors(mapped: Api) -> None:
    items = all_items(mapped)
    assert [(item["item"], item["status"], item["result"]) for item in items] == [
        (number, "FAILED" if number in (4, 5) else "SUCCEEDED", None if number in (4, 5) else number * number)
        for number in range(1, 9)
    ]
    assert (items[3]["error"]["type"], items[3]["command_id"]) == ("ValueError", "square#4")
    assert (items[4]["error"]["message"], items[4]["command_id"]) == ("is not JSON: expected ident at column 2", None)
    batch = mapped.get(f"/v1/executions/{items[3]['batch_id']}")
    assert "square#4" in [command["id"] for command in batch["commands"]]


def test_failed_items_can_be_asked_for_alone(mapped: Api) -> None:
    assert [item["item"] for item in all_items(mapped, "failed=true")] == [4, 5]


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "1.", ".1", "-1.0"])
def test_an_unknown_cursor_is_refused(mapped: Api, cursor: str) -> None:
    answer = mapped.ask("GET", "/v1/executions/one/items", query=f"cursor={cursor}")
    assert (answer.status, answer.fields) == (422, ["cursor"])


def test_an_execution_without_maps_has_no_items(serve: Callable[..., Api]) -> None:
    api = serve(large_results)
    api.start("large-results", [])
    api.ends("SUCCEEDED")
    assert all_items(api) == []
    assert api.ask("GET", "/v1/executions/none/items").status == 404


def test_progress_is_shown_with_the_execution(mapped: Api) -> None:
    (progress,) = mapped.get("/v1/executions/one", query="commands=false")["progress"]
    del progress["id"]
    ended = {"batches": 3, "batches_started": 3, "batches_ended": 3}
    assert progress == {"name": "square", **ended, "succeeded": 6, "failed": 2}


def test_a_result_of_5_mb_stands_among_small_ones(serve: Callable[..., Api]) -> None:
    api = serve(large_results)
    api.start("large-results", [1, 2, 3, 4])
    assert api.ends("SUCCEEDED")["result"] == 5 * 1024 * 1024 + 15
    first = api.get("/v1/executions/one/items", query="limit=1000")
    assert ([item["item"] for item in first["items"]], first["next"]) == ([0, 1], "0.1")
    assert [item["item"] for item in all_items(api)] == [0, 1, 2, 3]
    left_out = all_items(api, "largest=1000")[2]
    assert (left_out["result"], left_out["omitted"]) == (None, {"result": 5 * 1024 * 1024 + 2})


def test_the_client_and_the_command_line_read_results(mapped: Api, tmp_path: Path) -> None:
    with served(mapped.handler) as url:
        with Client(url) as client:
            page = client.execution("one").map_results(failed=True)
            assert (page["items"], page["next"]) == ([], "1.-1")
        run = CliRunner()
        shown = run.invoke(app, ["results", "one"], env={"STEPFAST_URL": url})
        assert [json.loads(line)["item"] for line in shown.stdout.splitlines()] == list(range(1, 9))
        file = tmp_path / "results.jsonl"
        written = run.invoke(app, ["results", "one", "--failed", "-o", str(file)], env={"STEPFAST_URL": url})
        assert "2 items in" in written.stderr
        assert [json.loads(line)["item"] for line in file.read_text().splitlines()] == [4, 5]
        overview = run.invoke(app, ["show", "one"], env={"STEPFAST_URL": url})
        assert "square: 3 of 3 batches ended, 6 items succeeded, 2 failed" in " ".join(overview.stdout.split())
        followed = run.invoke(app, ["watch", "one"], env={"STEPFAST_URL": url})
        assert "square: 3 of 3 batches ended" in followed.stdout
