"""The texts that the linter reads: pages, and of the package's code docstrings, comments and error texts."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
DIRECTIVES = re.compile(r"#\s*(noqa|type:|pragma|fmt:|!)")


@dataclass(frozen=True)
class Text:
    name: str
    """The file, from the root of the repository."""

    text: str
    line: int = 1
    """The line of the file at which the text begins."""

    docstring: bool = False


def texts() -> Iterator[Text]:
    for path in [*(ROOT / page for page in PAGES), *sorted((ROOT / "docs").rglob("*.md"))]:
        indented_code_blank = re.sub(r"(?m)^ {4}.*$", "", path.read_text(encoding="utf-8"))
        yield Text(str(path.relative_to(ROOT)), indented_code_blank)
    for path in sorted((ROOT / "src").rglob("*.py")):
        yield from code(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))


def code(name: str, source: str) -> Iterator[Text]:
    """Docstrings, comments and the strings of `raise` statements."""
    yield from comments(name, source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.strip():
                    yield Text(name, part.value, part.lineno)
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            match statement:
                case ast.Expr(ast.Constant(str() as text) as string):
                    yield Text(name, text, string.lineno, docstring=True)


def comments(name: str, source: str) -> Iterator[Text]:
    """Comments; lines that follow one another are one text."""
    lines: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or DIRECTIVES.match(token.string):
            continue
        if lines and token.start[0] != last + 1:
            yield Text(name, "\n".join(lines), first)
            lines = []
        first = first if lines else token.start[0]
        last = token.start[0]
        lines.append(token.string.lstrip("# "))
    if lines:
        yield Text(name, "\n".join(lines), first)
