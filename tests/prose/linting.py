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


def lint(text: Text) -> list[str]:
    """One line for each finding in the text, as `name:line: message`."""
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many(shipped)
    problems = [(result.pos[0], result.check_result.message) for result in LintFile(text.name, text.text).lint(CONFIG)]
    problems += house(text.text, docstring=text.docstring)
    return [f"{text.name}:{line + text.line - 1}: {message}" for line, message in sorted(problems)]


def findings() -> list[str]:
    """The findings of all texts."""
    return [problem for text in texts() for problem in lint(text)]
