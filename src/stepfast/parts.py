"""The parts of a composite value, each with its path: where an error is, and what JSON has lost. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pydantic
from pydantic_core import PydanticSerializationError, to_jsonable_python


def children_of(value: Any) -> dict[str, Any] | None:
    """The parts of a composite value by path; None for a leaf."""
    if isinstance(value, pydantic.BaseModel):
        fields = {f".{name}": getattr(value, name, None) for name in type(value).model_fields}
        return fields | {f".{name}": one for name, one in (value.model_extra or {}).items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f".{one.name}": getattr(value, one.name, None) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {f".{key}": one for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return {f"[{index}]": one for index, one in enumerate(value)}
    return None


def path_of(error: Any, value: Any) -> str:
    """Where in the value an error of pydantic's is, without the union members that pydantic names on the way."""
    path, location = "", error["loc"]
    for index, part in enumerate(location):
        children = children_of(value) or {}
        found = next((key for key in (f".{part}", f"[{part}]") if key in children), None)
        after = location[index + 1] if index + 1 < len(location) else None
        named = after == "[key]" or (after is None and error["type"] == "missing")
        if part == "[key]" or (
            found is None and isinstance(part, str) and not named and not isinstance(value, pydantic.BaseModel)
        ):
            continue
        path += found or (f"[{part}]" if isinstance(part, int) else f".{part}")
        value = children.get(found) if found else None
    return path


def unserializable(value: Any) -> str:
    """Path of the first part that has no JSON form of its own."""
    for path, child in (children_of(value) or {}).items():
        try:
            to_jsonable_python(child, bytes_mode="base64")
        except (PydanticSerializationError, ValueError):
            return path + unserializable(child)
    return ""


def not_finite(value: Any) -> str | None:
    """Path of the first NaN or infinity in parsed JSON; None where there is none."""
    if isinstance(value, float):
        return "" if value != value or value in (float("inf"), float("-inf")) else None
    for path, child in (children_of(value) or {}).items():
        if (inner := not_finite(child)) is not None:
            return path + inner
    return None


def equal(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:  # arrays and the like: compared part by part
        return False


def difference(left: Any, right: Any, exact: bool) -> str | None:
    """Path of the first part that differs in type or value; None when nothing does.

    Not exact: declared types decide, and what is declared as a Sequence, Mapping or Iterable may come
    back as a list, a dict, an iterator.
    """
    if type(left) is not type(right) and (exact or not _alike(left, right)):
        return ""
    if isinstance(left, Mapping) and not _same_keys(left, right):
        return ""
    children = children_of(left)
    if children is not None:
        others = children_of(right) or {}
        if children.keys() != others.keys():
            return ""
        for path, child in children.items():
            if (inner := difference(child, others[path], exact)) is not None:
                return path + inner
        return None
    if isinstance(left, (set, frozenset)):
        return None if {(type(one), one) for one in left} == {(type(one), one) for one in right} else ""
    if isinstance(left, datetime) and left.tzinfo is not None and right.tzinfo is not None:
        # Python calls times in an hour that comes twice unequal to those of any other zone.
        there, here = left.replace(tzinfo=None, fold=0), right.replace(tzinfo=None, fold=0)
        return None if there == here and left.utcoffset() == right.utcoffset() else ""
    comparable = "__eq__" in {name for kind in type(left).__mro__[:-1] for name in vars(kind)}
    return "" if comparable and not equal(left, right) else None


def _alike(left: Any, right: Any) -> bool:
    """True for two kinds of one collection, and for equal values of a subclass, as of str and an enum of str."""
    kinds: tuple[Any, ...] = ((list, tuple), Mapping, (set, frozenset))
    if any(isinstance(left, kind) and isinstance(right, kind) for kind in kinds):
        return True
    return not isinstance(left, pydantic.BaseModel) and equal(left, right)


def _same_keys(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> bool:
    return {(type(key), key) for key in left} == {(type(key), key) for key in right}
