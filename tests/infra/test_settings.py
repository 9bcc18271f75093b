"""What is wrong with a project is said in one line, before anything is deployed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App
from hypothesis import example, given
from hypothesis import strategies as st

from stepfast.errors import StartupError
from stepfast.http.page import DashboardPage
from stepfast.infra import bundle
from stepfast.infra.app import say_what_is_left_out, stack
from stepfast.infra.bundle import Source
from stepfast.infra.constructs.schedules import ScheduledStart
from stepfast.infra.deployment import title
from stepfast.infra.options import Options
from stepfast.infra.target import Target
from tests.infra.conftest import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy under a name of its own: the modules of two projects must not be taken for each other."""
    copy = tmp_path / "shop"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", ".stepfast"))
    (copy / "workflows").rename(copy / f"flows_{tmp_path.name}")
    return copy


def configure(project: Path, text: str) -> None:
    (flows,) = (path.name for path in project.iterdir() if path.name.startswith("flows_"))
    begin = '[project]\nname = "shop"\ndependencies = []\n[tool.stepfast]\n'
    (project / "pyproject.toml").write_text(f'{begin}workflows = "{flows}"\n{text}')


def refused(project: Path) -> str:
    with pytest.raises(StartupError) as caught:
        stack(App(), project, cache=project / "cache")
    return str(caught.value)


def test_an_unknown_pool_setting_is_named_with_those_there_are(project: Path) -> None:
    configure(project, "[tool.stepfast.pools.pdf]\nmemori = 1024\n")
    said = refused(project)
    assert "tool.stepfast.pools.pdf" in said
    assert "'memori'" in said
    assert "max_concurrency" in said


def test_settings_of_a_pool_that_no_step_names_are_refused(project: Path) -> None:
    configure(project, "[tool.stepfast.pools.pdfs]\nmemory = 1024\n")
    assert "pdfs" in refused(project)


def test_a_folder_without_workflows_is_an_error_that_says_what_to_write(project: Path) -> None:
    configure(project, "")
    for path in project.glob("flows_*/*.py"):
        path.unlink()
    assert "nothing to deploy: write one with @workflow" in refused(project)


def test_a_schedule_of_a_workflow_that_is_not_there_is_refused(project: Path) -> None:
    configure(project, '[tool.stepfast.schedules.nightly]\nworkflow = "prints"\nexpression = "rate(1 day)"\n')
    assert "[tool.stepfast.schedules.nightly] workflow: none is named 'prints'; there are: print" in refused(project)


def test_a_schedule_in_the_app_is_checked_like_one_in_the_settings(project: Path) -> None:
    configure(project, "")
    options = Options(starts=(ScheduledStart("nightly", "print", "cron(0 3 * * *)", "report"),))
    with pytest.raises(StartupError, match="nightly.*six fields"):
        stack(App(), project, cache=project / "cache", options=options)


def test_a_domain_without_a_certificate_is_refused(project: Path) -> None:
    configure(project, 'domain_name = "flows.example.com"\n')
    assert "domain_name and certificate" in refused(project)


def test_snap_start_and_provisioned_concurrency_exclude_each_other(project: Path) -> None:
    configure(project, "snap_start = true\n[tool.stepfast.pools.pdf]\nprovisioned = 2\n")
    said = refused(project)
    assert "snap_start" in said
    assert "provisioned" in said


def test_snap_start_and_a_python_without_it_exclude_each_other(project: Path) -> None:
    configure(project, "snap_start = true\n")
    options = Options(target=Target(python="3.11"))
    with pytest.raises(StartupError, match="snap_start needs Python 3.12"):
        stack(App(), project, cache=project / "cache", options=options)


def test_a_vpc_needs_to_know_the_account(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(project, 'vpc = "vpc-0123456789abcdef0"\n')
    for name in ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert "vpc-0123456789abcdef0 is looked up in your account" in refused(project)


@pytest.mark.parametrize("path", ["../shop", "/etc", ".", "lib/../..", ""])
def test_what_lies_outside_of_the_project_is_not_deployed(path: str) -> None:
    with pytest.raises(StartupError, match="cannot be deployed: name a folder or file inside"):
        bundle.check(Source(PROJECT, include=[path]))


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ('{"stepfast:architecture": "arm"}', "one of arm64, x86_64"),
        ('{"stepfast:keep": "no"}', "true or false"),
        ('{"stepfast:python": "three"}', "a Python that Lambda has, such as 3.13, not 'three'"),
        ('{"stepfast:python": "3.9"}', "such as 3.13, not '3.9'"),
        ('{"stepfast:name": "1st shop"}', "a stack's name is a letter and then up to 127"),
    ],
)
def test_a_wrong_context_ends_the_synth_with_one_line(tmp_path: Path, context: str, said: str) -> None:
    code = "import sys; from stepfast.infra import synth; synth(sys.argv[1])"
    environment = {**os.environ, "CDK_CONTEXT_JSON": context}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, text=True, capture_output=True, env=environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_synth_without_the_page_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_what_is_left_out(DashboardPage(tmp_path))
    assert "make dashboard" in capsys.readouterr().err
    (tmp_path / "index.html").touch()
    say_what_is_left_out(DashboardPage(tmp_path))
    assert capsys.readouterr().err == ""


@given(st.lists(st.from_regex(r"[A-Za-z0-9._-]{1,8}", fullmatch=True), unique=True, max_size=50))
@example(["default", "Default", "a-b", "aB", "ab", "a1", "a-1", "pdf", "step-pdf"])
def test_no_two_pools_share_a_function(pools: list[str]) -> None:
    assert len({title(f"step-{pool}") for pool in pools}) == len(pools)
