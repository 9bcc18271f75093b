"""proselint with the house's rules over documentation, error texts and docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

from proselint.checks import __register__ as shipped  # type: ignore[import-untyped]
from proselint.registry import CheckRegistry  # type: ignore[import-untyped]
from proselint.registry.checks import Check, CheckFlags, types  # type: ignore[import-untyped]
from proselint.tools import LintFile  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
BANNED = (
    "is none of",
    "are none of",
    "none of ours",
    "the poorer",
    "more seldom",
    "would tell by",
)
HOUSE = Check(
    check_type=types.Existence(items=tuple(phrase.replace(" ", r"\s+") for phrase in BANNED)),
    path="stepfast",
    message="'{}': say it in plain words.",
    flags=CheckFlags(allow_quotes=True),
)
CONFIG = {
    "max_errors": 10_000,
    "checks": {"stepfast": True, "hedging": True, "malapropisms": True, "nonwords": True},
}


def lint(name: str, text: str, first_line: int = 1) -> list[str]:
    """One line for each finding in the text, as `name:line: message`."""
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many((*shipped, HOUSE))
    return [
        f"{name}:{result.pos[0] + first_line - 1}: {result.check_result.message}"
        for result in LintFile(name, text).lint(CONFIG)
    ]


def texts() -> Iterator[tuple[str, str, int]]:
    """(file, text, first line) of each page, and of each docstring and string in a `raise` of the package."""
    for path in [*(ROOT / page for page in PAGES), *sorted((ROOT / "docs").rglob("*.md"))]:
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"), 1
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = str(path.relative_to(ROOT))
            if isinstance(node, ast.Raise):
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.strip():
                        yield name, part.value, part.lineno
            elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                match node.body[:1]:
                    case [ast.Expr(ast.Constant(str() as text) as string)]:
                        yield name, text, string.lineno


def findings() -> list[str]:
    return [problem for name, text, line in texts() for problem in lint(name, text, line)]
