"""Stores which fields of models were not set, as white space after the JSON text, which JSON parsers ignore.

A field that was not set is stored with its value, since a default may be another one by the time the value is read.
Marks say that it was not set: a tree of field names as JSON, where each byte is written as four white space
characters. JSON has four such characters, so each stands for two bits. A text without marks means that all its fields
were set. Pure.
"""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import pydantic

from stepfast.values.compare import ATOMS

Marks = tuple[Any, ...]
"""The names of a model's fields that were not set, and pairs of a part's name or position and its own marks."""

WHITE = " \t\n\r"
_WRITTEN = [
    "".join(WHITE[byte >> shift & 3] for shift in (6, 4, 2, 0)) for byte in range(256)
]  # each byte as four characters
_READ = {text: byte for byte, text in enumerate(_WRITTEN)}
_ALL = "*"
"""In place of a position: each of the parts has these marks."""
_LEAVES = ATOMS | {float}


def marked(text: str, marks: Marks) -> str:
    return text + _text_of(marks)


def marks_in(text: str) -> Marks | None:
    """The marks that end a text; None for a text without any."""
    if text[-1:] > " " or not text:
        return None
    return _marks_of(text[len(text.rstrip(WHITE)) :])


def unmarked(text: str) -> str:
    return text.rstrip(WHITE)


@lru_cache(maxsize=512)
def _text_of(marks: Marks) -> str:
    return "".join(map(_WRITTEN.__getitem__, json.dumps(marks, separators=(",", ":")).encode()))


@lru_cache(maxsize=512)
def _marks_of(white: str) -> Marks | None:
    try:
        encoded = bytes(_READ[white[at : at + 4]] for at in range(0, len(white), 4))
        marks: Marks = _frozen(json.loads(encoded))
        return marks
    except (KeyError, ValueError):  # white space that is no mark, written by another program
        return None


def _frozen(node: Any) -> Any:
    return tuple(map(_frozen, node)) if isinstance(node, list) else node


def marks_of(value: Any) -> Marks | None:
    """The marks of a value; None if every field of every model in it was set."""
    kind: Any = type(value)
    shape = _shape_of(kind)
    if shape == "leaf":
        return None
    if shape == "model":
        set_ = value.__pydantic_fields_set__
        fields = value.__pydantic_fields__
        # In the order of definition, so that equal values have one text.
        names = tuple(name for name in fields if name not in set_) if len(set_) < len(fields) else ()
        parts = _parts(value.__dict__.items())
        if extra := value.__pydantic_extra__:
            parts += _parts(extra.items())
        return (names, parts) if names or parts else None
    children = _children(value, shape)
    parts = _parts(children)
    if parts and len(parts) == len(children) and len({marks for _, marks in parts}) == 1:
        parts = ((_ALL, parts[0][1]),)
    elif shape == "set":
        return None  # the order of a set differs between processes, so its members have no positions
    return ((), parts) if parts else None


def _parts(children: Iterable[tuple[Any, Any]]) -> tuple[tuple[Any, Marks], ...]:
    parts: list[tuple[Any, Marks]] = []
    for key, child in children:
        if type(child) not in _LEAVES and (marks := marks_of(child)) is not None:
            parts.append((key, marks))
    return tuple(parts)


def _children(value: Any, shape: str) -> list[tuple[Any, Any]]:
    """The parts of a value that is no model, by position or field name; none if no part can hold a model."""
    if shape == "dataclass":
        return [(field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value)]
    items = list(value.values() if shape == "mapping" else value)
    return [] if _LEAVES.issuperset(map(type, items)) else list(enumerate(items))


# The cache is bounded, so that a program that makes classes at runtime can free them.
@lru_cache(maxsize=2048)
def _shape_of(kind: Hashable) -> str:
    assert isinstance(kind, type)
    if issubclass(kind, pydantic.BaseModel):
        return "model"
    if issubclass(kind, Mapping):
        return "mapping"
    if issubclass(kind, (set, frozenset)):
        return "set"
    if issubclass(kind, (list, tuple, deque)):
        return "sequence"
    return "dataclass" if dataclasses.is_dataclass(kind) else "leaf"


def apply(marks: Marks, value: Any) -> None:
    """Removes marked fields from the fields set of models. Marks of fields that a type no longer has are ignored.

    Repeating it changes nothing. `__pydantic_fields_set__` is a documented attribute of BaseModel.
    """
    names, parts = marks
    kind: Any = type(value)
    shape = _shape_of(kind)
    if shape == "model":
        value.__pydantic_fields_set__.difference_update(names)
        for name, inner in parts:
            extra = value.__pydantic_extra__ or {}
            apply(inner, value.__dict__.get(name, extra.get(name)))
        return
    if not parts or shape == "leaf":
        return
    children = _children(value, shape)
    if parts[0][0] == _ALL:
        for _, child in children:
            apply(parts[0][1], child)
        return
    by_key = dict(children)
    for key, inner in parts:
        apply(inner, by_key.get(key))
