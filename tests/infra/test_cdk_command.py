"""The CDK's command line: one version, this Python, and Node from wherever there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stepfast.infra import cdk


def test_cdk_json_runs_under_the_python_that_was_called() -> None:
    found = cdk.environment({"PATH": "/elsewhere", "HOME": "/home/me"})
    first, *rest = found["PATH"].split(os.pathsep)
    assert first == str(Path(sys.executable).parent)
    assert rest[-1] == "/elsewhere"
    assert found["HOME"] == "/home/me"
    assert found["npm_config_update_notifier"] == "false"


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
    monkeypatch.setattr(cdk, "environment", lambda given: {"PATH": "/nowhere"})
    assert cdk.main(["deploy"]) == 2
    assert "pip install 'stepfast[deploy]'" in capsys.readouterr().err


def test_importing_the_package_does_not_start_the_cdk() -> None:
    code = "import sys, stepfast.infra, stepfast.infra.cdk, stepfast.infra.bundle; print('jsii' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "False"
