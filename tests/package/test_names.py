"""A name has one meaning: no class name stands in two modules, and no variable has a name that says nothing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "stepfast"

SHARED = {
    "Attempt": {"model.py", "client/shapes.py"},
    "Command": {"replay/commands.py", "client/shapes.py"},
    "Event": {"model.py", "client/shapes.py"},
    "Execution": {"model.py", "client/execution.py", "client/shapes.py"},
    "Health": {"http/models.py", "client/shapes.py"},
    "History": {"http/models.py", "client/shapes.py"},
    "Replayed": {"http/models.py", "client/shapes.py"},
    "ResumedExecution": {"http/models.py", "client/shapes.py"},
    "Signal": {"model.py", "client/shapes.py"},
    "Workflow": {"language/workflows.py", "client/shapes.py"},
}
"""Class names that may stand in several modules: the client and the HTTP models mirror the words of the API's JSON,
which are those of the model; client/execution.py has the public `Execution`, which reads the API's.
"""

BANNED = {"one", "ones", "told", "found", "given", "thing"}
CLEAN = [
    "http",
    "cli",
    "infra",
    "functions",
    "backends",
    "engine",
    "language",
    "values",
    "deployment",
    "client",
    "local",
    "simulator",
    "testing",
]
"""Packages without a variable or a parameter of a banned name."""


def test_a_class_name_stands_in_one_module() -> None:
    modules: defaultdict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                modules[node.name.lstrip("_")].add(path.relative_to(SOURCE).as_posix())
    assert {name: places for name, places in modules.items() if len(places) > 1} == SHARED


@pytest.mark.parametrize("package", CLEAN)
def test_a_variable_is_named_after_what_it_holds(package: str) -> None:
    banned = []
    for path in sorted((SOURCE / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.arg if isinstance(node, ast.arg) else None
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                name = node.id
            if name in BANNED:
                banned.append(f"{path.relative_to(SOURCE)}: {name}")
    assert banned == []
