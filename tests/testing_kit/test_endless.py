"""The examples of docs/endless.md, as they are printed: with a crash at every point, and once on AWS's functions."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stepfast.testing import Environment, MotoCloud

DOCS = Path(__file__).parents[2] / "docs" / "endless.md"
BLOCKS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCS.read_text(), re.S))
CHANGES = (5, -2, 10, 1, 1, 7, 0)


def changes(env: Any) -> None:
    for number, amount in enumerate(CHANGES):
        env.at(timedelta(seconds=10 + number // 2)).signal("change", amount)


EXAMPLES: dict[str, tuple[Any, Any, Callable[[Any], None]]] = {
    "poller": (0, 5, lambda env: None),
    "entity": ({}, {"balance": 22, "changes": 6}, changes),
}


@pytest.fixture(params=sorted(EXAMPLES))
def example(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path, name = tmp_path / f"{request.param}.py", f"endless_{request.param}"
    path.write_text(BLOCKS[request.param])
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def played(home: Any, module: ModuleType, crash: int | None = None) -> int:
    name = module.__name__.removeprefix("endless_")
    input, result, outside = EXAMPLES[name]
    flow = getattr(module, name)
    with home(flow) as env:
        outside(env)
        if crash is not None:
            env.crash(at=crash)
        run = env.run(flow, module.Account() if name == "entity" else input)
        assert run.status == "SUCCEEDED", run
        assert (run.result.model_dump() if name == "entity" else run.result) == result
        return len(env.points) if home is Environment else 0


def test_it_comes_to_the_same_whenever_the_process_dies(example: ModuleType) -> None:
    points = played(Environment, example)
    assert points > 20
    for number in range(points):
        played(Environment, example, number)


def test_it_comes_to_the_same_on_aws(example: ModuleType) -> None:
    played(MotoCloud, example)


def test_every_example_is_played() -> None:
    assert BLOCKS.keys() - {"purse"} == EXAMPLES.keys(), "the purse is in test_updates_docs.py"
