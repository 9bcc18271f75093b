"""The gate judges the change and not the dice: no test draws a seed of its own (tests/lanes.py gives it)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.lanes import SOAK

TESTS = Path(__file__).resolve().parents[1]
DRAWS = {
    "replay/test_determinism.py": "workflow code draws, from what the replay gives it",
    "soak/__main__.py": "a command of its own, which prints its seed",
}
"""Files that may draw by chance, and why."""


def drawn(tree: ast.Module) -> Iterator[int]:
    """The lines that draw from Python's own generator, or make a generator without a seed."""
    imported = any(
        isinstance(node, ast.Import) and any(name.name == "random" for name in node.names) for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            yield node.lineno
        if not (imported and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        module = node.func.value
        if isinstance(module, ast.Name) and module.id == "random" and not (node.func.attr == "Random" and node.args):
            yield node.lineno


def test_no_test_draws_a_seed_of_its_own() -> None:
    lines = {
        f"{name}:{line}"
        for file in sorted(TESTS.rglob("*.py"))
        if (name := file.relative_to(TESTS).as_posix()) not in DRAWS
        for line in drawn(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert lines == set(), "take the seed from tests/lanes.py"


@pytest.mark.parametrize("name", DRAWS)
def test_each_file_that_may_draw_still_does(name: str) -> None:
    assert list(drawn(ast.parse((TESTS / name).read_text(encoding="utf-8"))))


@pytest.mark.parametrize("code", ["random.randrange(9)", "random.Random()", "f(random.choice([1]))"])
def test_a_draw_is_seen(code: str) -> None:
    assert list(drawn(ast.parse(f"import random\n{code}"))) == [2]


@pytest.mark.parametrize("code", ["random.Random(7)", "self.random.choice([1])", "draw.random()"])
def test_a_generator_with_a_seed_is_let_through(code: str) -> None:
    assert list(drawn(ast.parse(f"import random\n{code}"))) == []


def test_hypothesis_tries_the_same_examples_each_time_in_the_gate() -> None:
    assert settings.default is not None
    assert settings.default.derandomize is not SOAK
