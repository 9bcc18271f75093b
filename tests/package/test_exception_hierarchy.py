"""Every exception class of the package stands in the tree of stepfast.errors or in its table of internal classes."""

import ast
import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path

import stepfast
from stepfast import errors

SOURCE = Path(stepfast.__file__).parent
ROOT = Path(__file__).resolve().parents[2]


@cache
def exception_classes() -> frozenset[type[BaseException]]:
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(stepfast.__path__, "stepfast.")]
    return frozenset(
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__.startswith("stepfast.")
    )


def drawn_tree() -> set[tuple[str, str]]:
    """(class, base) for each line of the drawing."""
    edges = set()
    path = ["StepfastError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"((?:│   |    )*)[├└]── (\w+)", line):
            depth = len(match[1]) // 4 + 1
            path[depth:] = [match[2]]
            edges.add((match[2], path[depth - 1]))
    return edges


def internal_table() -> set[tuple[str, str]]:
    """(class, module) for each row of the table of internal classes."""
    rows = re.findall(r"^\| (\w+) \| ([\w.]+) \| \w.+\. \|$", errors.__doc__ or "", re.MULTILINE)
    return {(name, f"stepfast.{module}") for name, module in rows}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    public = {kind for kind in exception_classes() if issubclass(kind, errors.StepfastError)}
    edges = {(kind.__name__, kind.__bases__[0].__name__) for kind in public if kind is not errors.StepfastError}
    assert drawn_tree() == edges
    assert len(edges) == len(public) - 1, "two exceptions under StepfastError share a name"


def test_every_other_exception_is_in_the_table_of_internal_classes() -> None:
    internal = {kind for kind in exception_classes() if not issubclass(kind, errors.StepfastError)}
    assert internal_table() == {(kind.__name__, kind.__module__) for kind in internal}


def test_no_exception_class_hides_inside_a_function_or_class() -> None:
    at_top = {kind.__name__ for kind in exception_classes()}
    bases = at_top | {"Exception", "BaseException", "AssertionError", "RuntimeError", "ValueError", "TypeError"}
    hidden = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and node.name not in at_top
        and bases & {base.id for base in node.bases if isinstance(base, ast.Name)}
    ]
    assert hidden == []


def test_the_table_of_what_to_catch_covers_every_public_exception() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = text.partition("## Which exceptions to catch where")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", table[table.index("| where") :]))
    kinds = {kind.__name__: kind for kind in exception_classes() if issubclass(kind, errors.StepfastError)}
    outside = {"TimeoutError", "AssertionError", "Stalled", "NotRepeatable", "Retry"}
    assert named - {*kinds} - outside == set(), "no such exception"
    internal = {"StepfastError", "FailsStep", "ForeignMessage"}
    assert {name for name, kind in kinds.items() if not named & {base.__name__ for base in kind.__mro__}} == internal
