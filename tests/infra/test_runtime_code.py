"""What the code that runs in Lambda never does, whatever it is sent."""

from __future__ import annotations

import ast
from pathlib import Path

import stepfast
from stepfast.infra.bundle import NOT_IN_LAMBDA

SOURCE = Path(stepfast.__file__).parent
FROM_FIELDS_ALONE = ["unguarded.py: exec"]
"""What compiles the names of a class's fields, as dataclasses themselves do, and nothing that anyone has sent."""
MODULES = {"dill", "marshal", "pickle", "shelve", "yaml"}


def test_nothing_that_functions_run_unpickles_or_evaluates() -> None:
    left_out = [path for pattern in NOT_IN_LAMBDA for path in SOURCE.glob(pattern)]
    looked_at = [
        path
        for path in SOURCE.rglob("*.py")
        if not any(path == folder or folder in path.parents for folder in left_out)
    ]
    assert len(looked_at) > 50
    dangers = [f"{path.relative_to(SOURCE)}: {name}" for path in looked_at for name in _dangers(path)]
    assert dangers == FROM_FIELDS_ALONE


def _dangers(path: Path) -> list[str]:
    dangers: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            dangers += [name.name for name in node.names if name.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            dangers += [str(node.module)] * ((node.module or "").partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            dangers += [node.func.id] * (node.func.id in ("eval", "exec", "compile", "__import__"))
    return dangers
