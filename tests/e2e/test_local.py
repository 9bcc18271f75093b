"""`make deploy-local`, where it cannot begin."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stepfast.cli.app import app
from tests.e2e.emulator import ROOT
from tests.e2e.local import PORT, project_at


def test_a_port_that_is_taken_is_named_in_one_line() -> None:
    with socket.socket() as one:
        with suppress(OSError):  # somebody else has it, which will do
            one.bind(("127.0.0.1", PORT))
            one.listen()
        command = [sys.executable, "-m", "tests.e2e.local"]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {PORT} is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_project_is_named_before_anything_begins(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.e2e.local", "--project", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path} has no cdk.json: name a folder that `stepfast init` has made" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_init_has_made_is_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["init", "hello"])
    assert made.exit_code == 0, made.output
    assert project_at("hello") == tmp_path / "hello"
