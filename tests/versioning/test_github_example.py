"""examples/github/verify.yml: it is valid, it may do little, and its command runs."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from stepfast import signal, workflow
from tests.http.serving import Api, served
from tests.local.dev_process import STEPFAST
from tests.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "github" / "verify.yml"


def steps() -> list[dict[str, Any]]:
    parsed = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    assert parsed["permissions"] == {"contents": "read"}
    assert "pull_request" in parsed[True]  # YAML 1.1 takes the key `on` for a boolean
    job: dict[str, Any] = parsed["jobs"]["verify"]
    made: list[dict[str, Any]] = job["steps"]
    return made


@workflow("waiting")
async def waiting() -> None:
    await signal("go")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    api = Api(tmp_path / "deployed.db", (waiting,))
    api.start("waiting")
    until(lambda: api.command("signal:go") is not None)
    with served(api.handler) as made:
        yield made
    api.close()


@pytest.mark.parametrize(("code", "status"), [("await signal('go')", 0), ("raise KeyError", 1)])
def test_its_command_runs(url: str, tmp_path: Path, code: str, status: int) -> None:
    folder = tmp_path / "project"
    (folder / "workflows").mkdir(parents=True)
    source = (
        f"from stepfast import signal, workflow\n\n@workflow('waiting')\nasync def waiting() -> None:\n    {code}\n"
    )
    (folder / "workflows" / "flow.py").write_text(source, encoding="utf-8")
    command = steps()[-1]["run"].replace("stepfast", shlex.quote(str(STEPFAST)), 1)
    environment = {**os.environ, "DEPLOYMENT": url}
    done = subprocess.run(
        ["/bin/sh", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 execution: fixes 0 dead letters")


def test_it_installs_before_it_runs_and_keeps_no_credentials() -> None:
    uses = [step.get("uses", "") for step in steps()]
    assert [use.split("@")[0] for use in uses[:2]] == ["actions/checkout", "actions/setup-python"]
    assert steps()[0]["with"] == {"persist-credentials": False}
    assert "secrets.STEPFAST_READ_KEY" in steps()[-1]["env"]["STEPFAST_API_KEY"]
