"""What a public name owes its reader: a docstring that names its arguments and errors, and types that are described."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator

import griffe

from tests.reference.docstrings import describes
from tests.reference.pages import annotations_on
from tests.reference.signatures import named_in
from tests.reference.surface import Public, Surface, arguments_of, docstring_of

ON_CONSTRUCTION = ("__init__", "__post_init__", "__enter__", "__exit__")
"""Methods whose errors the docstring of the class names."""


def without_docstring(public: Public) -> Iterator[str]:
    """The name and its members, where they have no docstring."""
    for path, target in (_Parts(public)).every:
        if not docstring_of(target):
            yield path


def without_description(public: Public) -> Iterator[str]:
    """Arguments that the docstring neither lists nor names in code."""
    for path, target in _Parts(public).called:
        for argument in arguments_of(target):
            if not describes(docstring_of(target), argument.name):
                yield f"{path}: {argument.name}"


def without_error(public: Public) -> Iterator[str]:
    """Classes of exceptions that a function raises by a `raise` of its own, and that its docstring does not name."""
    for path, target in _Parts(public).called:
        functions = [target] if isinstance(target, griffe.Function) else []
        if isinstance(target, griffe.Class):
            functions = _construction(target)
        for error in sorted({error for function in functions for error in raised_in(function.source)}):
            if not re.search(rf"\b{error}\b", docstring_of(target)):
                yield f"{path}: {error}"


def _construction(target: griffe.Class) -> list[griffe.Function]:
    functions = [target.members[name] for name in ON_CONSTRUCTION if name in target.members]
    # The `__init__` that griffe makes for a dataclass has no source.
    made = "dataclass" in target.labels
    return [each for each in functions if isinstance(each, griffe.Function) and not (made and not each.source)]


def raised_in(source: str) -> Iterator[str]:
    """The names of the classes in the `raise` statements of a function."""
    assert source, "griffe has not kept the source"
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = error.attr if isinstance(error, ast.Attribute) else error.id if isinstance(error, ast.Name) else ""
            if name[:1].isupper():
                yield name


def without_page(surface: Surface, names: Iterable[Public]) -> Iterator[str]:
    """Classes of stepfast that public signatures name and that no page shows."""
    for target in named_in([*annotations_on(names)]):
        if isinstance(target, griffe.Class) and target.path not in surface.home:
            yield target.path


class _Parts:
    """A public name with its members, each with its path for people."""

    def __init__(self, public: Public) -> None:
        self.every: list[tuple[str, griffe.Object]] = [(public.name, public.target)]
        self.every += [(f"{public.name}.{member.name}", member) for member in public.members]
        takes = public.constructed or not isinstance(public.target, griffe.Class)
        self.called = self.every if takes else self.every[1:]
