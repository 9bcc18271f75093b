"""`stepfast pull` through the functions of a deployment: earlier runs come along, also with values of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast import ContinueAsNew, signal, workflow
from stepfast.cli.app import app
from stepfast.testing import Environment
from tests.functions.conftest import Aws
from tests.http.serving import served


@workflow("collecting")
async def collecting(text: str) -> str:
    raise ContinueAsNew(text + await signal("more", str))


def test_earlier_runs_come_along_through_the_functions(
    deploy: Callable[..., Aws], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepfast.engine.recordings.PIECE_CHARACTERS", 1_000)
    aws, file, large = deploy(collecting), tmp_path / "pulled.db", "x" * 5_000
    aws.start("collecting", "")
    for turn, text in enumerate((large, "y"), start=1):
        body = {"payload": text, "signal_id": f"s{turn}"}
        assert aws.ask("POST", "/v1/executions/one/signals/more", body)[0] == 202
        aws.advance()
        aws.advance()
    assert aws.execution().run == 3
    function = aws.build("api")

    def handler(event: dict[str, Any], context: Any = None) -> Any:
        event["requestContext"]["authorizer"] = {"lambda": {"scopes": "read", "key": "tests"}}
        return function(event)

    with served(handler) as url:
        done = CliRunner().invoke(app, ["pull", "one", "--url", url, "--output", str(file)])
    assert done.exit_code == 0, done.output
    assert "with 2 earlier runs" in done.output
    with Environment(collecting) as env:
        (run,) = env.load(file)
        assert run.earlier_runs == [1, 2]
        (started, *_) = run.history_of(2)
        assert started.details["input"] == large
        env.unpause(run)
        env.signal(run, "more", large, signal_id="s1")  # an earlier run has taken it
        env.signal(run, "more", "z")
        env.run_until(lambda: run.earlier_runs == [1, 2, 3])
        assert run.history[0].details["input"] == f"{large}yz"
