"""The page of the Lambda functions: a table of the handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tests.reference.docstrings import wrapped
from tests.reference.surface import Public, Surface, docstring_of


def page(surface: Surface, names: Sequence[Public], link: Callable[[str], str]) -> Iterator[str]:
    """The body of the page."""
    yield wrapped(
        "The files in a project's folder `functions/` import these handlers, and may wrap them "
        "([deploy.md](../deploy.md#files-of-your-own-for-the-functions)). Lambda calls a handler with an event and a "
        "context: `handler(event, context)`. Everything else in `stepfast.functions` may change."
    )
    rows = ["| import | what the function does |", "|---|---|"]
    for public in names:
        text = " ".join(docstring_of(surface.get(str(public.module))).split())
        rows.append(f"| `from {public.module} import {public.name}` | {text} |")
    yield "\n".join(rows)
