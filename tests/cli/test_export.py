"""`stepfast export`: what it writes, in which order, and that no file of it ever holds a half."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast.cli import export_lines, export_pages
from stepfast.cli.app import app
from stepfast.client import Client
from stepfast.errors import Unavailable
from tests.http.serving import Api, served

KEY = "not-to-be-written-anywhere"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def seven(api: Api) -> Api:
    for number in range(5):
        api.start("echo", {"number": number}, f"echo-{number}", labels={"kind": "odd" if number % 2 else "even"})
        api.ends(id=f"echo-{number}")
    api.start("fragile-flow", "Ann", "failed")
    api.ends("FAILED", id="failed")
    api.start("wait-for", None, "running")
    return api


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)


def test_every_execution_is_a_line_newest_first_as_the_list_shows_it(cli: Any, seven: Api, small_pages: None) -> None:
    written = lines(cli("export").stdout)
    assert written == seven.get("/v1/executions")["executions"]
    assert [line["execution_id"] for line in written][:3] == ["running", "failed", "echo-4"]
    assert written[2]["input"] == written[2]["result"] == {"number": 4}
    assert written[1]["error"]["type"] == "ConnectionError"


def test_two_exports_are_the_same_bytes(cli: Any, seven: Api, small_pages: None) -> None:
    assert cli("export", "--status", "succeeded").stdout == cli("export", "--status", "succeeded").stdout


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (("--workflow", "fragile-flow"), ["failed"]),
        (("--status", "running"), ["running"]),
        (("--prefix", "echo-3"), ["echo-3"]),
        (("--label", "kind=odd"), ["echo-3", "echo-1"]),
        (("--until", "2000-01-01"), []),
        (("--since", "2000-01-01", "--label", "kind=even", "--workflow", "echo"), ["echo-4", "echo-2", "echo-0"]),
    ],
)
def test_the_filters_are_those_of_list(cli: Any, seven: Api, filters: tuple[str, ...], ids: list[str]) -> None:
    assert [line["execution_id"] for line in lines(cli("export", *filters).stdout)] == ids


def test_all_brings_commands_attempts_signals_and_history(cli: Any, seven: Api, small_pages: None) -> None:
    seven.ask("POST", "/v1/executions/running/signals/stop", {"payload": "now", "signal_id": "s1"})
    seven.ask("POST", "/v1/executions/running/signals/go", {"payload": 5, "signal_id": "s2"})
    seven.ends(id="running")
    running, failed, *_ = written = lines(cli("export", "--all").stdout)
    assert len(written) == 7
    assert [signal["payload"] for signal in running["signals"]] == ["now", 5]
    assert [signal["signal_id"] for signal in running["signals"]] == ["s1", "s2"]
    (command,) = failed["commands"]
    assert [attempt["error"]["type"] for attempt in command["attempts"]] == ["ConnectionError"] * 2
    for line in written:
        path = f"/v1/executions/{line['execution_id']}"
        assert line["history"] == seven.get(f"{path}/history")["events"]
        shown = seven.get(path)
        assert line["commands"] == shown["commands"]
        assert {name: line[name] for name in ("input", "result", "error", "labels", "status")} == {
            name: shown[name] for name in ("input", "result", "error", "labels", "status")
        }


def test_a_csv_file_has_a_row_each_with_json_in_its_cells(cli: Any, seven: Api, tmp_path: Path) -> None:
    odd = ["a,b", 'c"d', "e\nf", None]
    seven.start("echo", odd, "odd")
    seven.ends(id="odd")
    file = tmp_path / "all.csv"
    assert cli("export", "--output", str(file)).stdout == f"exported 8 executions to {file}\n"
    oddity, *rows = csv.DictReader(io.StringIO(file.read_text(), newline=""))
    assert json.loads(oddity["input"]) == json.loads(oddity["result"]) == odd
    assert [row["execution_id"] for row in rows] == ["running", "failed", *(f"echo-{n}" for n in (4, 3, 2, 1, 0))]
    assert json.loads(rows[2]["result"]) == {"number": 4}
    assert json.loads(rows[2]["labels"]) == {"kind": "even"}
    assert rows[0]["result"] == rows[0]["error_type"] == ""
    assert (rows[1]["error_type"], rows[1]["error_step"]) == ("ConnectionError", "fragile")
    assert rows[1]["error_message"].startswith("no [bold]way[/bold] to Ann")


def test_text_that_a_spreadsheet_would_run_is_marked() -> None:
    from stepfast.cli.export_lines import COLUMNS, csv_row

    error = {"type": "X", "message": '=HYPERLINK("http://x")', "step": None}
    execution = dict.fromkeys(COLUMNS) | {"labels": {}, "status": "FAILED", "input": -5, "error": error}
    (row,) = csv.reader(io.StringIO(csv_row(execution).decode()))
    cells = dict(zip(COLUMNS, row, strict=True))
    assert cells["error_message"] == '\'=HYPERLINK("http://x")'
    assert (cells["input"], cells["result"]) == ("-5", "")


def test_a_file_is_the_owners_alone_and_holds_no_key(cli: Any, seven: Api, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("an older export")
    cli("--api-key", KEY, "export", "--all", "-o", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(lines(file.read_text())) == 7
    assert KEY not in file.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("all")] == ["all.jsonl"]


@pytest.fixture
def fails_on_the_third_page(monkeypatch: pytest.MonkeyPatch) -> Any:
    pages, listed = iter(range(100)), Client.list

    def listing(client: Client, *args: Any, **more: Any) -> Any:
        if next(pages) == 2:
            raise Unavailable("the server has gone")
        return listed(client, *args, **more)

    monkeypatch.setattr(Client, "list", listing)


@pytest.mark.parametrize("more", [(), ("--all",), ("--format", "csv")])
def test_an_interrupted_export_leaves_the_old_file_and_goes_on_where_it_was(
    cli: Any, seven: Api, tmp_path: Path, small_pages: None, more: tuple[str, ...], fails_on_the_third_page: Any
) -> None:
    file, partial = tmp_path / "x.out", tmp_path / "x.out.partial"
    file.write_text("yesterday's")
    failed = cli("export", *more, "-o", str(file), code=3)
    assert "go on with the same command and --continue" in failed.stderr
    assert file.read_text() == "yesterday's"
    # Two pages of two, and perhaps a header: each page is written before the next is asked for.
    text = partial.read_text()
    rows = list(csv.reader(io.StringIO(text))) if "csv" in more else text.splitlines()
    assert len(rows) == 4 + ("csv" in more)
    with partial.open("a") as torn:  # what a crash in the middle of a page leaves
        torn.write('{"execution_id": "ha')
    assert "other filters" in cli("export", "--status", "FAILED", "-o", str(file), "--continue", code=2).stderr
    whole = cli("export", *more).stdout_bytes
    seven.start("echo", "later", "newer")
    seven.ends(id="newer")
    assert "exported 7 executions" in cli("export", *more, "-o", str(file), "--continue").stdout
    assert file.read_bytes() == whole
    assert [path.name for path in tmp_path.glob("x*")] == ["x.out"]


@pytest.mark.parametrize("more", [(), ("--all",)])
def test_several_deployments_are_exported_together(
    seven: Api, url: str, tmp_path: Path, small_pages: None, more: tuple[str, ...]
) -> None:
    second = Api(tmp_path / "second.db", seven.workflows, seven.steps)
    try:
        with served(second.handler) as other, Client([url, other]) as both:
            mine = [f"two-{number}" for number in range(20)]
            for id in mine:
                both.run("echo", id, execution_id=id)
            for id in mine:
                assert both.execution(id).result(timeout=60) == id
            result = CliRunner().invoke(
                app, ["export", *more, "--prefix", "two"], env={"STEPFAST_URL": f"{url},{other}"}
            )
            assert result.exit_code == 0, result.stderr
            written = lines(result.stdout)
            assert sorted(line["execution_id"] for line in written) == sorted(mine)
            assert [line["created_at"] for line in written] == sorted(
                (line["created_at"] for line in written), reverse=True
            )
            assert {len(line["history"]) for line in written if more} <= {2}
            assert 0 < len(second.get("/v1/executions")["executions"]) < 20
    finally:
        second.close()


def test_what_fails_on_its_first_page_leaves_nothing(cli: Any, seven: Api, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    assert "status" in cli("export", "--status", "DONE", "-o", str(file), code=2).stderr
    assert "--continue" not in cli("export", "-o", str(tmp_path / "no" / "x"), code=2).stderr
    assert "no interrupted export" in cli("export", "-o", str(file), "--continue", code=2).stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("x")] == []


def test_two_exports_to_one_file_do_not_mix(
    cli: Any, seven: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, second, listed = tmp_path / "x.jsonl", list[str](), Client.list

    def listing(client: Client, *args: Any, **more: Any) -> Any:
        if not second:
            second.append("begun")
            second.append(cli("export", "-o", str(file), code=2).stderr)
        return listed(client, *args, **more)

    monkeypatch.setattr(Client, "list", listing)
    cli("export", "-o", str(file))
    assert "another export writes" in second[1]
    assert len(lines(file.read_text())) == 7


def test_wrong_uses_are_named(cli: Any, seven: Api, tmp_path: Path) -> None:
    assert "--all has no table" in cli("export", "--all", "--format", "csv", code=2).stderr
    assert "name it by --output" in cli("export", "--continue", code=2).stderr
    assert cli("export", "-o", "/dev/null").stdout == ""
    assert Path("/dev/null").is_char_device()


def test_an_execution_that_is_deleted_meanwhile_leaves_no_half_line(
    cli: Any, seven: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stepfast.client import Execution

    events = Execution.events

    def deleting(handle: Execution, *args: Any) -> Any:
        if handle.execution_id in ("echo-2", "failed"):
            assert seven.ask("DELETE", f"/v1/executions/{handle.execution_id}").status == 200
        return events(handle, *args)

    monkeypatch.setattr(Execution, "events", deleting)
    ids = [line["execution_id"] for line in lines(cli("export", "--all").stdout)]
    assert ids == ["running", "echo-4", "echo-3", "echo-1", "echo-0"]


def test_the_program_of_the_page_reads_an_export(cli: Any, seven: Api, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/export.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"__name__": "read_export"}
    exec(compile(program, "read_export.py", "exec"), names)
    cli("export", "--all", "-o", str(tmp_path / "all.jsonl"))
    assert names["attempts_by_step"](tmp_path / "all.jsonl") == {"fragile": 2}
    columns = re.findall(r"`(\w+)`", text.split("The columns are")[1].split(". `labels`, `input`,")[0])
    assert tuple(columns) == export_lines.COLUMNS
