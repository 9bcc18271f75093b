"""Labels of steps: a few words that name the item of a call, for the dashboard."""

from __future__ import annotations

import inspect
import json
import string
from collections.abc import Callable, Mapping
from typing import Any

from stepfast.errors import DefinitionError

Label = str | Callable[..., object]
LONGEST_LABEL_CHARS = 40
"""A longer label is cut to this many characters."""
LONGEST_INPUT = 65_536
"""An input whose JSON has more characters gets no label."""


def check(label: object, signature: inspect.Signature, step: str) -> Label | None:
    """The label of `@step(label=...)`. Raises DefinitionError for a template that names no argument of the step.

    step: how the error calls the step.
    """
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
    """The first argument as a label, from the JSON object of a call's arguments; None for a call without arguments."""
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
