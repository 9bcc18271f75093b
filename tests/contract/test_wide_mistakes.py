"""Mistakes with maps, children, runs and pages, made over HTTP and on the command line against a real server.

Embedded, and on AWS through the authorizer and the `api` function: each gets an error that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from typer.testing import CliRunner

from stepfast import ContinueAsNew, Csv, JsonLines, Retry, child, map_items, step, workflow
from stepfast.cli.app import app
from stepfast.deployment.project import Project
from stepfast.simulator.gateway import GatewayRequest
from stepfast.testing import MotoCloud
from tests.http.serving import Api, served


@step(retry=Retry(max_attempts=1))
def stored(item: dict[str, Any]) -> int:
    return len(item)


@step
def looked(turn: int) -> int:
    return turn


@workflow("not-deployed")
async def not_deployed() -> int:
    return 1


@workflow("mapping")
async def mapping(options: dict[str, Any]) -> int:
    kind = Csv if options["path"].endswith("csv") else JsonLines
    more = {name: value for name, value in options.items() if name != "path"}
    return (await map_items(stored, kind(options["path"]), **more)).succeeded


@workflow("asking")
async def asking(what: str) -> int:
    children: dict[str, Any] = {"a name": "mapping", "not deployed": not_deployed}
    return await child(children[what])


@workflow("nesting")
async def nesting() -> int:
    return await child(nesting)


@workflow("turning")
async def turning(turn: int | str) -> int:
    await looked(1)
    if turn == 2:
        return 3
    raise ContinueAsNew(turn + 1 if isinstance(turn, int) else None)


WORKFLOWS = (mapping, asking, nesting, turning)


class Home:
    """A server of one of the homes. Every answer is one that a client may get: no status of 500, no traceback."""

    def __init__(self, address: str, key: str | None, settle: Callable[[str], Any]) -> None:
        self.address, self.key, self._settle = address, key, settle
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=address, headers=headers, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code < 500, answer.text
        assert answer.status_code < 400 or "Traceback" not in answer.text
        return answer

    def cli(self, *arguments: str) -> tuple[int, str]:
        env = {"STEPFAST_URL": self.address, "STEPFAST_API_KEY": self.key}
        result = CliRunner().invoke(app, [*arguments], env=env)
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, " ".join(result.output.split())

    def run(self, workflow: str, input: Any, id: str = "one") -> dict[str, Any]:
        """Starts an execution, and describes it once it has ended."""
        started = self.ask("POST", f"/v1/workflows/{workflow}/executions", {"input": input, "execution_id": id})
        assert started.status_code == 201, started.text
        self.settle(id)
        return dict(self.ask("GET", f"/v1/executions/{id}").json())

    def settle(self, id: str = "one") -> None:
        self._settle(id)


@pytest.fixture(params=["embedded", "aws"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    if request.param == "embedded":
        api = Api(tmp_path / "home.db", WORKFLOWS)
        try:
            with (
                served(api.handler) as address,
                Home(address, None, lambda id: api.ends("FAILED", "SUCCEEDED", id=id)) as made,
            ):
                yield made
        finally:
            api.close()
        return
    with ThreadPoolExecutor(1) as only:  # a cloud is run by one thread
        cloud = only.submit(MotoCloud, *WORKFLOWS, project=Project(max_child_depth=3)).result()
        only.submit(cloud.__enter__).result()

        def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
            asked = event["requestContext"]["http"]
            request = GatewayRequest(asked["method"], asked["path"], event=event)
            (answer,) = only.submit(cloud.player.request_all, request).result()
            return {"statusCode": answer.status, "headers": dict(answer.headers), "body": answer.body}

        def settle(id: str) -> None:
            only.submit(lambda: cloud.run_until(cloud.execution(id))).result()

        try:
            with served(handler) as address, Home(address, cloud.key, settle) as made:
                yield made
        finally:
            only.submit(cloud.__exit__, None, None, None).result()


def csv_of(*rows: str) -> str:
    return "\n".join(("a,b", *rows, ""))


FILES: dict[str, tuple[str | None, str]] = {
    "missing.jsonl": (None, "missing.jsonl cannot be read: No such file or directory"),
    "no-path.txt/x.csv": (None, "cannot be read"),
    "empty.csv": ("", "the first row must name each column once"),
    "twice.csv": ("a,a\n1,2\n", "the first row must name each column once, and is ['a', 'a']"),
    "picture.csv": ("\0\udcff\udcfe\n", "the first row is not CSV in UTF-8"),
    "open.csv": (csv_of("1,x", '2,"open', "3,x"), "a quoted field in the row of line 3 is not closed"),
    "table.jsonl": (csv_of("1,x"), "2 of 2 items failed, and 0 may fail: line 1: InvalidItem: is not JSON"),
    "array.jsonl": ('[\n{"a": 1},\n{"a": 2}\n]\n', "line 1: InvalidItem: is not JSON"),
    "middle.jsonl": (
        '{"a": 1}\n{"a": 2\n{"a": 3}\n',
        "1 of 3 items failed, and 0 may fail: line 2: InvalidItem: is not JSON",
    ),
    "middle.csv": (csv_of("1,x", "2", "3,x"), "line 3: InvalidItem: has 1 fields, and the first row names 2 columns"),
    "other.jsonl": ('{"a": 1}\n7\n', "line 2: InvalidItem: step 'stored': item"),
}


def test_a_wrong_file_fails_the_map_with_what_to_do_and_can_be_resumed(home: Home, tmp_path: Path) -> None:
    for number, (name, (text, said)) in enumerate(FILES.items()):
        file = tmp_path / name
        if text is not None:
            file.write_text(text, encoding="utf-8", errors="surrogateescape")
        shown = home.run("mapping", {"path": str(file)}, id=f"m{number}")
        assert (shown["status"], shown["error"]["type"]) == ("FAILED", "MapFailed"), name
        assert said in shown["error"]["message"], (name, shown["error"]["message"])
        code, printed = home.cli("show", f"m{number}")
        assert (code, "MapFailed" in printed) == (0, True)
    (tmp_path / "missing.jsonl").write_text('{"a": 1}\n')
    assert home.cli("resume", "m0")[0] == 0
    home.settle("m0")
    assert home.ask("GET", "/v1/executions/m0").json()["result"] == 1
    (tmp_path / "empty.jsonl").touch()
    assert home.run("mapping", {"path": str(tmp_path / "empty.jsonl")}, id="empty")["result"] == 0


LONG = "x" * 6 * 1024 * 1024


def test_a_huge_line_is_an_item_and_a_huge_field_is_refused_by_its_line(home: Home, tmp_path: Path) -> None:
    lines, table = tmp_path / "huge.jsonl", tmp_path / "huge.csv"
    lines.write_text(f'{{"a": 1}}\n{{"a": "{LONG}"}}\n')
    table.write_text(csv_of("1,x", f"2,{LONG}", "3,x"))
    assert home.run("mapping", {"path": str(lines)})["result"] == 2
    message = home.run("mapping", {"path": str(table)}, id="two")["error"]["message"]
    assert "line 3: InvalidItem: has a field of more than 131,072 characters" in message
    assert home.run("mapping", {"path": str(table), "tolerate": 1}, id="three")["result"] == 2


OPTIONS: dict[str, tuple[Any, ...]] = {
    "tolerate": (-1, 1.5, "1%", True),
    "concurrency": (0, 1.5, "ten"),
    "batch": (0, 10_001, 10**30, None),
}


def test_wrong_options_of_a_map_are_refused_before_anything_runs(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text('{"a": 1}\n')
    for number, (name, value) in enumerate((name, value) for name, values in OPTIONS.items() for value in values):
        shown = home.run("mapping", {"path": str(file), name: value}, id=f"o{number}")
        assert (shown["status"], shown["commands"]) == ("FAILED", []), (name, value)
        assert shown["error"]["type"] == "DefinitionError"
        assert f"map_items(): {name} is a " in shown["error"]["message"]
    for path in ("", "http://x/y.csv", "s3://", "s3://bucket"):
        assert home.run("mapping", {"path": path}, id=f"p{len(path)}")["error"]["type"] == "DefinitionError"


@pytest.mark.parametrize(
    ("workflow", "input", "error", "said"),
    [
        (
            "asking",
            "a name",
            "DefinitionError",
            "a workflow of another deployment cannot be a child: start it in a step",
        ),
        ("asking", "not deployed", "WorkflowNotDeployed", "Deploy it together with this workflow, and resume"),
        ("nesting", None, "TooManyLevels", "a workflow that starts itself needs an end"),
        ("turning", "not a number", "NotStorable", "input: Input should be a valid integer"),
    ],
)
def test_wrong_children_and_runs_fail_with_what_to_do(
    home: Home, workflow: str, input: Any, error: str, said: str
) -> None:
    shown = home.run(workflow, input)
    assert (shown["status"], shown["error"]["type"]) == ("FAILED", error)
    assert said in shown["error"]["message"]
    code, printed = home.cli("dead-letters", "list")
    assert (code, error in printed) == (0, True)


LATER = (4, 10**9, 2**63, 10**30)
NO_NUMBERS = ("0", "-1", "abc", "1e3", "1.5", "", "%C2%B2")
RUBBISH = ("x", "-1", "", "%00", "%ff", "null", "W10=", "bnVsbA==", "e30=", "x" * 5000, "%E2%82%AC", "..")
PAGED = ("/executions/one/commands", "/executions/one/history", "/executions/one/items", "/executions", "/dead-letters")


def test_runs_that_do_not_exist_and_pages_that_nobody_gave_are_told_so(home: Home) -> None:
    assert home.run("turning", 0)["result"] == 3
    for run in LATER:
        for what in ("", "/history", "/commands"):
            answer = home.ask("GET", f"/v1/executions/one{what}?run={run}")
            assert answer.status_code == 404
            assert f"has no run {run}, or its run {run} is kept no longer" in answer.json()["detail"]
        assert home.cli("show", "one", "--run", str(run)) == (
            2,
            f"stepfast: execution 'one' has no run {run}, or its run {run} is kept no longer",
        )
        assert [one["run"] for one in home.ask("GET", f"/v1/executions/one/runs?before={run}").json()["runs"]] == [
            3,
            2,
            1,
        ]
    for text in NO_NUMBERS:
        for path in ("one?run", "one/history?run", "one/commands?run", "one/runs?before"):
            assert home.ask("GET", f"/v1/executions/{path}={text}").status_code == 422, (path, text)
    assert home.cli("show", "one", "--run", "0")[0] == 2
    for path in (*PAGED, "/executions/one/commands?run=1"):
        for cursor in RUBBISH:
            answer = home.ask("GET", f"/v1{path}{'&' if '?' in path else '?'}cursor={cursor}")
            assert answer.status_code == 422, (path, cursor, answer.text)
            assert [error["field"] for error in answer.json()["errors"]] == ["cursor"]
        for limit in ("0", "-1", "x", "99999999999", "1.5", ""):
            answer = home.ask("GET", f"/v1{path}{'&' if '?' in path else '?'}limit={limit}")
            assert answer.status_code == 422, (path, limit, answer.text)
