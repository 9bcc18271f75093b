"""`stepfast pull`: executions of a deployment go on in a local file and in tests, and nowhere by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast import ContinueAsNew, Retry, child, signal, step, workflow
from stepfast.cli.app import app
from stepfast.errors import ExecutionConflict, StartupError
from stepfast.simulator.lambdas import REGION
from stepfast.simulator.provision import BUCKET, TABLE
from stepfast.testing import Environment, MotoCloud
from tests.http.serving import Api, served
from tests.waiting import until


@step(retry=Retry(max_attempts=1))
async def pay(amount: int) -> str:
    if amount < 0:
        raise ValueError("nothing to pay")
    return f"paid {amount} " + "." * 1_300_000


@workflow("inner")
async def inner(amount: int) -> int:
    paid = await pay(amount)
    await signal("approved")
    return len(paid)


@workflow("outer")
async def outer(amount: int) -> list[int]:
    if amount < 2:
        raise ContinueAsNew(amount + 1)
    first = await pay(amount)
    return [len(first), await child(inner, amount)]


@workflow("turning")
async def turning(turn: int) -> str:
    said = await signal("go", str)
    if turn == 3:
        await signal("never")
    await child(echoing, said)
    raise ContinueAsNew(turn + 1)


@workflow("echoing")
async def echoing(said: str) -> str:
    return await pay(1) + said


@workflow("failing")
async def failing(amount: int) -> str:
    return await pay(-amount)


def pull(*arguments: object) -> Any:
    done = CliRunner().invoke(app, ["pull", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    made = Api(tmp_path / "deployed.db", (outer, inner, failing))
    made.start("outer", 0)
    made.start("failing", 1, "bad")
    made.ends("FAILED", id="bad")
    until(lambda: waits_for_its_signal(made, child_of(made)))
    yield made
    made.close()


def waits_for_its_signal(api: Api, id: str) -> bool:
    """Its parent names a child a moment before it is started."""
    answer = api.ask("GET", f"/v1/executions/{id}")
    return answer.status == 200 and any(one["id"] == "signal:approved" for one in answer.body["commands"])


def child_of(api: Api) -> str:
    command = next((each for each in api.get("/v1/executions/one")["commands"] if each["kind"] == "child"), None)
    return command["children"][-1] if command and command.get("children") else "one"


def goes_on(file: Path, child_id: str) -> None:
    with Environment(outer, inner, failing) as env:
        env.fake(pay, "never called")
        (run,) = env.load(file)
        assert run.status == "PAUSED"
        env.advance(timedelta(minutes=1))
        assert run.status == "PAUSED", "it begins nothing by itself"
        env.unpause(run)
        env.run_until(lambda: any(each.kind == "child" for each in run.waiting))
        env.signal(child_id, "approved")
        assert env.run_until(run).result == [1_300_007, 1_300_007]
        assert run.calls(pay) == [], "what is recorded is not done again"


def test_a_running_tree_over_the_api_goes_on_in_a_test(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "pulled.db"
    before = api.get("/v1/executions/one")
    with served(api.handler) as url:
        made = pull("one", "--url", url, "--output", file)
        again = CliRunner().invoke(app, ["pull", "one", "--url", url, "--output", str(file)])
    assert made == {"file": str(file), "execution_ids": ["one", child_of(api)], "paused": 2, "earlier_runs": 2}
    assert again.exit_code == 2
    assert "already" in again.output
    assert api.get("/v1/executions/one") == before
    goes_on(file, child_of(api))


def test_a_running_tree_of_a_table_goes_on_in_a_test(tmp_path: Path) -> None:
    file = tmp_path / "pulled.db"
    with MotoCloud(outer, inner, failing) as cloud:
        cloud.start(outer, 0, "one")
        cloud.advance(timedelta(minutes=1))
        made = pull("one", "--table", TABLE, "--region", REGION, "--bucket", BUCKET, "--output", file)
    root, child_id = made["execution_ids"]
    assert root == "one"
    goes_on(file, child_id)


def test_a_failed_one_waits_to_be_resumed_in_a_server_too(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "pulled.db"
    with served(api.handler) as url:
        pull("bad", "--url", url, "--output", file)
        pull(child_of(api), "--url", url, "--output", file)  # with its parent
    with Environment(outer, inner, failing) as env:
        bad, running = sorted(env.load(file), key=lambda run: run.execution_id)
        assert (bad.status, running.status) == ("FAILED", "PAUSED")
        env.fake(pay, "paid")
        env.resume(bad)
        assert env.run_until(bad).result == "paid"
    server = Api(file, (outer, inner, failing))
    assert server.get("/v1/executions/one")["status"] == "PAUSED"
    assert server.get("/v1/executions/bad")["status"] == "FAILED"
    assert server.ask("POST", "/v1/executions/one/unpause").status == 200
    assert server.ask("POST", f"/v1/executions/{child_of(server)}/signals/approved", {"payload": None}).status < 300
    assert server.ends(id="one")["result"] == [1_300_007, 1_300_007]
    server.close()


def is_in_run(api: Api, number: int) -> bool:
    return bool(api.get("/v1/executions/one")["run"] == number)


def turned(file: Path) -> None:
    """The file has the runs of an execution that has turned twice, for the API, the terminal and a test."""
    server = Api(file, (turning, echoing))
    assert [each["run"] for each in server.get("/v1/executions/one/runs")["runs"]] == [3, 2, 1]
    with served(server.handler) as url:
        for number in (1, 2):
            shown = CliRunner().invoke(app, ["--url", url, "show", "one", "--run", str(number), "--json"])
            assert shown.exit_code == 0, shown.output
            seen = json.loads(shown.stdout)
            assert (seen["run"], seen["status"], seen["input"]) == (number, "SUCCEEDED", number)
            assert {command["id"] for command in seen["commands"]} == {"signal:go", "child:echoing"}
    for payload, status in (("1", 200), ("another", 409)):
        sent = {"payload": payload, "signal_id": "s1"}
        assert server.ask("POST", "/v1/executions/one/signals/go", sent).status == status, "an earlier run has taken it"
    assert server.get("/v1/executions/one")["signals_not_taken"] == []
    assert server.get("/v1/executions/one/recording", query="run=1")["signals"][0]["payload"] == '"1"'
    server.close()
    with Environment(turning, echoing) as env:
        (run,) = env.load(file)
        assert run.earlier_runs == [1, 2]
        assert [event.details["signal_id"] for event in run.history_of(2) if event.type == "signal-received"] == ["s2"]
        with pytest.raises(LookupError, match="no earlier run 3"):
            run.history_of(3)
    assert run.earlier_runs == [1, 2], "also after the end of the environment"


def test_earlier_runs_come_along_over_the_api(tmp_path: Path) -> None:
    file, api = tmp_path / "pulled.db", Api(tmp_path / "deployed.db", (turning, echoing))
    api.start("turning", 1)
    for turn in (1, 2):
        send = {"payload": str(turn), "signal_id": f"s{turn}"}
        assert api.ask("POST", "/v1/executions/one/signals/go", send).status < 300
        until(partial(is_in_run, api, turn + 1))
    with served(api.handler) as url:
        made = pull("one", "--url", url, "--output", file)
        few = CliRunner().invoke(app, ["pull", "one", "--url", url, "--output", str(tmp_path / "f.db"), "--runs", "1"])
    api.close()
    assert (made["earlier_runs"], len(made["execution_ids"])) == (2, 3), "with the children of earlier runs"
    assert "with 1 child and 1 earlier run" in few.output
    assert "--runs asks for more" in few.output
    turned(file)


def test_earlier_runs_of_a_table_come_along(tmp_path: Path) -> None:
    file = tmp_path / "pulled.db"
    with MotoCloud(turning, echoing) as cloud:
        run = cloud.start(turning, 1, "one")
        for turn in (1, 2):
            cloud.signal(run, "go", str(turn), signal_id=f"s{turn}")
            cloud.advance(timedelta(minutes=1))
        assert run.earlier_runs == [1, 2]
        made = pull("one", "--table", TABLE, "--region", REGION, "--bucket", BUCKET, "--output", file)
    assert (made["earlier_runs"], len(made["execution_ids"])) == (2, 3)
    turned(file)


def test_what_the_terminal_says_names_no_value(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "pulled.db"
    with served(api.handler) as url:
        done = CliRunner().invoke(app, ["pull", "bad", "--url", url, "--output", str(file)])
    assert done.exit_code == 0
    assert f"copied bad to {file}" in done.output
    assert "personal data" in done.output
    assert file.stat().st_mode & 0o077 == 0
    assert "nothing to pay" not in done.output


def test_what_cannot_be_loaded_is_said(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "pulled.db"
    with served(api.handler) as url:
        pull("bad", "--url", url, "--output", file)
        lost = CliRunner().invoke(app, ["pull", "nobody", "--url", url, "--output", str(tmp_path / "none.db")])
    assert lost.exit_code == 2
    assert not (tmp_path / "none.db").exists()
    with Environment(outer, inner) as env, pytest.raises(LookupError, match="failing"):
        env.load(file)
    with Environment(failing) as env:
        env.load(file)
        with pytest.raises(ExecutionConflict):
            env.load(file)
        with pytest.raises(StartupError, match="there is no file"):
            env.load(tmp_path / "none.db")
