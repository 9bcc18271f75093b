"""proselint and the house's rules over documentation, comments, docstrings and error texts."""

from proselint.checks import __register__ as shipped  # type: ignore[import-untyped]
from proselint.registry import CheckRegistry  # type: ignore[import-untyped]
from proselint.tools import LintFile  # type: ignore[import-untyped]

from tests.prose.rules import house
from tests.prose.texts import Text, texts

CONFIG = {
    "max_errors": 10_000,
    "checks": {"hedging": True, "malapropisms": True, "nonwords": True},
}

NOT_YET_CLEAN: tuple[str, ...] = (
    "src/stepfast/simulator/",
    "src/stepfast/testing/",
)
"""Beginnings of paths whose texts still break rules of the house. It only shrinks: an entry without findings fails."""


def lint(text: Text) -> list[str]:
    """One line for each finding in the text, as `name:line: message`."""
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many(shipped)
    problems = [(result.pos[0], result.check_result.message) for result in LintFile(text.name, text.text).lint(CONFIG)]
    problems += house(text.text, docstring=text.docstring)
    return [f"{text.name}:{line + text.line - 1}: {message}" for line, message in sorted(problems)]


def unclean(name: str) -> str | None:
    return next((path for path in NOT_YET_CLEAN if name.startswith(path)), None)


def findings() -> list[str]:
    """The findings of all texts, those of NOT_YET_CLEAN left out, and its entries that are clean by now."""
    problems = [(text.name, problem) for text in texts() for problem in lint(text)]
    left = {unclean(name) for name, _ in problems}
    return [problem for name, problem in problems if unclean(name) is None] + [
        f"tests/prose/linting.py: {path} is clean: take it out of NOT_YET_CLEAN"
        for path in NOT_YET_CLEAN
        if path not in left
    ]
