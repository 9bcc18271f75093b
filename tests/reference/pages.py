"""Writes the pages: each public name with its signature and its docstring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import griffe

from tests.reference import handlers, settings, signatures
from tests.reference.docstrings import markdown, wrapped
from tests.reference.public import Page
from tests.reference.surface import SOURCE, Public, Surface, arguments_of, docstring_of

FOLDER = SOURCE.parent / "docs" / "reference"
MARK = "<!-- Written by `make reference` from the docstrings. Change those, not this file. -->"
WRITERS = {"functions.md": handlers.page, "settings.md": settings.page}
"""Pages of another form than a list of names."""


def pages(surface: Surface) -> dict[str, str]:
    """The text of each page, by the name of its file."""
    return {page.file: _Writer(surface, page).text() for page in surface.pages}


def anchor(heading: str) -> str:
    """The fragment that GitHub gives a heading."""
    return heading.lower().replace(" ", "-").translate({ord(sign): None for sign in "`.()"})


class _Writer:
    def __init__(self, surface: Surface, page: Page) -> None:
        self._surface, self._page = surface, page
        self._names = surface.pages[page]
        self._links = {
            public.name: ("" if surface.home[public.target.path] is page else surface.home[public.target.path].file)
            for public in surface.all()
            if isinstance(public.target, griffe.Class)
        }

    def text(self) -> str:
        """The whole page."""
        writer = WRITERS.get(self._page.file)
        body = writer(self._surface, self._names, self.link) if writer else self._body()
        return "\n\n".join([f"# {self._page.title}", MARK, *body]) + "\n"

    def link(self, name: str) -> str:
        """A link to the class of this name, which may be in code; the name itself where no page shows such a class."""
        bare = name.strip("`")
        if bare not in self._links:
            return name
        return f"[{name}]({self._links[bare]}#{anchor(bare)})"

    def _body(self) -> Iterator[str]:
        imported = [public for public in self._names if public.module is not None]
        shown = [public for public in imported if self._surface.home[public.target.path] is self._page]
        elsewhere = [public for public in imported if public not in shown]
        yield markdown(docstring_of(self._surface.get(self._page.modules[0])), (), self.link)
        if elsewhere:
            names = ", ".join(self.link(f"`{public.name}`") for public in elsewhere)
            text = f"On other pages, and imported from `{self._page.modules[0]}` as well: {names}."
            yield wrapped(text)
        for public in shown:
            yield from self._entry(public)
        types = [public for public in self._names if public.module is None]
        if types:
            yield "## Types that are not imported"
            yield "A program meets objects of these types. Their modules may change."
        for public in types:
            yield from self._entry(public, level="###")
        yield from self._aliases([*shown, *types])

    def _entry(self, public: Public, level: str = "##") -> Iterator[str]:
        yield f"{level} `{public.name}`"
        statement = "" if public.module is None else f"from {public.module} import {public.name}\n\n"
        yield f"```python\n{statement}{self._definition(public)}\n```"
        target = public.target
        if isinstance(target, griffe.Class) and public.constructed and target.bases and _is_exception(target):
            yield f"A {self.link(str(target.bases[0]))}."
        names = [parameter.name for parameter in arguments_of(target)] + [each.name for each in public.attributes]
        yield markdown(docstring_of(target), names, self.link)
        for attribute in public.attributes:
            if attribute.docstring is not None:
                yield f"`{public.name}.{attribute.name}`: {markdown(docstring_of(attribute), (), self.link)}"
        for member in public.members:
            yield f"{level}# `{public.name}.{member.name}`"
            yield f"```python\n{_member(member)}\n```"
            yield markdown(docstring_of(member), [each.name for each in arguments_of(member)], self.link)

    def _definition(self, public: Public) -> str:
        target = public.target
        if isinstance(target, griffe.Function):
            return signatures.function(target)
        if isinstance(target, griffe.Attribute):
            return f"{target.name} = {target.value}"
        assert isinstance(target, griffe.Class)
        if public.constructed:
            return signatures.constructor(target)
        bases = [str(base) for base in target.bases if not str(base).startswith(("Generic", "Protocol"))]
        head = f"class {target.name}" + (f"({', '.join(bases)})" if bases else "")
        fields = [_variable(attribute, target) for attribute in public.attributes]
        return head + (":\n" + "\n".join(f"    {line}" for line in fields) if fields else "")

    def _aliases(self, names: Iterable[Public]) -> Iterator[str]:
        aliases = {
            target.path: f"- `{target.name}`: `{target.value}`"
            for target in signatures.named_in([*annotations_on(names)])
            if isinstance(target, griffe.Attribute) and not target.name.startswith("_")
        }
        if aliases:
            yield "## Names in signatures"
            yield "\n".join(sorted(aliases.values()))


def annotations_on(names: Iterable[Public]) -> Iterator[str | griffe.Expr | None]:
    """Every annotation that the entries of these names show."""
    for public in names:
        if isinstance(public.target, griffe.Function):
            yield from signatures.annotations_of(public.target)
        yield from (parameter.annotation for parameter in public.parameters)
        yield from (attribute.annotation for attribute in public.attributes)
        for member in public.members:
            if isinstance(member, griffe.Function):
                yield from signatures.annotations_of(member)
            else:
                yield member.annotation


def _is_exception(target: griffe.Class) -> bool:
    return any(base.path == "stepfast.errors.StepfastError" for base in target.mro())


def _member(member: griffe.Function | griffe.Attribute) -> str:
    if isinstance(member, griffe.Function):
        return signatures.function(member)
    return f"{member.name}: {member.annotation}  # a property"


def _variable(attribute: griffe.Attribute, owner: griffe.Class) -> str:
    """An attribute with its type: its own annotation, or that of the argument of the constructor that it keeps."""
    annotation = attribute.annotation
    if annotation is None and str(attribute.value) == attribute.name:
        annotation = next(each.annotation for each in owner.parameters if each.name == attribute.name)
    return attribute.name if annotation is None else f"{attribute.name}: {annotation}"
