"""cdk-nag's AWS Solutions pack and cfn-lint have nothing to say about the stack."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import Synthesized


@pytest.fixture(scope="session")
def nag(synthesized: Synthesized) -> dict[str, Any]:
    report = json.loads((synthesized.folder / "validation-report.json").read_text())
    packs: list[dict[str, Any]] = [pack for pack in report["pluginReports"] if pack["pluginName"] == "AwsSolutions"]
    assert len(packs) == 1
    return packs[0]


def test_nag_finds_nothing_that_is_not_argued(nag: dict[str, Any]) -> None:
    assert (nag["conclusion"], nag["violations"]) == ("success", [])
    for violation in nag["suppressedViolations"]:
        assert len(violation["reason"].split()) >= 4, violation


def test_nothing_else_is_argued_away(nag: dict[str, Any]) -> None:
    accepted = {violation["ruleName"].partition("[")[0] for violation in nag["suppressedViolations"]}
    assert accepted == {f"AwsSolutions-{rule}" for rule in ("APIG4", "DDB3", "IAM5", "L1", "S1")}


@pytest.mark.parametrize("name", ["plain", "full", "tuned"])
def test_templates_are_valid(synthesized: Synthesized, name: str) -> None:
    # W3005: the CDK writes dependencies that a reference implies.
    template = str(synthesized.folder / f"{name}.template.json")
    lint = str(Path(sys.executable).with_name("cfn-lint"))
    command = [lint, "--ignore-checks", "W3005", "--regions", "eu-central-1", "--", template]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
