"""What can be seen of a value from outside, as plain comparable parts; written anew, not taken from the product."""

from __future__ import annotations

import dataclasses
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from pydantic import BaseModel


def facts(value: Any) -> Any:
    """Equal facts mean equal type and behaviour, as far as the kinds of value of the table go."""
    kind = type(value)
    if isinstance(value, BaseModel):
        return (
            kind,
            {name: facts(getattr(value, name)) for name in kind.model_fields},
            value.model_fields_set,
            facts(value.model_extra),
            facts(value.__pydantic_private__),
            facts(value.model_dump(exclude_unset=True, warnings=False)),
            repr(value),
        )
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = {field.name for field in dataclasses.fields(value)} | set(getattr(value, "__dict__", ()))
        return kind, {name: facts(getattr(value, name)) for name in names}, repr(value)
    if isinstance(value, Mapping):
        factory = value.default_factory if isinstance(value, defaultdict) else None
        return kind, [(facts(key), facts(part)) for key, part in value.items()], factory, _missing(value)
    if isinstance(value, (list, tuple, deque)):
        return kind, [facts(part) for part in value], getattr(value, "maxlen", None), getattr(value, "_fields", None)
    if isinstance(value, (set, frozenset)):
        return kind, sorted(repr(facts(part)) for part in value)
    return kind, _hash(value), repr(value), str(value), _later(value), getattr(value, "__dict__", None)


def _missing(value: Any) -> Any:
    """What a mapping says of a key that it does not have."""
    try:
        return value.__class__.__missing__(value.copy(), "no such key")
    except (AttributeError, KeyError):
        return "KeyError"


def _hash(value: Any) -> Any:
    try:
        return hash(value)
    except TypeError:
        return "unhashable"


def _later(value: Any) -> Any:
    """What a time is after a change of clocks, and what it says of its zone."""
    if isinstance(value, datetime):
        later = value + timedelta(days=61) if value.year < 9000 else value
        return later.isoformat(), value.fold, value.utcoffset(), value.tzname(), f"{value:%Z}", repr(value.tzinfo)
    if isinstance(value, time):
        return value.isoformat(), value.fold, value.utcoffset(), value.tzname()
    return value.isoformat() if isinstance(value, date) else None
