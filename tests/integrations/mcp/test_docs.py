"""The programs, the configuration and the commands of docs/mcp.md, as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from stepfast.cli.app import app
from stepfast.integrations.mcp import operating, tools
from stepfast.language.registry import discover
from tests.http.serving import Api, served
from tests.integrations.mcp.talking import STEPFAST, environment

PAGE = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow


def program(name: str) -> str:
    (text,) = re.findall(rf"```python\n# {re.escape(name)}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)


@pytest.fixture
def refunds(tmp_path: Path) -> Iterator[str]:
    """The URL of a stepfast with the page's workflow."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "refunds.py").write_text(program("workflows/refunds.py"))
    registry = discover(tmp_path / "workflows")
    api = Api(tmp_path / "docs.db", tuple(registry.workflows.values()), registry.steps)
    with served(api.handler) as address:
        yield address
    api.close()


def test_the_program_prints_what_its_comments_say(tmp_path: Path, refunds: str) -> None:
    (config,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    config = json.loads(config.replace("http://127.0.0.1:8787", refunds))
    assert config["mcpServers"]["stepfast"]["command"] == "stepfast"
    config["mcpServers"]["stepfast"]["command"] = STEPFAST
    (tmp_path / "mcp.json").write_text(json.dumps(config))
    agent = program("agent.py")
    (tmp_path / "agent.py").write_text(agent)
    done = subprocess.run(
        [sys.executable, "agent.py"], cwd=tmp_path, env=environment(), text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == re.findall(r"print\(.*\) +# (.*)", agent)


def options_of(command: str) -> set[str]:
    group: Any = typer.main.get_command(app)
    parameters = [*group.params, *group.commands[command].params]
    return {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}


def test_its_options_and_tools_are_those_of_the_command() -> None:
    named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", PAGE))
    assert named <= options_of("mcp")
    assert {option for option in options_of("mcp") if option.startswith("--")} - named <= {
        "--version",
        "--install-completion",
        "--show-completion",
    }
    assert set(re.findall(r"^\| `(stepfast_\w+)` \|", PAGE, re.MULTILINE)) == set(operating.HANDLERS)
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) - set(operating.HANDLERS) == set(
        tools.WorkflowArguments.model_fields
    )
    assert f"0 to {tools.MAX_WAIT_SECONDS:g}" in PAGE
