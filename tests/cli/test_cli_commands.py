"""Every command against the real API: what it prints, what it exits with."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from stepfast.cli.app import app
from tests.cli.conftest import NASTY, mended
from tests.http.serving import Api
from tests.waiting import until


def parsed(result: Any) -> Any:
    """Standard output must be JSON and nothing else."""
    return json.loads(result.stdout)


# -- run ------------------------------------------------------------------------------------------------------


def test_run_prints_the_id(cli: Any, api: Api) -> None:
    id = cli("run", "echo", '{"a": 1}').stdout.strip()
    assert api.ends(id=id)["input"] == {"a": 1}


def test_run_again_with_the_id_finds_the_same_execution(cli: Any, api: Api) -> None:
    for _ in range(2):
        assert cli("run", "echo", "1", "--id", "mine").stdout == "mine\n"
    assert len(api.get("/v1/executions")["executions"]) == 1


def test_run_waits_and_prints_the_result_as_json(cli: Any) -> None:
    assert parsed(cli("run", "echo", '["é", null]', "--wait")) == ["é", None]
    described = parsed(
        cli("run", "echo", "1", "--wait", "--json", "--id", "j", "--label", "team=fin", "--label", "n=1")
    )
    assert (described["status"], described["result"], described["labels"]) == (
        "SUCCEEDED",
        1,
        {"team": "fin", "n": "1"},
    )
    assert parsed(cli("run", "echo", "1", "--json"))["workflow"] == "echo"


@pytest.mark.parametrize("way", ["argument", "option", "file", "stdin"])
def test_the_input_comes_from_where_it_is_said(cli: Any, tmp_path: Path, way: str) -> None:
    text = '{"é": [1.5, null]}'
    (tmp_path / "input.json").write_text(text, encoding="utf-8")
    arguments = {
        "argument": [text],
        "option": ["--input", text],
        "file": [f"@{tmp_path / 'input.json'}"],
        "stdin": ["-"],
    }[way]
    assert parsed(cli("run", "echo", *arguments, "--wait", input=text)) == {"é": [1.5, None]}


def test_a_failure_exits_1_and_names_step_and_error_on_one_line(cli: Any) -> None:
    result = cli("run", "fragile-flow", '"Ada"', "--wait", "--id", "f", code=1)
    assert result.stdout == ""
    started, *progress, failure = result.stderr.splitlines(keepends=True)
    assert started == "started f\n"
    assert any("fragile  RETRYING" in line or "fragile  FAILED" in line for line in progress)
    assert failure == (
        "stepfast: execution 'f' failed in step 'fragile': ConnectionError: "
        "no [bold]way[/bold] to Ada\\x1b[2J second line; look at it with `stepfast show f`, and go on with "
        "`stepfast resume f`\n"
    )
    assert parsed(cli("run", "fragile-flow", '"Ada"', "--wait", "--id", "f", "--json", code=1))["status"] == "FAILED"
    assert "failed in step" in cli("watch", "f", code=1).stderr


def test_waiting_no_longer_than_the_timeout_exits_124(cli: Any) -> None:
    result = cli("run", "wait-for", "--wait", "--timeout", "0.05", "--id", "w", code=124)
    assert "still RUNNING" in result.stderr
    assert "stepfast watch w" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "there are: divided, echo, fragile-flow, wait-for"),
        (["fragile-flow", "7"], "Input should be a valid string"),
        (["echo", "{'a': 1}"], "not JSON"),
        (["echo", "NaN"], "NaN is not JSON"),
        (["echo", "[" * 100_000], "nested too deeply"),
        (["echo", "9" * 5000], "not JSON"),
        (["echo", "@/nowhere/input.json"], "cannot read the input from /nowhere/input.json"),
        (["echo", "1", "--input", "2"], "given twice"),
        (["echo", "1", "--id", "a/b"], "an execution id is"),
        (["a/b", "1"], "a workflow name is"),
        (["echo", "1", "--label", "team"], "key=value"),
        (["echo", "1", "--label", "a:b=c"], "label's key"),
        (["echo", '"\\ud800"'], "cannot be"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_input_exits_2_and_says_what_was_wrong(cli: Any, arguments: list[str], said: str) -> None:
    result = cli("run", *arguments, code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_conflict_exits_2(cli: Any) -> None:
    cli("run", "echo", "1", "--id", "one")
    assert "another input" in cli("run", "echo", "2", "--id", "one", code=2).stderr


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["nonsense"], ["show"], ["list", "--limit", "0"], ["list", "--nope"]]
)
def test_wrong_usage_exits_2(cli: Any, arguments: list[str]) -> None:
    cli(*arguments, code=2)


# -- looking --------------------------------------------------------------------------------------------------


def test_list_shows_and_filters(cli: Any, api: Api) -> None:
    assert cli("list").stdout == "no executions\n"
    for n in range(3):
        cli("run", "echo", str(n), "--id", f"e{n}", "--label", f"n={n}", "--wait")
    cli("run", "wait-for", "--id", "w")
    text = cli("list").stdout
    assert [line.split()[0] for line in text.splitlines()] == ["execution", "w", "e2", "e1", "e0"]
    assert "n=1" in text
    assert [
        execution["execution_id"] for execution in parsed(cli("list", "--json", "--label", "n=1"))["executions"]
    ] == ["e1"]
    assert [
        execution["execution_id"] for execution in parsed(cli("list", "--json", "--status", "running"))["executions"]
    ] == ["w"]
    assert parsed(cli("list", "--json", "--workflow", "echo", "--since", "2100-01-01"))["executions"] == []
    assert [
        execution["execution_id"] for execution in parsed(cli("list", "--json", "--prefix", "e1"))["executions"]
    ] == ["e1"]
    assert cli("list", "--prefix", "x").stdout == "no executions\n"
    page = parsed(cli("list", "--json", "--limit", "2"))
    rest = parsed(cli("list", "--json", "--cursor", page["next"]))
    assert [execution["execution_id"] for execution in rest["executions"]] == ["e1", "e0"]
    assert "status: Input should be" in cli("list", "--status", "done", code=2).stderr
    assert "is not UTF-8 text" in cli("list", "--label", "team=\udcff", code=2).stderr


def test_show_is_a_timeline_of_tries_waits_and_errors(cli: Any, api: Api) -> None:
    cli("run", "fragile-flow", '"Ada"', "--id", "f")
    api.ends("FAILED", id="f")
    text = cli("show", "f").stdout
    assert "✗ FAILED" in text
    assert "try 1" in text
    assert "ConnectionError: no [bold]way[/bold] to Ada\\x1b[2J" in text
    assert "again after 0.01 s" in text
    assert "Traceback" not in text
    assert "in fragile" in cli("show", "f", "--traceback").stdout
    assert parsed(cli("show", "f", "--json"))["commands"][0]["attempt"] == 2
    mended.set()
    assert cli("resume", "f").stdout == "resumed f\n"
    api.ends(id="f")
    assert "resumed 1 time(s)" in cli("show", "f").stdout


def test_show_tells_what_is_waited_for(cli: Any, api: Api) -> None:
    cli("run", "wait-for", "--id", "w")
    until(lambda: api.command("signal:go", "w"))
    assert "waits for the signal 'go'" in cli("show", "w").stdout
    assert "no execution has the id" in cli("show", "nobody", code=2).stderr
    assert "an execution id is" in cli("show", "a/b", code=2).stderr


def test_watch_prints_a_line_for_each_change_and_the_end(cli: Any, api: Api) -> None:
    mended.set()
    cli("run", "fragile-flow", '"Ada"', "--id", "f")
    lines = cli("watch", "f").stdout.splitlines()
    assert lines[-1].split()[1:] == ["f", "SUCCEEDED"]
    assert lines[-2].split()[1:] == ["fragile", "SUCCEEDED"]
    assert parsed(cli("watch", "f", "--json"))["result"] == "Hello Ada"
    cli("run", "wait-for", "--id", "w")
    cli("watch", "w", "--timeout", "0.01", code=124)
    cli("cancel", "w")
    assert "was cancelled" in cli("watch", "w", code=1).stderr
    assert "no execution has the id" in cli("watch", "nobody", code=2).stderr


# -- steering -------------------------------------------------------------------------------------------------


def test_signal_and_cancel(cli: Any, api: Api) -> None:
    for id in ("a", "b"):
        cli("run", "wait-for", "--id", id)
        until(lambda: api.command("signal:go", id))  # noqa: B023
    assert "Input should be a valid integer" in cli("signal", "a", "go", '"x"', code=2).stderr
    assert cli("signal", "a", "go", "5", "--signal-id", "s").stdout == "sent go to a\n"
    assert parsed(cli("signal", "a", "go", "5", "--signal-id", "s", "--json"))["payload"] == 5
    assert api.ends(id="a")["result"] == 5
    assert cli("cancel", "b").stdout == "cancelled b\n"
    assert "CANCELLED" in cli("cancel", "b", code=2).stderr
    cli("run", "wait-for", "--id", "c")
    assert parsed(cli("cancel", "c", "--json"))["status"] == "CANCELLED"


def test_resume_says_first_where_no_failed_step_stands_behind_a_failure(cli: Any, api: Api) -> None:
    cli("run", "divided", "--id", "d")
    api.ends("FAILED", id="d")
    assert "no failed step stands behind this" in cli("show", "d").stdout
    result = cli("resume", "d")
    assert result.stdout == "resumed d\n"
    assert "stepfast resume d --step COMMAND" in result.stderr
    api.ends("FAILED", id="d")
    assert "no failed step stood behind" in cli("dead-letters", "replay", "d").stderr
    api.ends("FAILED", id="d")
    mended.set()
    result = cli("resume", "d", "--step", "measured")
    assert (result.stdout, result.stderr) == ("resumed d\n", "")
    assert api.ends(id="d")["result"] == 7


def test_show_names_what_a_resume_runs_again(cli: Any, api: Api) -> None:
    cli("run", "fragile-flow", '"Ada"', "--id", "f")
    api.ends("FAILED", id="f")
    assert "runs again: fragile" in cli("show", "f").stdout
    assert "has no command 'nope'" in cli("resume", "f", "--step", "nope", code=2).stderr
    assert "leave one of them away" in cli("resume", "f", "--step", "fragile", "--as-recorded", code=2).stderr
    assert parsed(cli("resume", "f", "--as-recorded", "--json"))[0]["reopened"] == []


def test_resume_takes_many_and_one_refusal_does_not_stop_the_others(cli: Any, api: Api) -> None:
    for id in ("a", "b", "c"):
        cli("run", "fragile-flow", '"Ada"', "--id", id)
        api.ends("FAILED", id=id)
    mended.set()
    result = cli("resume", "a", "nobody", "b", code=2)
    assert result.stdout == "resumed a\nresumed b\n"
    assert "nobody" in result.stderr
    assert [result["execution_id"] for result in parsed(cli("resume", "c", "--json"))] == ["c"]


def test_dead_letters_are_listed_and_replayed(cli: Any, api: Api) -> None:
    assert cli("dead-letters", "list").stdout == "no dead letters\n"
    for id in ("a", "b", "c", "d"):
        cli("run", "fragile-flow", '"Ada"', "--id", id)
        api.ends("FAILED", id=id)
    text = cli("dead-letters", "list").stdout
    assert "fragile" in text
    assert "ConnectionError: no [bold]way[/bold] to Ada\\x1b[2J\\nsecond line" in " ".join(text.split())
    answer = parsed(cli("dead-letters", "list", "--json", "--error", "ConnectionError"))
    assert [letter["execution_id"] for letter in answer["dead_letters"]] == ["d", "c", "b", "a"]
    assert cli("dead-letters", "list", "--step", "").stdout == "no dead letters\n"
    (line,) = cli("dead-letters", "groups").stdout.splitlines()[1:]
    assert line.split()[:6] == ["4", "fragile-flow", "fragile", "ConnectionError", "0", "d"]
    assert cli("dead-letters", "groups", "--workflow", "echo").stdout == "no dead letters\n"
    assert parsed(cli("dead-letters", "groups", "--json"))["complete"] is True
    mended.set()
    assert cli("dead-letters", "replay", "--step", "").stdout == "no dead letters\n"
    result = cli("dead-letters", "replay", "a", "nobody", code=2)
    assert result.stdout == "resumed a\n"
    assert parsed(cli("dead-letters", "replay", "b", "--json"))["resumed"] == 1
    assert (
        cli("dead-letters", "replay", "--workflow", "fragile-flow", "--rate", "500").stdout == "resumed d\nresumed c\n"
    )
    assert cli("dead-letters", "replay", "--all").stdout == "no dead letters\n"


@pytest.mark.parametrize(
    "arguments", [[], ["a", "--all"], ["--all", "--workflow", "x"], ["--rate", "5"], ["a", "--rate", "0"]]
)
def test_a_replay_must_say_of_what(cli: Any, arguments: list[str]) -> None:
    assert cli("dead-letters", "replay", *arguments, code=2).stderr.count("\n") == 1


# -- what is shared -------------------------------------------------------------------------------------------


def test_data_prints_literally_and_its_control_characters_are_written_out(cli: Any, api: Api) -> None:
    text = json.dumps(NASTY)
    cli("run", "echo", text, "--id", "n", "--label", "l=[red]x[/red]:smile:\u202e", "--wait")
    for arguments in (["show", "n"], ["list"], ["watch", "n"]):
        printed = cli(*arguments).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(printed)
    assert r"[red]x[/red] :smile: \u001b[31mred\u0007 \u202egnp.exe" in cli("show", "n").stdout
    assert r"l=[red]x[/red]:smile:\u202e" in cli("list").stdout
    assert cli("show", "n", "--json").stdout.isascii()
    assert parsed(cli("run", "echo", text, "--wait")) == NASTY


def test_the_address_may_stand_before_or_after_the_command(cli: Any, url: str) -> None:
    elsewhere = url.replace("127.0.0.1", "localhost")
    for arguments in (
        ["--url", elsewhere, "list", "--json"],
        ["list", "--json", "--url", elsewhere],
        ["list", f"--url={elsewhere}", "--json"],
        ["dead-letters", "list", "--json", "--url", elsewhere, "--api-key", "k"],
    ):
        parsed(cli(*arguments))
    assert "http://" in cli("list", "--url", "nonsense", code=2).stderr


def test_where_nothing_listens_every_command_exits_3_at_once(cli: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for arguments in (
        ["run", "echo", "1"],
        ["run", "echo", "1", "--wait"],
        ["list"],
        ["show", "x"],
        ["watch", "x"],
        ["resume", "x"],
        ["cancel", "x"],
        ["signal", "x", "go"],
        ["dead-letters", "list"],
        ["dead-letters", "replay", "--all"],
    ):
        result = cli(*arguments, "--url", nowhere, code=3)
        advice = "start one with `stepfast dev`, or name another by --url"
        assert result.stderr == f"stepfast: no stepfast at {nowhere} (Connection refused); {advice}\n"
        assert result.stdout == ""


def test_a_server_that_is_away_exits_3(cli: Any, api: Api) -> None:
    api.close()
    assert "try again later" in cli("run", "echo", "1", code=3).stderr


def test_the_version_is_told(cli: Any) -> None:
    assert cli("--version").stdout.startswith("stepfast ")


def test_every_command_has_help(cli: Any) -> None:
    listed = cli("--help").stdout
    for command in ("dev", "init", "run", "list", "show", "watch", "resume", "cancel", "signal", "dead-letters"):
        assert command in listed
        assert cli(command, "--help").stdout.startswith("Usage: ")
    assert app.info.name == "stepfast"
