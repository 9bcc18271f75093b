"""Runs over HTTP, in the client and on the command line: the current one, earlier ones, and runs that are not kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast import ContinueAsNew, signal, step, workflow
from stepfast.cli.app import app
from stepfast.client import Client
from stepfast.errors import ExecutionNotFound
from tests.http.serving import Api, served
from tests.waiting import until


@step
def count(turn: int) -> int:
    return turn


@workflow("counted")
async def counted(turn: int) -> int:
    await count(turn)
    if turn == 2:
        await signal("go")
        return turn
    raise ContinueAsNew(turn + 1)


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(counted)
    made.start("counted", 0)
    until(lambda: made.get("/v1/executions/one")["run"] == 3 and len(made.get("/v1/executions/one")["commands"]) == 2)
    return made


def test_an_earlier_run_is_shown_as_it_ended(api: Api) -> None:
    current, first = api.get("/v1/executions/one"), api.get("/v1/executions/one", query="run=1")
    assert (current["run"], current["continued"], current["status"], current["input"]) == (3, False, "RUNNING", 2)
    assert (first["run"], first["continued"], first["input"], first["began_at"]) == (1, True, 0, None)
    assert [(command["id"], command["output"]) for command in first["commands"]] == [("count", 0)]
    assert first["ended_at"] is not None
    assert api.get("/v1/executions/one", query="run=3")["commands"] == current["commands"]


def test_the_history_is_that_of_a_run(api: Api) -> None:
    events = api.get("/v1/executions/one/history", query="run=2")["events"]
    assert [event["type"] for event in events] == ["run-started", "attempt-started", "step-succeeded", "run-continued"]
    assert (events[0]["run"], events[-1]["run"]) == (2, 3)
    current = api.get("/v1/executions/one/history")["events"]
    assert [event["type"] for event in current] == ["run-started", "attempt-started", "step-succeeded"]


def test_runs_are_listed_by_the_page(api: Api) -> None:
    page = api.get("/v1/executions/one/runs", query="limit=2")
    assert [(run["run"], run["continued"]) for run in page["runs"]] == [(3, False), (2, True)]
    rest = api.get("/v1/executions/one/runs", query=f"before={page['next']}")
    assert [(run["run"], run["began_at"]) for run in rest["runs"]] == [(1, api.get("/v1/executions/one")["created_at"])]
    assert rest["next"] is None


def test_the_commands_are_those_of_a_run(api: Api) -> None:
    path = "/v1/executions/one/commands"
    first = api.get(path, query="run=1")
    assert [(command["id"], command["output"]) for command in first["commands"]] == [("count", 0)]
    assert (first["total"], first["counts"]) == (1, {"SUCCEEDED": 1})
    current = api.get(path)
    assert [command["id"] for command in current["commands"]] == ["count", "signal:go"]
    assert api.get(path, query="run=3")["commands"] == current["commands"]
    page = api.get(path, query="run=3&limit=1")
    rest = api.get(path, query=f"run=3&limit=1&cursor={page['next']}")
    assert [command["id"] for command in (*page["commands"], *rest["commands"])] == ["count", "signal:go"]
    tags = {api.ask("GET", path, query=query).headers["ETag"] for query in ("run=1", "run=2", "run=3")}
    assert len(tags) == 3


def test_an_export_has_the_commands_and_the_history_of_a_run(api: Api) -> None:
    def exported(*options: str) -> Any:
        return CliRunner().invoke(app, ["--url", url, "export", *options])

    with served(api.handler) as url, Client(url) as client:
        assert [command["output"] for command in client.execution("one").commands(run=2)["commands"]] == [1]
        assert [command["output"] for command in client.execution("one").all_commands(run=1)] == [0]
        line = json.loads(exported("--all", "--run", "1").stdout)
        assert (line["run"], line["input"]) == (1, 0)
        assert [command["output"] for command in line["commands"]] == [0]
        assert line["history"][-1]["type"] == "run-continued"
        assert json.loads(exported("--all").stdout)["run"] == 3
        assert exported("--all", "--run", "9").stdout == ""
        refused = exported("--run", "1")
        assert refused.exit_code != 0
        assert "--all" in refused.output


@pytest.mark.parametrize("path", ["/v1/executions/one", "/v1/executions/one/history", "/v1/executions/one/commands"])
def test_a_run_that_is_not_kept_is_not_found(api: Api, path: str) -> None:
    answer = api.ask("GET", path, query="run=9")
    assert (answer.status, answer.kind) == (404, "execution-not-found")
    assert "has no run 9" in answer.body["detail"]
    assert api.ask("GET", path, query="run=0").status == 422
    assert api.ask("GET", "/v1/executions/nobody/runs").status == 404


def test_the_client_and_the_command_line_show_runs(api: Api) -> None:
    with served(api.handler) as url, Client(url) as client:
        execution = client.execution("one")
        assert [run["run"] for run in execution.runs()["runs"]] == [3, 2, 1]
        assert execution.describe(run=1)["input"] == 0
        assert execution.describe(run=1, commands=False)["continued"]
        assert execution.history(run=1)[-1]["type"] == "run-continued"
        with pytest.raises(ExecutionNotFound):
            execution.describe(run=9)
        shown = CliRunner().invoke(app, ["--url", url, "show", "one", "--run", "2"])
        assert "CONTINUED" in shown.stdout
        assert "it has continued as run 3" in " ".join(shown.stdout.split())
        execution.signal("go")
        assert execution.result(timeout=60) == 2
        assert execution.runs()["runs"][0]["continued"] is False
