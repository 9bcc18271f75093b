"""The parts of a composite value with their paths, to say where an error is and which part JSON loses. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from functools import cached_property
from itertools import islice
from typing import Any

import pydantic
from pydantic_core import PydanticSerializationError, from_json, to_json

from stepfast.values.compare import exact

LONGEST_PATH_CHARS = 200
LONGEST_MESSAGE_CHARS = 300
_MAX_SEARCHED_KEYS = 1000
"""A search for the key that pydantic has written as text looks at this many keys."""
_ABSENT = object()


def children_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a composite value, each with its path; nothing for a leaf."""
    if isinstance(value, pydantic.BaseModel):
        held = [*value.__dict__.items(), *(value.__pydantic_extra__ or {}).items()]
        held += (value.__pydantic_private__ or {}).items()
        return ((f".{name}", part) for name, part in held if not _is_cached_property(value, name))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = dict.fromkeys([*(field.name for field in dataclasses.fields(value)), *getattr(value, "__dict__", {})])
        return ((f".{name}", getattr(value, name, None)) for name in names if not _is_cached_property(value, name))
    if isinstance(value, Mapping):
        return ((f".{shorten(str(key), LONGEST_PATH_CHARS)}", part) for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ((f"[{index}]", part) for index, part in enumerate(value))
    return iter(())


def _is_cached_property(value: Any, name: str) -> bool:
    return isinstance(getattr(type(value), name, None), cached_property)


def _child(value: Any, part: Any) -> tuple[str, Any]:
    """The path and value of a part, by its name in a pydantic error; the path is "" if there is no such part."""
    try:
        if isinstance(value, pydantic.BaseModel):
            known = part in type(value).model_fields or part in (value.model_extra or {})
            return (f".{part}", getattr(value, part, None)) if known else ("", None)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            known = part in {field.name for field in dataclasses.fields(value)}
            return (f".{part}", getattr(value, part, None)) if known else ("", None)
        if isinstance(value, Mapping):
            written = (key for key in islice(value, _MAX_SEARCHED_KEYS) if str(key) == part)
            key = part if part in value else next(written, _ABSENT)
            return ("", None) if key is _ABSENT else (f".{part}", value[key])
        if isinstance(value, (list, tuple)) and isinstance(part, int) and 0 <= part < len(value):
            return f"[{part}]", value[part]
    except (TypeError, KeyError):
        pass
    return "", None


def path_of(error: Any, value: Any) -> str:
    """The path of a pydantic error in the value, without the names of union members that pydantic puts into `loc`."""
    path, location = "", error["loc"]
    for index, part in enumerate(location):
        step, child = _child(value, part)
        after = location[index + 1] if index + 1 < len(location) else None
        named = after == "[key]" or (after is None and error["type"] == "missing")
        if part == "[key]" or (
            not step and isinstance(part, str) and not named and not isinstance(value, pydantic.BaseModel)
        ):
            continue
        path += step or (f"[{part}]" if isinstance(part, int) else f".{part}")
        value = child
    return shorten(path, LONGEST_PATH_CHARS)


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def unserializable(value: Any, above: tuple[int, ...] = ()) -> str:
    """Path of the first part without a JSON form, or whose JSON form cannot be read again."""
    above = (*above, id(value))
    for path, child in children_of(value):
        if id(child) in above:  # it holds itself
            return path
        if not _survives_json(child):
            return path + unserializable(child, above)
    return ""


def _survives_json(value: Any) -> bool:
    try:
        from_json(to_json(value, bytes_mode="base64", inf_nan_mode="constants"))
        if isinstance(value, pydantic.BaseModel):
            type(value).__pydantic_serializer__.to_python(value, mode="json", warnings="error")
    except PydanticSerializationError as error:
        # The stored form of bytes is base64, whatever the settings of the model (schemas.CONFIG).
        return "invalid utf-8" in str(error)
    except ValueError:
        return False
    return True


def not_finite(value: Any) -> str | None:
    """Path of the first NaN or infinity in parsed JSON; None if there is none."""
    if isinstance(value, float):
        return "" if value != value or value in (float("inf"), float("-inf")) else None
    if isinstance(value, (dict, list)):
        for path, child in children_of(value):
            if (inner := not_finite(child)) is not None:
                return path + inner
    return None


def equal_or_false(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:  # such as arrays: compared part by part
        return False


LostPart = tuple[str, str]
"""The path of a part that does not come back unchanged, and a description of the change."""


def first_difference(left: Any, right: Any) -> LostPart | None:
    """The first part that differs in type or behaviour; None when nothing does."""
    if exact(left, right):
        return None
    if type(left) is not type(right):
        return "", f"{type(right).__name__} in place of {type(left).__name__}"
    if isinstance(left, Mapping) and not exact(list(left), list(right)):
        return "", "its keys change"
    parts, others = list(children_of(left)), list(children_of(right))
    paths = [path for path, _ in parts]
    if paths == [path for path, _ in others]:
        for (path, child), (_, other) in zip(parts, others, strict=True):
            if (inner := first_difference(child, other)) is not None:
                return path + inner[0], inner[1]
    elif isinstance(left, (list, tuple)):
        return "", "its length changes"
    elif more := set(paths) ^ {path for path, _ in others}:
        return min(more), "it is no field and is not stored"
    if isinstance(left, pydantic.BaseModel):
        unset = left.__pydantic_fields_set__ ^ right.__pydantic_fields_set__
        return (f".{min(unset)}" if unset else ""), "which fields were set is not kept in a set of models"
    return "", _describe_change(left, right)


def _describe_change(left: Any, right: Any) -> str:
    if isinstance(left, (datetime, time)) and left.replace(tzinfo=None) == right.replace(tzinfo=None):
        if left.fold != right.fold:
            return "its fold is lost"
        return f"the zone {left.tzinfo} becomes an offset; give it .astimezone(UTC)"
    return "it changes"


def first_narrowing(original: Any, valid: Any) -> LostPart | None:
    """The first part whose class validation has replaced by a base class; None if there is none.

    Validation may change the type of a value, such as 3 to 3.0 for a float. It must not silently drop the behaviour of
    a subclass: a Counter for a dict, an enum member for a str, True for an int.
    """
    if original is valid:
        return None
    if type(original) is not type(valid):
        if isinstance(original, type(valid)):
            return "", f"{type(valid).__name__} in place of {type(original).__name__}"
        if isinstance(original, pydantic.BaseModel) and isinstance(valid, pydantic.BaseModel):
            return _lost_state(original, valid)
        if not isinstance(original, (list, tuple)) or not isinstance(valid, (list, tuple)):
            return None
    others = list(children_of(valid))
    parts = list(children_of(original))
    if len(parts) != len(others):
        return None
    for (path, child), (_, other) in zip(parts, others, strict=True):
        if (inner := first_narrowing(child, other)) is not None:
            return path + inner[0], inner[1]
    return None


def _lost_state(original: pydantic.BaseModel, valid: pydantic.BaseModel) -> LostPart | None:
    """The state that a model lost when validation made an instance of another class, such as Box[int] from Box."""
    unset = original.__pydantic_fields_set__ ^ valid.__pydantic_fields_set__
    if unset:
        return f".{min(unset)}", "other fields count as set"
    if exact(original.__pydantic_private__ or {}, valid.__pydantic_private__ or {}):
        return None
    names = original.__pydantic_private__ or valid.__pydantic_private__ or {}
    return f".{next(iter(names), '')}", "private attributes are not stored"
