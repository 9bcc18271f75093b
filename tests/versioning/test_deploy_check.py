"""`stepfast verify` on deployments: over the API of a server, and on the table of a played AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast.cli.app import app
from stepfast.language.registry import discover
from stepfast.simulator import resources
from stepfast.simulator.lambdas import REGION
from stepfast.simulator.provision import BUCKET, TABLE
from stepfast.testing import MotoCloud
from tests.http.serving import Api, served
from tests.waiting import until

CODE = """
from stepfast import Retry, child, signal, step, workflow

@step(retry=Retry(max_attempts=1))
async def pay(amount: int) -> int:
    if amount == 13:
        raise ValueError("the bank says no")
    return amount

@step
async def large(amount: int) -> str:
    return "x" * 1_200_000

@workflow("paying")
async def paying(amount: int) -> int:
    if amount == 7:
        raise KeyError("a bug")
    paid = await pay(amount)
    await signal("approved")
    return paid

@workflow("wide")
async def wide(amount: int) -> str:
    text = await large(amount)
    await signal("approved")
    return text

@workflow("parent")
async def parent(amount: int) -> int:
    return await child(paying, amount)
"""
NEW = CODE.replace("if amount == 7:", "if amount == 8:").replace(
    "await pay(amount)", "await pay(amount if amount != 5 else 6)"
)
STARTS = {
    "running": ("paying", 1),
    "broken": ("paying", 5),
    "bug": ("paying", 7),
    "refused": ("paying", 13),
    "wide": ("wide", 1),
    "root": ("parent", 7),
}
RUNNING = {"running", "broken", "wide"}


def code(folder: Path, name: str, text: str) -> Path:
    """A folder of workflows. Its name is that of a package, so that of no other test."""
    path = folder / f"{name}_{folder.name}"
    path.mkdir()
    (path / "flows.py").write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return code(tmp_path, "new", NEW)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return code(tmp_path, "old", CODE)


def verify(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def cloud(old: Path) -> Iterator[MotoCloud]:
    registry = discover(old)
    with MotoCloud(registry) as made:
        for id, (workflow, amount) in STARTS.items():
            run = made.start(registry.workflows[workflow], amount, id)
            if id in RUNNING:
                made.run_until(lambda run=run: any(each.kind == "signal" for each in run.waiting))
            else:
                made.run_until(run)
        yield made


@pytest.fixture
def url(tmp_path: Path, old: Path) -> Iterator[str]:
    registry = discover(old)
    flows = [registry.get(name) for name in ("paying", "wide", "parent")]
    api = Api(tmp_path / "deployed.db", tuple(flow for flow in flows if flow is not None))
    for id, (workflow, amount) in STARTS.items():
        api.start(workflow, amount, id)
        if id not in RUNNING:
            api.ends("FAILED", id=id)
    for id in RUNNING:
        waits_for(api, id)
    with served(api.handler) as made:
        yield made
    api.close()


def waits_for(api: Api, id: str) -> None:
    until(lambda: api.command("signal:approved", id) is not None)


def of_table() -> list[object]:
    return ["--table", TABLE, "--region", REGION, "--bucket", BUCKET]


def expected(found: Mapping[str, Any]) -> None:
    assert [each["execution_id"] for each in found["broken"]] == ["broken"]
    assert "amount" in found["broken"][0]["problem"]
    fixed = {each["execution_id"]: each["child"] for each in found["fixed"]}
    assert fixed.pop("bug") is False
    assert fixed.pop("root") is False
    assert list(fixed.values()) == [True]  # its child
    assert [(each["count"], each["execution_ids"]) for each in found["cannot_judge"]] == [(1, ["refused"])]
    assert "step 'pay' failed for good" in found["cannot_judge"][0]["reason"]
    assert (found["executions"], found["fixes"], found["breaks"]) == (7, 3, 1)
    assert (found["unclear"], found["unchanged"], found["dead_letters_fixed"]) == (1, 2, 2)


def test_the_table_of_a_deployment(cloud: MotoCloud, new: Path) -> None:
    before = everything()
    status, output = verify(*of_table(), "--workflows", new, "--json")
    assert status == 1, output
    expected(json.loads(output))
    assert everything() == before  # nothing is changed


def everything() -> list[Any]:
    items = resources.client("dynamodb").scan(TableName=TABLE)["Items"]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def test_the_api_of_a_deployment(url: str, new: Path) -> None:
    status, output = verify("--url", url, "--workflows", new, "--json")
    assert status == 1, output
    expected(json.loads(output))


def test_what_it_says_to_people(url: str, new: Path) -> None:
    status, output = verify("--url", url, "--workflows", new)
    lines = output.splitlines()
    assert status == 1
    assert lines[0].startswith("broken  paying  RUNNING: NonDeterministic: 'pay' was recorded with")
    assert lines[1] == "cannot judge 1: step 'pay' failed for good, and a replay runs no steps: refused"
    assert lines[2] == (
        "7 executions: fixes 2 dead letters and 1 of their children, breaks 1 running, cannot judge 1; "
        "leaves 2 as they are"
    )


def test_the_code_that_is_deployed_breaks_nothing(url: str, old: Path) -> None:
    status, output = verify("--url", url, "--workflows", old)
    assert status == 0, output
    assert output.splitlines()[-1].startswith("7 executions: fixes 0 dead letters, breaks none, cannot judge 1")


def test_it_counts_who_still_needs_the_code_from_before_a_patch(url: str, tmp_path: Path) -> None:
    edited = CODE.replace("paid = await pay(amount)", "paid = await pay(amount + 1 if patched('more') else amount)")
    new = code(tmp_path, "patched", edited.replace("import Retry", "import patched, Retry"))
    output = verify("--url", url, "--workflows", new)[1].splitlines()
    assert output[-2] == "patch more: 0 on the new way, 3 on the old one"
    assert output[-1].startswith("7 executions: fixes 0 dead letters, breaks none")
    found = json.loads(verify("--url", url, "--workflows", new, "--json")[1])
    assert found["patches"] == {"more": {"new": 0, "old": 3}}


def test_filters_choose_what_is_looked_at(url: str, new: Path) -> None:
    def looked_at(*arguments: object) -> int:
        return int(json.loads(verify("--url", url, "--workflows", new, "--json", *arguments)[1])["executions"])

    assert looked_at("--status", "RUNNING") == 3
    assert looked_at("--status", "RUNNING", "--status", "FAILED", "--workflow", "wide") == 1
    assert looked_at("--limit", "2") == 2
    assert looked_at("--since", "2100-01-01") == 0
    assert looked_at("--sample", "0") == 0
    assert looked_at("bug", "running") == 2


def test_strict_asks_for_an_answer_about_each_one_under_way(cloud: MotoCloud, old: Path) -> None:
    nowhere = ["--table", TABLE, "--region", REGION, "--workflows", old]
    status, output = verify(*nowhere, "wide", "--strict")
    assert status == 2, output
    assert "name it with --bucket" in output
    assert verify(*nowhere, "wide")[0] == 0
    assert verify(*nowhere, "running", "--strict")[0] == 0


def test_what_cannot_be_asked_is_refused() -> None:
    assert "one of them" in verify("--url", "http://127.0.0.1:1", "--table", "t")[1]
    assert "about a deployment" in verify("--all", "--limit", "1")[1]
    assert "not both" in verify("--table", "t", "one", "--all")[1]
    assert "must be one of" in verify("--table", "t", "--status", "LOST")[1]
    assert verify("--table", " ", "--region", REGION)[0] == 2
