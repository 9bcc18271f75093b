"""A deployment with a KMS key under IAM: nothing of what executions work on is stored in the clear."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from tests.e2e.conftest import Deployed
from tests.e2e.emulator import REGION
from tests.e2e.test_lifecycle import new_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SECRET = "nobody-may-read-this"


@pytest.fixture(scope="module")
def sealed(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    emulator, folder = deployed.emulator, new_project(tmp_path_factory.mktemp("sealed") / "sealed")
    key = emulator.client("kms").create_key(Description="values of executions")["KeyMetadata"]["Arn"]
    settings = folder / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.stepfast]", f'[tool.stepfast]\nkms_key = "{key}"'))
    outputs = emulator.deploy("sealed", folder)
    api_key = ApiKeys(emulator.client("dynamodb"), outputs["TableName"]).create("sealed", SCOPES, time.time())[1]
    with emulator.http(outputs, api_key) as http:
        yield replace(deployed, outputs=outputs, folder=folder, http=http)
    emulator.destroy("sealed", folder)


def items(sealed: Deployed, table: str) -> str:
    return json.dumps(sealed.emulator.client("dynamodb").scan(TableName=table)["Items"], default=repr)


def test_values_come_back_and_are_not_in_the_table(sealed: Deployed) -> None:
    assert sealed.run("hello", {"names": [SECRET]}, "secret-1")["result"] == [f"Hello, {SECRET}!"]
    held = items(sealed, sealed.outputs["TableName"])
    assert "secret-1" in held
    assert SECRET not in held
    assert "secret-1" in items(sealed, sealed.outputs["KeyTableName"])


def test_the_table_is_verified_by_whoever_may_use_the_keys(sealed: Deployed) -> None:
    assert sealed.run("hello", {"names": [SECRET]}, "secret-2")["status"] == "SUCCEEDED"
    environment = {**sealed.emulator.environment, "STEPFAST_KEY_TABLE": sealed.outputs["KeyTableName"]}
    table = ("--table", sealed.outputs["TableName"], "--region", REGION)
    command = [str(Path(sys.executable).with_name("stepfast")), "verify", *table, "secret-2", "--json"]
    done = subprocess.run(command, cwd=sealed.folder, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_deletion_destroys_the_key(sealed: Deployed) -> None:
    sealed.run("hello", {"names": [SECRET]}, "secret-3")
    assert "secret-3" in items(sealed, sealed.outputs["KeyTableName"])
    assert sealed.http.delete("/v1/executions/secret-3").status_code == 200
    assert "secret-3" not in items(sealed, sealed.outputs["KeyTableName"])
