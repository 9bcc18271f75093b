"""No test of the gate compares times: the load of a machine changes them, and a change must not be refused for that."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
STOPWATCHES = {"perf_counter", "perf_counter_ns", "process_time", "thread_time", "monotonic_ns"}
"""Clocks that are read for no other purpose than to measure."""
EXEMPT = {"tests/replay/test_determinism.py": "reads every clock inside a workflow, where it is intercepted"}


def _reads(node: ast.AST) -> set[str]:
    """The names of the functions that a piece of code calls."""
    calls = (call.func for call in ast.walk(node) if isinstance(call, ast.Call))
    return {ast.unparse(call).rpartition(".")[2] for call in calls}


def _bounds_a_wait(node: ast.AST) -> bool:
    """Whether code asserts that less than some seconds have passed on the clock."""
    asserted = (part.test for part in ast.walk(node) if isinstance(part, ast.Assert))
    compared = (part for test in asserted for part in ast.walk(test) if isinstance(part, ast.Compare))
    return any(
        isinstance(part.left, ast.BinOp)
        and isinstance(part.left.op, ast.Sub)
        and {"time", "monotonic"} & _reads(part.left)
        and isinstance(part.ops[0], ast.Lt | ast.LtE)
        for part in compared
    )


def _measure(module: ast.Module) -> Iterator[str]:
    """The tests of a module that measure, by themselves or through a helper of the module, and are not marked so."""
    functions = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    measuring = {name for name, node in functions.items() if STOPWATCHES & _reads(node) or _bounds_a_wait(node)}
    while more := {name for name, node in functions.items() if measuring & _reads(node)} - measuring:
        measuring |= more
    for name in sorted(measuring):
        if name.startswith("test_") and not any(
            "timing" in ast.unparse(mark) for mark in functions[name].decorator_list
        ):
            yield name


FILES = [path for path in sorted(TESTS.rglob("test_*.py")) if path.relative_to(TESTS.parent).as_posix() not in EXEMPT]


def test_what_measures_is_marked_timing() -> None:
    unmarked = {path.name: list(_measure(ast.parse(path.read_text()))) for path in FILES}
    assert {name: tests for name, tests in unmarked.items() if tests} == {}


@pytest.mark.parametrize(
    "code",
    [
        "def test_a():\n    began = time.monotonic()\n    assert time.monotonic() - began < 5",
        "def cpu(work):\n    begun = thread_time()\n\ndef test_a():\n    assert cpu(f) < 3 * cpu(g)",
        "def test_a():\n    def took():\n        return time.perf_counter() - begun\n    assert took() < 1",
    ],
)
def test_a_test_that_measures_is_noticed(code: str) -> None:
    assert list(_measure(ast.parse(code))) == ["test_a"]
    assert list(_measure(ast.parse(code.replace("def test_a", "@pytest.mark.timing\ndef test_a")))) == []


def test_a_wait_that_must_last_is_no_measurement() -> None:
    assert list(_measure(ast.parse("def test_a():\n    assert time.monotonic() - began >= 0.5"))) == []
