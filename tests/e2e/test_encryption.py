"""A deployment with a KMS key under IAM: nothing of what executions work on is stored in the clear."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Guarded
from tests.e2e.emulator import REGION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SECRET = "nobody-may-read-this"


def items(guarded: Guarded, table: str) -> str:
    return json.dumps(guarded.emulator.client("dynamodb").scan(TableName=table)["Items"], default=repr)


def test_values_come_back_and_are_not_in_the_table(guarded: Guarded) -> None:
    assert guarded.run("hello", {"names": [SECRET]}, "secret-1")["result"] == [f"Hello, {SECRET}!"]
    held = items(guarded, guarded.outputs["TableName"])
    assert "secret-1" in held
    assert SECRET not in held
    assert "secret-1" in items(guarded, guarded.outputs["KeyTableName"])


def test_the_table_is_verified_by_whoever_may_use_the_keys(guarded: Guarded) -> None:
    assert guarded.run("hello", {"names": [SECRET]}, "secret-2")["status"] == "SUCCEEDED"
    environment = {**guarded.emulator.environment, "STEPFAST_KEY_TABLE": guarded.outputs["KeyTableName"]}
    table = ("--table", guarded.outputs["TableName"], "--region", REGION)
    command = [str(Path(sys.executable).with_name("stepfast")), "verify", *table, "secret-2", "--json"]
    done = subprocess.run(command, cwd=guarded.folder, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_deletion_destroys_the_key(guarded: Guarded) -> None:
    guarded.run("hello", {"names": [SECRET]}, "secret-3")
    assert "secret-3" in items(guarded, guarded.outputs["KeyTableName"])
    assert guarded.http.delete("/v1/executions/secret-3").status_code == 200
    assert "secret-3" not in items(guarded, guarded.outputs["KeyTableName"])
