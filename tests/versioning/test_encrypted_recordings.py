"""Encrypted executions are verified, pulled, forked and exported by whoever may use the keys, and by nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast import Retry, child, signal, step, workflow
from stepfast.backends import key_file
from stepfast.cli.app import app
from stepfast.deployment.project import Project
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.simulator import resources
from stepfast.simulator.lambdas import REGION
from stepfast.simulator.provision import BUCKET, KEYS, TABLE
from stepfast.testing import Environment, MotoCloud
from tests.http.serving import Api, served
from tests.waiting import until

SECRET = "a-secret-that-nobody-may-read"


@step(retry=Retry(max_attempts=1))
async def say(text: str) -> str:
    return f"said {text}"


@workflow("below")
async def below(text: str) -> str:
    said = await say(text)
    return said + await signal("word", str)


@workflow("above")
async def above(text: str) -> str:
    return await say(text) + await child(below, text)


@pytest.fixture
def cloud() -> Iterator[MotoCloud]:
    with MotoCloud(above, below, project=Project(kms_key="alias/flows")) as made:
        made.start(above, SECRET, "one")
        made.advance(timedelta(minutes=1))
        yield made


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / f"code_{tmp_path.name}"
    folder.mkdir()
    source = Path(__file__).read_text(encoding="utf-8")
    body = source[source.index("@step") : source.index("@pytest.fixture")]
    (folder / "flows.py").write_text(
        f"from stepfast import Retry, child, signal, step, workflow\n{body}", encoding="utf-8"
    )
    return folder


def command(*arguments: object, key_table: str = KEYS, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*map(str, arguments)], env={"STEPFAST_KEY_TABLE": key_table})
    assert done.exit_code == code, done.output
    return done


OF_TABLE = ("--table", TABLE, "--region", REGION, "--bucket", BUCKET)


def test_verify_replays_them_and_says_what_is_missing_without_their_keys(cloud: MotoCloud, code: Path) -> None:
    seen = command("verify", *OF_TABLE, "--workflows", code, "--json")
    found = json.loads(seen.stdout)
    assert (found["executions"], found["unchanged"], found["breaks"]) == (2, 2, 0)
    assert SECRET not in seen.output
    blind = command("verify", *OF_TABLE, "--workflows", code, "--strict", "--json", key_table="", code=2)
    assert "STEPFAST_KEY_TABLE" in blind.output


def test_pull_brings_them_in_the_clear_to_a_file_that_a_test_goes_on_with(cloud: MotoCloud, tmp_path: Path) -> None:
    file = tmp_path / "pulled.db"
    done = command("pull", "one", *OF_TABLE, "--output", file, "--json")
    assert json.loads(done.stdout)["execution_ids"] == ["one", "one.below"]
    with Environment(above, below) as env:
        env.fake(say, "never called")
        (run,) = env.load(file)
        env.unpause(run)
        env.advance(timedelta(minutes=1))
        env.signal("one.below", "word", "!")
        assert env.run_until(run).result == f"said {SECRET}said {SECRET}!"


def test_a_fork_has_keys_of_its_own_and_outlives_its_origin(cloud: MotoCloud) -> None:
    body = {"execution_id": "fork", "before": "child:below"}
    answer = cloud.request("POST", "/v1/executions/one/fork", body)
    assert answer.status == 201, answer.json()
    cloud.advance(timedelta(minutes=1))
    assert cloud.request("POST", "/v1/executions/one/terminate", {}).status == 200
    cloud.advance(timedelta(minutes=1))
    assert cloud.request("DELETE", "/v1/executions/one").status == 200
    keys = {item["pk"]["S"] for item in resources.client("dynamodb").scan(TableName=KEYS)["Items"]}
    assert keys == {"fork", "fork.below"}, "the keys of the child have gone with its parent"
    assert cloud.request("POST", "/v1/executions/fork.below/signals/word", {"payload": "?"}).status == 202
    cloud.advance(timedelta(minutes=1))
    assert cloud.request("GET", "/v1/executions/fork").json()["result"] == f"said {SECRET}said {SECRET}?"
    assert SECRET not in repr(resources.client("dynamodb").scan(TableName=TABLE)["Items"])


class EncryptedApi(Api):
    """The API on a file with a key file."""

    def __post_init__(self) -> None:
        keys = self.path.with_name("master.key")
        key_file.create(keys)
        self.registry = Registry(self.workflows, self.steps)
        self.runtime = Runtime(self.registry, self.path, workers=2, durability="process", key_file=keys)
        self.handler = build(self.runtime.operations, self.registry, self.runtime.call, self.keys)


def test_an_export_over_the_api_has_their_values(tmp_path: Path) -> None:
    api, file = EncryptedApi(tmp_path / "deployed.db", (above, below)), tmp_path / "all.jsonl"
    api.start("below", SECRET)
    until(lambda: api.command("signal:word") is not None)
    with served(api.handler) as url:
        done = CliRunner().invoke(app, ["--url", url, "export", "--output", str(file), "--all"])
    api.close()
    assert done.exit_code == 0, done.output
    (line,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert line["input"] == SECRET
    assert SECRET not in done.output
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("deployed.db*"))
