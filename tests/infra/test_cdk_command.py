"""The CDK's command line: one version, this Python, and Node from wherever there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk.cloud_assembly_schema import Manifest

from stepfast.errors import StartupError
from stepfast.infra import cdk
from stepfast.infra.versions import check_cli


def test_cdk_json_runs_under_the_python_that_was_called() -> None:
    environment = cdk.environment({"PATH": "/elsewhere", "HOME": "/home/me"})
    first, *rest = environment["PATH"].split(os.pathsep)
    assert first == str(Path(sys.executable).parent)
    assert rest[-1] == "/elsewhere"
    assert environment["HOME"] == "/home/me"
    assert environment["npm_config_update_notifier"] == "false"


def test_the_version_is_pinned_with_or_without_the_extras_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "aws-cdk@2.1148.1" in (cdk.command(["diff"], "") or [])
    monkeypatch.setattr(cdk, "_extra", lambda: None)
    (tmp_path / "npx").write_text("#!/bin/sh\n")
    (tmp_path / "npx").chmod(0o755)
    assert cdk.command(["diff"], str(tmp_path)) == [str(tmp_path / "npx"), "--yes", "aws-cdk@2.1148.1", "diff"]


def test_without_node_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cdk, "_extra", lambda: None)
    monkeypatch.setattr(cdk, "environment", lambda variables: {"PATH": "/nowhere"})
    assert cdk.main(["deploy"]) == 2
    assert "pip install 'stepfast[deploy]'" in capsys.readouterr().err


def test_importing_the_package_does_not_start_the_cdk() -> None:
    code = "import sys, stepfast.infra, stepfast.infra.cdk, stepfast.infra.bundle; print('jsii' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("version", "schema"), [("3.0.0", "43.0.0"), ("2.1100.0", "49.0.0")])
def test_a_command_line_that_reads_only_older_schemas_is_refused_with_one_that_works(version: str, schema: str) -> None:
    with pytest.raises(StartupError, match=rf"{version}, reads .* schema {schema[:2]}.*aws-cdk@2\.1148\.1"):
        check_cli({"CDK_CLI_VERSION": version, "CDK_CLI_ASM_VERSION": schema})


@pytest.mark.parametrize("calls", [{}, {"CDK_CLI_ASM_VERSION": ""}, {"CDK_CLI_ASM_VERSION": Manifest.version()}])
def test_any_other_command_line_goes_on(calls: dict[str, str]) -> None:
    check_cli(calls)
    check_cli({**calls, "CDK_CLI_ASM_VERSION": "999.0.0"})
