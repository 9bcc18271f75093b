"""What many commands, narrow terminals, programs and shells need of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from stepfast.cli import completion, folding, printing, timeline
from stepfast.cli.following import _print_changes
from tests.cli.conftest import mended
from tests.counting import calls
from tests.http.serving import Api

BEGAN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ID = "7d0f02aa-d26f-493e-9134-4faa8cc1bc0f"


def command(id: str, status: str = "SUCCEEDED", second: float = 1, **fields: Any) -> dict[str, Any]:
    at = (BEGAN + timedelta(seconds=second)).isoformat()
    ended = at if status in ("SUCCEEDED", "FAILED") else None
    made = {"id": id, "name": id.split("/")[-1].split("#")[0], "kind": "step", "status": status, "attempt": 1}
    times = {"first_at": BEGAN.isoformat(), "started_at": BEGAN.isoformat(), "ended_at": ended, "due": None}
    return {**made, **times, "error": None, "attempts": [], **fields}


def failed_attempt(second: float) -> dict[str, Any]:
    ended = (BEGAN + timedelta(seconds=second)).isoformat()
    error = {"type": "ConnectionError", "message": "no way", "step": None}
    return {"attempt": 1, "started_at": BEGAN.isoformat(), "ended_at": ended, "error": error, "next_at": None}


def execution(commands: list[dict[str, Any]], status: str = "RUNNING") -> dict[str, Any]:
    names = {"execution_id": ID, "workflow": "w", "status": status, "labels": {}, "input": None, "result": None}
    return {
        **names,
        "error": None,
        "resumes": 0,
        "created_at": BEGAN.isoformat(),
        "ended_at": None,
        "commands": commands,
    }


def printed(renderable: Any, width: int = 160) -> str:
    console = Console(width=width, markup=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_many_that_are_alike_are_one_row_and_the_others_stay() -> None:
    many = [command(f"branch#{n}/{name}") for n in range(1, 1001) for name in ("fetch", "store")]
    many[6]["attempts"] = [failed_attempt(1)]
    rows = folding.folded([command("begin"), *many, command("branch#7/fetch#2", "FAILED"), command("end")])
    names = [row.name if isinstance(row, folding.Fold) else row["id"] for row in rows]
    assert names == ["begin", "branch/fetch", "branch/store", "branch#7/fetch#2", "end"]
    text = printed(timeline.render(execution(many), rows=rows))
    assert "branch/fetch ×1,000" in text
    assert "1 of them after failed attempts" in text


def test_filters_take_what_failed_and_what_is_of_a_step() -> None:
    commands = [command("a"), command("b", "FAILED"), command("c", attempts=[failed_attempt(1)]), command("x#2/b#3")]
    assert [command["id"] for command in folding.matching(commands, failed=True)] == ["b", "c"]
    assert [command["id"] for command in folding.matching(commands, step="b")] == ["b", "x#2/b#3"]
    assert [command["id"] for command in folding.matching(commands, step="x#2/b#3")] == ["x#2/b#3"]


def test_what_is_left_out_is_counted() -> None:
    rows, left = folding.cut(folding.folded([command(f"s{n}") for n in range(30)]), 10)
    assert (len(rows), left) == (10, 20)
    assert "… and 20 more: --limit N" in printed(timeline.render(execution([]), rows=rows, left=left))


def test_on_a_narrow_terminal_notes_come_whole_after_the_table() -> None:
    bad = command("fetch", "FAILED", attempts=[failed_attempt(1)])
    text = printed(timeline.render(execution([bad]), rows=[bad], width=60), width=60)
    assert "fetch: try 1, 1.00 s: ConnectionError: no way" in text


def test_ten_thousand_commands_are_shown_at_a_fraction_of_the_cost_of_all_their_rows() -> None:
    many = [command(f"step{n}") if n % 10 == 0 else command(f"branch#{n}/fetch") for n in range(10_000)]

    def cost(rows: list[folding.Row], left: int) -> int:
        return calls(lambda: printed(timeline.render(execution(many), rows=rows, left=left)))

    few = cost(*folding.cut(folding.folded(many), folding.MAX_ROWS))
    assert few * 4 < cost([*many[:3000]], 0)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_an_id_is_printed_whole_however_narrow_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(printing, "console", lambda: Console(width=width, force_terminal=False))
    row = (ID, timeline.status_text("SUCCEEDED"), "a-rather-long-name", "2026-01-01 12:00:00", "1.00 s", "team=a")
    printing.show_rows(("execution", "status", "workflow", "started", "took", "labels"), [row])
    assert any(line.startswith(ID) for line in capsys.readouterr().out.splitlines())


def test_watch_prints_what_happened_when_it_happened_and_in_that_order() -> None:
    retrying = command("slow", "RETRYING", attempt=1, attempts=[failed_attempt(65)])
    state = execution([command("late", second=3600), retrying, command("early", second=2)])
    lines: list[str] = []
    _print_changes(state, {}, lines.append)
    assert lines == ["12:00:02  early  SUCCEEDED", "12:01:05  slow  RETRYING", "13:00:00  late  SUCCEEDED"]


# -- against a server --------------------------------------------------------------------------------------------


def test_cancel_takes_many_and_goes_on_after_a_refusal(cli: Any, api: Api) -> None:
    for id in ("a", "b"):
        cli("run", "wait-for", "--id", id)
    result = cli("cancel", "a", "nobody", "b", code=2)
    assert result.stdout.splitlines() == ["cancelled a", "cancelled b"]
    assert "'nobody'" in result.stderr
    assert {api.get(f"/v1/executions/{id}")["status"] for id in ("a", "b")} == {"CANCELLED"}


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["show", "nobody"], "ExecutionNotFound", 2),
        (["cancel", "nobody"], "ExecutionNotFound", 2),
        (["run", "nope"], "UnknownWorkflow", 2),
        (["run", "echo", "{'a'"], "InvalidRequest", 2),
        (["run", "fragile-flow", '"Ada"', "--wait"], "ExecutionFailed", 1),
        (["show"], "MissingParameter", 2),
        (["list", "--limit", "many"], "BadParameter", 2),
        (["show", "x", "--url", "http://127.0.0.1:9"], "Unreachable", 3),
    ],
)
def test_with_json_an_error_is_an_object_on_standard_error(
    cli: Any, arguments: list[str], kind: str, code: int
) -> None:
    result = cli(*arguments, "--json", code=code)
    (line,) = result.stderr.splitlines()
    changed = json.loads(line)
    assert (changed["type"], changed.get("exit_code", code)) == (kind, code)
    assert changed["error"]
    again = cli(*arguments, code=code)
    with pytest.raises(json.JSONDecodeError):
        json.loads(again.stderr.splitlines()[-1])


def test_show_filters_and_limits_for_programs_too(cli: Any) -> None:
    mended.clear()
    cli("run", "fragile-flow", '"Ada"', "--wait", "--id", "f", code=1)
    assert [command["id"] for command in json.loads(cli("show", "f", "--failed", "--json").stdout)["commands"]] == [
        "fragile"
    ]
    assert json.loads(cli("show", "f", "--step", "other", "--json").stdout)["commands"] == []
    assert "no commands match" in cli("show", "f", "--step", "other").stdout


def test_the_shell_is_offered_workflows_and_ids(cli: Any, url: str) -> None:
    cli("run", "echo", "1", "--id", "order-1")
    cli("run", "wait-for", "--id", "order-2")

    class Context:
        def __init__(self, url: str) -> None:
            self.params = {"url": url}

        def find_root(self) -> Context:
            return self

    context: Any = Context(url)
    assert completion.workflows(context, "e") == ["echo"]
    assert sorted(completion.ids(context, "order")) == ["order-1", "order-2"]
    assert completion.failed_ids(context, "") == []
    context.params = {"url": "http://127.0.0.1:9"}
    assert completion.ids(context, "") == []


def test_the_shells_own_question_is_answered(url: str) -> None:
    program = "from stepfast.cli import main; main()"
    asked = {"_STEPFAST_COMPLETE": "complete_bash", "COMP_WORDS": "stepfast run ", "COMP_CWORD": "2"}
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'stepfast'; " + program],
        env={**asked, "STEPFAST_URL": url, "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert "fragile-flow" in ran.stdout.split(), (ran.stdout, ran.stderr)


def test_a_call_loads_its_libraries_and_nothing_of_the_engine(url: str) -> None:
    """What a call takes is mostly what it imports: with the engine it takes three times as long."""
    program = (
        f"import sys; sys.argv = ['stepfast', 'list', '--url', {url!r}]; from stepfast.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(ran.stderr.split())
    assert {"httpx", "stepfast.client"} <= loaded, ran.stderr
    assert not loaded & {"sqlite3", "stepfast.engine", "stepfast.replay", "stepfast.local", "stepfast.http"}


@pytest.mark.timing
def test_a_call_takes_little_more_than_its_libraries(url: str) -> None:
    def best(*arguments: str) -> float:
        taken = []
        for _ in range(4):
            begun = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            taken.append(time.perf_counter() - begun)
        return min(taken)

    program = f"import sys; sys.argv = ['stepfast', 'list', '--url', {url!r}]; from stepfast.cli import main; main()"
    ratio = best("-c", program) / best("-c", "import httpx, rich")
    assert ratio < 4, ratio  # 2 to 3 on a machine that is busy; modules that pull in the engine make it 6
