"""Deploying again under running executions, and taking a stack away."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from stepfast.backends.dynamodb.table import EXPIRES, STREAM_VIEW
from stepfast.infra.cdk import CLI
from tests.e2e.conftest import NAME, Deployed
from tests.e2e.new_projects import new_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_redeploy_with_changed_code_goes_on_with_what_runs(deployed: Deployed) -> None:
    assert deployed.start("ask", "before", "redeploy-1").status_code == 201
    deployed.wait("redeploy-1", "RUNNING")
    code = deployed.folder / "workflows/probes/probing.py"
    was = code.read_text()
    changed = was.replace('return await counted(f"{value} {answer}")', 'return await counted(f"{value} {answer}!")')
    assert changed != was
    code.write_text(changed)
    try:
        again = deployed.emulator.deploy(NAME, deployed.folder)
    finally:
        code.write_text(was)
    assert again == deployed.outputs
    answer = {"payload": "after", "signal_id": "s-1"}
    assert deployed.http.post("/v1/executions/redeploy-1/signals/answered", json=answer).is_success
    assert deployed.wait("redeploy-1")["result"] == "before after!"


def test_a_new_project_deploys_beside_the_first_and_its_data_outlives_it(deployed: Deployed, tmp_path: Path) -> None:
    emulator = deployed.emulator
    folder = new_project(tmp_path / "second")
    # This one with the command line that npm installs, as a user has it; the first with stepfast's own.
    outputs = emulator.deploy("second", folder, keep=True, cli=cdk_of_npm(tmp_path / "npm"))
    assert outputs["ApiUrl"] != deployed.outputs["ApiUrl"]
    with emulator.http(outputs, deployed.key()) as http:
        # A key of the one deployment opens nothing of the other.
        assert http.get("/v1/executions").status_code in (401, 403)
    keys = ApiKeys(emulator.client("dynamodb"), outputs["TableName"])
    with emulator.http(outputs, keys.create("second", SCOPES, time.time())[1]) as http:
        second = replace(deployed, outputs=outputs, http=http)
        assert second.run("hello", {"names": ["Ada"]}, "hello-1")["result"] == ["Hello, Ada!"]
    emulator.destroy("second", folder, keep=True)
    functions = emulator.client("lambda").list_functions()["Functions"]
    assert functions
    assert not [one for one in functions if one["FunctionName"].startswith("second-")]
    assert outputs["TableName"] in emulator.client("dynamodb").list_tables()["TableNames"]
    assert deployed.http.get("/v1/executions").status_code == 200


WAITING = """

@workflow("wait")
async def wait(name: str) -> str:
    return await greet(await signal("who", str)) + f" and {name}"
"""


def test_a_restored_table_takes_the_place_of_the_old_one(deployed: Deployed, tmp_path: Path) -> None:
    """As docs/deploy.md has it, step by step."""
    emulator, folder = deployed.emulator, new_project(tmp_path / "third")
    code = folder / "workflows/hello.py"
    text = code.read_text().replace("import Retry, step, workflow", "import Retry, signal, step, workflow")
    code.write_text(text + WAITING)
    before = emulator.deploy("third", folder, keep=True)
    key = ApiKeys(emulator.client("dynamodb"), before["TableName"]).create("third", SCOPES, time.time())[1]
    with emulator.http(before, key) as http:
        third = replace(deployed, outputs=before, http=http)
        assert third.run("hello", {"names": ["Ada"]}, "hello-1")["status"] == "SUCCEEDED"
        assert third.start("wait", "all", "wait-1").status_code == 201
        stream = restored(emulator.client("dynamodb"), before["TableName"], "third-restored")
        assert third.start("hello", {"names": ["Bob"]}, "hello-2").status_code == 201
    settings = folder / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.stepfast]", f'[tool.stepfast]\ntable_stream = "{stream}"'))
    after = emulator.deploy("third", folder, keep=True)
    assert (after["TableName"], after["ApiUrl"]) == ("third-restored", before["ApiUrl"])
    assert before["TableName"] in emulator.client("dynamodb").list_tables()["TableNames"]
    with emulator.http(after, key) as http:
        third = replace(deployed, outputs=after, http=http)
        assert third.wait("hello-1")["result"] == ["Hello, Ada!"]
        assert http.get("/v1/executions/hello-2").status_code == 404  # it came after the moment of the restore
        assert http.post("/v1/executions/wait-1/signals/who", json={"payload": "Cy", "signal_id": "s"}).is_success
        assert third.wait("wait-1")["result"] == "Hello, Cy! and all"
    emulator.destroy("third", folder, keep=True)
    assert "third-restored" in emulator.client("dynamodb").list_tables()["TableNames"]


def restored(dynamodb: Any, table: str, name: str) -> str:
    """A new table as the old one is now, with what a restore leaves out; the ARN of its stream."""
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=name, UseLatestRestorableTime=True)
    stream = {"StreamEnabled": True, "StreamViewType": STREAM_VIEW}
    dynamodb.update_table(TableName=name, StreamSpecification=stream, DeletionProtectionEnabled=True)
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES})
    arn: str = dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    return arn


def cdk_of_npm(folder: Path) -> Path:
    """The CDK's command line as npm installs it."""
    folder.mkdir()
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), CLI]
    subprocess.run(npm, check=True, timeout=300)
    return folder / "node_modules/.bin/cdk"
