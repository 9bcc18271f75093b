"""Labels of steps: a few words that say which item a call is about."""

from __future__ import annotations

import inspect
import json
import string
from collections.abc import Callable, Mapping
from typing import Any

from stepfast.errors import DefinitionError

Label = str | Callable[..., object]
LONGEST_LABEL_CHARS = 40
"""Characters of a label that are shown."""
LONGEST_INPUT = 65_536
"""Characters of an input's JSON up to which a label is made of it."""


def check(label: object, signature: inspect.Signature, step: str) -> Label | None:
    """The label as `@step(label=...)` takes it; DefinitionError for a template that names no argument of the step."""
    if label is None or callable(label):
        return label
    if not isinstance(label, str):
        raise DefinitionError(f"{step}: label takes a template such as '{{order}}' or a function, not {label!r}")
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(label) if field is not None]
    except ValueError as error:
        raise DefinitionError(f"{step}: label {label!r} is no template: {error}") from error
    for field in fields:
        name = field.split(".")[0].split("[")[0]
        if name not in signature.parameters:
            takes = ", ".join(signature.parameters) or "none"
            raise DefinitionError(f"{step}: label {label!r} names {name!r}; the step's arguments: {takes}")
    return label


def first_argument(text: str | None) -> str | None:
    """The first argument of a call, of the JSON object of its arguments; None where it has none."""
    if text is None or len(text) > LONGEST_INPUT:
        return None
    arguments = json.loads(text)
    if not isinstance(arguments, Mapping) or not arguments:
        return None
    value: Any = next(iter(arguments.values()))
    return cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def cut(text: str) -> str | None:
    """The text on a line of its own, at most LONGEST_LABEL_CHARS characters of it; None for an empty text."""
    line = " ".join(text[: 4 * LONGEST_LABEL_CHARS].split())
    return (line if len(line) <= LONGEST_LABEL_CHARS else line[: LONGEST_LABEL_CHARS - 1] + "…") or None
