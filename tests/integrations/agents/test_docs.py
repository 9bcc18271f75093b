"""The programs of docs/agents.md, as they stand there."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from agents.items import ModelResponse
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from pydantic_ai.models.test import TestModel

from stepfast.integrations.pydantic_ai import replace_model
from stepfast.language.registry import Registry, discover
from stepfast.shown import status_value
from stepfast.testing import Environment, MotoCloud
from tests.nested import QUICK

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL))
KITS: list[Any] = [Environment, MotoCloud]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The page's workflows, as a deployment finds them."""
    folder = tmp_path / "agents_of_docs"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        if name.startswith("workflows/"):
            (folder / name.removeprefix("workflows/")).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield discover(folder)
    for name in [name for name in sys.modules if name.startswith("agents_of_docs")]:
        del sys.modules[name]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"agents_of_docs.{name}")


def test_a_deployment_finds_the_steps_and_pools(registry: Registry) -> None:
    assert registry.pools == ["default", "gpu"]
    steps = {step.name for step in registry.steps_of(registry.find("support"))}
    named = set(re.findall(r"`(clerk\.[a-z.-]+|order_state)`", PAGE)) - {
        "clerk.event", "clerk.approve.refund", "clerk.deferred_tool_calls",
    }  # fmt: skip
    assert named <= steps
    assert {"order_state", "tell_the_team", "clerk.tool.refund"} <= steps
    assert {"ask_model", "read_forecast", "search", "read", "write"} <= {step.name for step in registry.steps}


@pytest.mark.slow
def test_its_tests_pass(pytester: pytest.Pytester) -> None:
    for name, text in PROGRAMS.items():
        file = pytester.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    result = pytester.runpytest_subprocess("-W", "error", *QUICK)
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("kit", KITS)
def test_a_watched_agent_shows_what_it_does(kit: Any, registry: Registry) -> None:
    where_is_it = registry.find("where-is-it")
    model = TestModel(custom_output_text="Your tea is")
    with replace_model(module("watched").porter, model), kit(where_is_it) as env:
        run = env.run(where_is_it, "o-1")
    records = run._reading.snapshot(run.execution_id).records.values()
    shown = [record.progress for record in records if record.progress]
    table = re.findall(r"`(\{\"agent\": \"porter\".*?\})`", PAGE)
    assert len(table) == 2
    assert set(table) <= set(shown)
    assert status_value(run._reading.execution(run.execution_id).shown) == {"agent": "porter", "request": 2}


class Guide(Model):
    """Asks for the forecast, and repeats it."""

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        call: Any = ResponseFunctionToolCall(
            arguments='{"city": "Oslo"}', call_id="c-1", name="forecast", type="function_call"
        )
        if len(input) > 1:
            text = ResponseOutputText(annotations=[], text=str(input[-1]["output"]), type="output_text")
            call = ResponseOutputMessage(id="m-1", content=[text], role="assistant", status="completed", type="message")
        return ModelResponse(output=[call], usage=Usage(requests=1), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("kit", KITS)
def test_the_openai_agents_sdk_runs_durably(kit: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("openai_agents"), "model_of", lambda agent: Guide())
    trip = registry.find("trip")
    with kit(trip) as env:
        run = env.run(trip, "Where is it sunny?")
    assert run.result == "sunny in Oslo"
    assert [call.step for call in run.steps] == ["ask_model", "read_forecast", "ask_model"]


@pytest.mark.parametrize("number", range(4, 15, 5))
def test_a_crash_of_the_openai_agents_sdk_loses_nothing(
    number: int, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module("openai_agents"), "model_of", lambda agent: Guide())
    trip = registry.find("trip")
    with Environment(trip) as env:
        env.crash(at=number)
        assert env.run(trip, "Where is it sunny?").result == "sunny in Oslo"


@pytest.mark.parametrize("kit", KITS)
def test_a_graph_runs_durably_and_its_nodes_in_parallel(kit: Any, registry: Registry) -> None:
    research = registry.find("research")
    with kit(research) as env:
        run = env.run(research, "tea")
    assert run.result == "tea: found tea, read about tea"
    assert sorted(call.step for call in run.steps) == ["read", "search", "write"]


@pytest.mark.parametrize("number", range(4, 15, 5))
def test_a_crash_of_a_graph_loses_nothing(number: int, registry: Registry) -> None:
    research = registry.find("research")
    with Environment(research) as env:
        env.crash(at=number)
        assert env.run(research, "tea").result == "tea: found tea, read about tea"
