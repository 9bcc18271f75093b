"""What is public, as griffe reads it from the sources: nothing of stepfast is imported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import griffe

from tests.reference.docstrings import describes
from tests.reference.public import CONSTRUCTED, HANDLERS, INTERNAL, PAGES, Page

SOURCE = Path(__file__).resolve().parents[2] / "src"


def docstring_of(target: griffe.Object) -> str:
    """The docstring of an object. That of a Lambda function's handler is the docstring of its module."""
    if target.name == "handler" and target.module.path in HANDLERS:
        target = target.module
    return target.docstring.value if target.docstring is not None else ""


@dataclass(frozen=True)
class Public:
    """A public name. module: the module to import it from, or None for a type that is not imported."""

    name: str
    module: str | None
    target: griffe.Object
    only: tuple[str, ...] | None = None

    @property
    def constructed(self) -> bool:
        return self.name in CONSTRUCTED

    @cached_property
    def members(self) -> list[griffe.Function | griffe.Attribute]:
        """The public methods and properties of a class: its own in source order, then those of its bases."""
        if not isinstance(self.target, griffe.Class):
            return []
        # The classes of other packages, such as the CDK, are not loaded, so the mro() has none.
        seen: dict[str, griffe.Function | griffe.Attribute] = {}
        for owner in (self.target, *self.target.mro()):
            for name, member in sorted(owner.members.items(), key=lambda item: item[1].lineno or 0):
                if name.startswith("_") or member.path in INTERNAL or (self.only is not None and name not in self.only):
                    continue
                if isinstance(member, griffe.Function) or (
                    isinstance(member, griffe.Attribute) and {"property", "cached"} & member.labels
                ):
                    seen.setdefault(name, member)
        return [*seen.values()]

    @cached_property
    def attributes(self) -> list[griffe.Attribute]:
        """The attributes that the docstring of a class names, or that have a docstring of their own."""
        if not isinstance(self.target, griffe.Class):
            return []
        return [
            member
            for name, member in self.target.members.items()
            if isinstance(member, griffe.Attribute)
            and not name.startswith("_")
            and not {"property", "cached"} & member.labels
            and (member.docstring is not None or describes(docstring_of(self.target), name))
        ]

    @property
    def parameters(self) -> list[griffe.Parameter]:
        """The arguments that a user passes: of a function, or of a class that users construct."""
        if isinstance(self.target, griffe.Class) and not self.constructed:
            return []
        return arguments_of(self.target)


def arguments_of(target: griffe.Object) -> list[griffe.Parameter]:
    """The parameters that a caller passes. pytest passes those of a fixture."""
    if not isinstance(target, griffe.Function | griffe.Class):
        return []
    if any("fixture" in str(decorator.value) for decorator in target.decorators):
        return []
    return [parameter for parameter in target.parameters if parameter.name not in ("self", "cls")]


class Surface:
    """The public names by page. `home` is the page that shows an object, by the path of its definition."""

    def __init__(self) -> None:
        loader = griffe.GriffeLoader(search_paths=[SOURCE])
        self._packages = {name: loader.load(name) for name in ("stepfast", "pytest_stepfast")}
        loader.resolve_aliases()
        self.pages: dict[Page, list[Public]] = {}
        self.home: dict[str, Page] = {}
        for page in PAGES:
            self.pages[page] = list(self._names(page))
            for public in self.pages[page]:
                self.home.setdefault(public.target.path, page)

    def get(self, path: str) -> griffe.Object:
        package, _, rest = path.partition(".")
        target = self._packages[package][rest] if rest else self._packages[package]
        resolved = target.final_target if isinstance(target, griffe.Alias) else target
        assert isinstance(resolved, griffe.Object)
        return resolved

    def exports(self, module: str) -> list[str]:
        """The names in `__all__` of a module; in source order where all are defined in one file."""
        names = [str(name) for name in self.get(module).exports or ()]
        targets = {name: self.get(f"{module}.{name}") for name in names}
        if len({target.filepath for target in targets.values()}) == 1:
            names.sort(key=lambda name: targets[name].lineno or 0)
        return names

    def _names(self, page: Page) -> Iterator[Public]:
        shown: set[str] = set()
        for module in page.modules:
            for name in self.exports(module):
                target = self.get(f"{module}.{name}")
                if target.path not in shown:
                    yield Public(name, module, target)
                shown.add(target.path)
        for path, only in page.types.items():
            yield Public(path.rpartition(".")[2], None, self.get(path), only)

    def all(self) -> Iterator[Public]:
        """Every public name once, at the page that shows it."""
        for page, names in self.pages.items():
            yield from (public for public in names if self.home[public.target.path] is page)
