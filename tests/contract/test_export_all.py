"""`stepfast export --all` from either home takes everything along, and plain Python reads it back."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import parse_qsl

import pytest
from typer.testing import CliRunner, Result

from stepfast import ContinueAsNew, Retry, child, current_step, signal, step, workflow
from stepfast.cli.app import app
from stepfast.testing import MotoCloud
from tests.http.serving import Api, served

ROOT = Path(__file__).parents[2]
LARGE = "x" * 300_000
"""More than an item of DynamoDB and a row of SQLite hold."""


@step(retry=Retry(max_attempts=2, initial=0.01, jitter="none"))
def grow(part: str) -> str:
    if current_step().attempt == 1:
        raise ConnectionError("not yet")
    return part * 2


@workflow("leaf")
async def leaf(part: str) -> int:
    return len(await grow(part))


@workflow("tree")
async def tree(turn: int) -> dict[str, Any]:
    length = await child(leaf, LARGE, id=f"leaf-{turn}")
    word = await signal("word", str)
    if turn < 2:
        raise ContinueAsNew(turn + 1)
    return {"word": word, "length": length}


@contextmanager
def embedded(folder: Path) -> Iterator[Any]:
    api = Api(folder / "all.db", (tree, leaf))
    try:
        api.start("tree", 1, "t")
        for number in (1, 2):
            path, body = "/v1/executions/t/signals/word", {"payload": f"w{number}", "signal_id": f"s{number}"}
            assert api.ask("POST", path, body).status in (200, 201, 202)
        api.ends(id="t")
        yield lambda event: api.handler(event, None)
    finally:
        api.close()


@contextmanager
def on_aws(folder: Path) -> Iterator[Any]:
    with MotoCloud(tree, leaf) as cloud:
        run = cloud.start(tree, 1, execution_id="t")
        for number in (1, 2):
            cloud.signal(run, "word", f"w{number}")
        cloud.run_until(run)

        def answer(event: dict[str, Any]) -> dict[str, Any]:
            asked = event["requestContext"]["http"]
            query = dict(parse_qsl(event["rawQueryString"]))
            given = cloud.request(asked["method"], asked["path"], query=query)
            return {"statusCode": given.status, "headers": dict(given.headers), "body": given.body}

        yield answer


def exported(answer: Any, file: Path) -> Result:
    """Runs the command in a thread, and answers its requests in this one: a MotoCloud belongs to its thread."""
    asked: Queue[tuple[Any, Future[Any]] | None] = Queue()

    def handler(event: dict[str, Any], context: Any = None) -> Any:
        future = Future[Any]()
        asked.put((event, future))
        return future.result(60)

    def run(url: str) -> Result:
        try:
            return CliRunner().invoke(app, ["export", "--all", "-o", str(file)], env={"STEPFAST_URL": url})
        finally:
            asked.put(None)

    with served(handler) as url, ThreadPoolExecutor(1) as thread:
        told = thread.submit(run, url)
        while (request := asked.get(timeout=60)) is not None:
            event, future = request
            future.set_result(answer(event))
        return told.result()


@pytest.mark.parametrize("home", [embedded, on_aws])
def test_an_export_has_everything_and_plain_python_reads_it(
    home: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "everything.jsonl"
    with home(tmp_path) as answer:
        told = exported(answer, file)
    assert told.exit_code == 0, (told.stdout, told.stderr, told.exception)
    lines = {line["execution_id"]: line for line in map(json.loads, file.read_text().splitlines())}
    assert set(lines) == {"t", "leaf-1", "leaf-2"}
    tree_line, leaf_line = lines["t"], lines["leaf-2"]
    assert tree_line["result"] == {"word": "w2", "length": 600_000}
    assert [run["run"] for run in tree_line["earlier_runs"]] == [1]
    for run in (tree_line, *tree_line["earlier_runs"]):
        number = run["run"]
        assert run["input"] == number
        assert [signal["payload"] for signal in run["signals"]] == [f"w{number}"] or number == 1
        assert {command["kind"] for command in run["commands"]} == {"child", "signal"}
        assert run["history"]
    assert leaf_line["input"] == LARGE
    (grown,) = leaf_line["commands"]
    assert (grown["input"], grown["output"]) == ({"part": LARGE}, LARGE * 2)
    assert [(attempt["error"] or {}).get("type") for attempt in grown["attempts"]] == ["ConnectionError", None]
    assert leaf_line["parent"]["execution_id"] == "t"
    assert not leaf_line["omitted"]

    text = (ROOT / "docs/migrating.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(# leave\.py\n.*?)```", text, re.DOTALL)
    assert "stepfast" not in program
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "leave.py", "exec"), {})
    kept = sqlite3.connect("kept.db")
    rows = kept.execute("SELECT execution, run, command, output FROM steps WHERE output IS NOT 'null'").fetchall()
    kept.close()
    found = {(execution, run, command): json.loads(output) for execution, run, command, output in rows}
    assert found["leaf-1", 1, "grow"] == LARGE * 2
    assert [found["t", run, "signal:word"] for run in (1, 2)] == ["w1", "w2"]
