"""docs/migrating.md: its programs do what those of the other engines do, on both homes, and its tests pass."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stepfast.testing import Environment, MotoCloud
from tests.nested import QUICK

pytest_plugins = ["pytester"]

DOCS = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", DOCS, re.S))
BEFORE = dict(re.findall(r"```python\n# before: ([^\n]*)\n(.*?)```", DOCS, re.S))
(ASL,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCS, re.S))
HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a program of the page."""

    def loaded(name: str) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(BLOCKS[path.name])
        known = f"migrated_{name}"
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, known, module)
        spec.loader.exec_module(module)
        return module

    return loaded


def states(machine: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Each state of a state machine, and of those within it, with its machine."""
    for name, state in machine["States"].items():
        yield machine, name, state
        for inner in [*filter(None, [state.get("ItemProcessor")]), *state.get("Branches", [])]:
            yield from states(inner)


def test_the_state_machine_is_whole_and_each_of_its_states_is_a_line_of_the_program() -> None:
    comments = " ".join(re.findall(r"# (.*)", BLOCKS["fulfilment.py"]))
    names = [name for _, name, _ in states(ASL)]
    assert len(names) == len(set(names)) == 13
    for machine, name, state in states(ASL):
        targets = [
            state.get("Next"),
            state.get("Default"),
            *(rule["Next"] for kind in ("Choices", "Catch") for rule in state.get(kind, [])),
        ]
        assert {target for target in targets if target} <= {*machine["States"]}, name
        ends = state.get("End") or state["Type"] in ("Succeed", "Fail") or state.get("Next") or state.get("Default")
        assert ends, name
        assert re.search(rf"\b{name}\b", comments) or (name == "Refused" and "class Refused" in BLOCKS["fulfilment.py"])
    assert {state["Type"] for *_, state in states(ASL)} >= {
        "Task",
        "Choice",
        "Wait",
        "Parallel",
        "Map",
        "Succeed",
        "Fail",
    }


def test_the_numbers_of_the_state_machine_are_those_of_the_program(load: Load) -> None:
    program = load("fulfilment")
    charge = ASL["States"]["Charge"]
    (retry,) = charge["Retry"]
    assert program.charge.retry.max_attempts == retry["MaxAttempts"] + 1
    assert program.charge.retry.initial == retry["IntervalSeconds"]
    assert program.charge.retry.backoff == retry["BackoffRate"]
    assert program.charge.retry.max_delay == retry["MaxDelaySeconds"]
    assert program.charge.retry.jitter == retry["JitterStrategy"].lower()
    assert [kind.__name__ for kind in program.charge.retry.retry_on] == retry["ErrorEquals"]
    assert program.charge.timeout == charge["TimeoutSeconds"]
    assert ASL["States"]["AskApproval"]["TimeoutSeconds"] == 3 * 86400


def test_its_test_passes_as_it_is_printed(pytester: pytest.Pytester) -> None:
    for name in ("fulfilment.py", "test_fulfilment.py"):
        (pytester.path / name).write_text(BLOCKS[name])
    result = pytester.runpytest_inprocess("-W", "error", *QUICK)
    result.assert_outcomes(passed=BLOCKS["test_fulfilment.py"].count("def test_") + 1)  # a test has two parameters


@HOMES
def test_the_state_machine_in_python_runs_on_both_homes(home: Any, load: Load) -> None:
    program = load("fulfilment")
    with home(program.fulfilment) as env:
        env.when(waiting="approval").signal("approval", {"approved": True})
        run = env.run(program.fulfilment, {"id": "o-1", "items": ["a", "b"], "total": 2000})
        assert run.result == "parcel of o-1"
        assert len(run.calls(program.ask)) == 1


@HOMES
def test_a_declined_card_takes_the_same_way_on_both_homes(home: Any, load: Load) -> None:
    program = load("fulfilment")
    with home(program.fulfilment) as env:
        env.fail(program.charge, times=None, error=program.Declined())
        declined = env.run(program.fulfilment, {"id": "o-2", "items": ["a"], "total": 1})
        assert (declined.status, len(declined.calls(program.release))) == ("FAILED", 1)


@HOMES
@pytest.mark.parametrize(
    ("name", "input", "result"),
    [
        ("words", ["a", "b"], 6),
        ("feeds", ["a", "bc"], 19),
        ("trip", "rome", "reminder of booking of rome"),
    ],
)
def test_the_other_programs_run_on_both_homes(home: Any, load: Load, name: str, input: Any, result: Any) -> None:
    flow = getattr(load(name), name)
    with home(flow) as env:
        assert env.run(flow, input).result == result


@HOMES
def test_the_review_takes_a_signal_that_came_before_it_asked(home: Any, load: Load) -> None:
    program = load("review")
    with home(program.review) as env:
        env.fail(program.translate, times=2)
        started = env.start(program.review, "text", execution_id="r-1")
        env.signal("r-1", "decide", "good")
        assert env.run_until(started).result == "TEXT: good"


def test_without_their_decorators_the_workflows_are_plain_asyncio(load: Load) -> None:
    """As the section on leaving says."""
    program = load("feeds")
    assert asyncio.run(plain(program)) == 19


async def plain(program: ModuleType) -> Any:
    names: dict[str, Any] = {"asyncio": asyncio}
    bare = re.sub(
        r"^@.*\n", "", BLOCKS["feeds.py"].replace("from stepfast import Retry, step, workflow", ""), flags=re.M
    )
    exec(compile(re.sub(r"^def ", "async def ", bare, flags=re.M), "feeds.py", "exec"), names)
    return await names["feeds"](["a", "bc"])


def test_the_programs_to_come_from_are_python_and_there_for_each_engine() -> None:
    assert [*BEFORE] == ["Temporal", "DBOS", "Celery", "Lambda durable functions"]
    for name, text in BEFORE.items():
        assert ast.parse(text, name).body
    assert {*BLOCKS} == {
        *("fulfilment.py", "test_fulfilment.py", "review.py", "words.py", "feeds.py", "trip.py", "leave.py"),
    }


def test_every_state_type_and_field_of_asl_has_its_row() -> None:
    table = DOCS.split("## From Step Functions")[1].split("###")[0]
    for word in ("Task", "Pass", "Choice", "Wait", "Parallel", "Map", "Succeed", "Fail", "Retry", "Catch"):
        assert re.search(rf"^\| `{word}`", table, re.M), word
    for field in {key for *_, state in states(ASL) for key in state} - {"Type", "Next", "End", "Default", "Resource"}:
        known = {
            "ItemsPath",
            "ItemProcessor",
            "Choices",
            "Branches",
            "Error",
        }  # parts of Map, Choice, Parallel and Fail
        assert field in known or f"`{field}" in table, field
