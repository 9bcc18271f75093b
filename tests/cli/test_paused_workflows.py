"""`stepfast workflows pause` and `unpause`, and how an execution that is held is shown."""

from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from tests.http.serving import Api
from tests.waiting import until

Cli = Callable[..., Result]


def test_a_paused_workflow_is_listed_and_what_it_holds_says_how_it_starts(api: Api, cli: Cli) -> None:
    paused = cli("workflows", "pause", "echo", "--why", "the bank is down").stdout
    assert paused.startswith("echo: paused since ")
    assert paused.rstrip().endswith(": the bank is down")
    assert "the bank is down" in cli("workflows", "list").stdout

    api.start("echo", "held")
    until(lambda: api.get("/v1/executions/one")["status"] == "PAUSED")
    shown = " ".join(cli("show", "one").stdout.split())
    assert "because its workflow is paused" in shown
    assert "`stepfast workflows unpause echo` starts it" in shown

    assert "not paused any more" in cli("workflows", "unpause", "echo").stdout
    until(lambda: api.get("/v1/executions/one")["result"] == "held")
    assert "paused" not in cli("workflows", "list").stdout


def test_a_workflow_that_is_not_deployed_is_refused(api: Api, cli: Cli) -> None:
    assert "nothing" in cli("workflows", "pause", "nothing", code=2).stderr
