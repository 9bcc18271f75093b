"""Whether two values are equal in type and behaviour, and whether a value is plain JSON. Pure.

`==` is not enough: True equals 1, a datetime in Berlin equals the same instant in UTC, an OrderedDict equals a dict,
and pydantic models are equal whichever of their fields were set. Collections are compared by columns, so that loops in
C do most of the work. Both functions take time in proportion to the size of the value.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import chain
from operator import is_
from typing import Any, cast
from uuid import UUID

import pydantic
from pydantic_core import TzInfo

JSON_ATOMS = frozenset({str, int, float, bool, type(None)})
ATOMS = frozenset({str, int, bool, type(None), bytes, UUID, date, timedelta, Fraction})
"""Types for which `==` of two values of the same type is enough."""
_BUILTIN = (str, int, float, bytes, list, dict, set, frozenset, date, timedelta, Decimal)
_MISSING = object()
_FEW_ITEMS = 4
_MAX_NESTING = 190


def is_plain_json(value: Any) -> bool:
    """True for a value of exactly the types that a JSON parser makes, and no deeper than parsers go."""
    level: list[Any] = [value]
    for _ in range(_MAX_NESTING):
        if not level:
            return True
        kinds = set(map(type, level))
        if not kinds <= _JSON_TYPES or (int in kinds and not _integers_are_readable(level, kinds)):
            return False
        if kinds <= JSON_ATOMS:
            return True
        dicts = level if kinds == {dict} else [item for item in level if type(item) is dict]
        if not set(map(type, chain.from_iterable(dicts))) <= _STR_ONLY:
            return False
        lists = level if kinds == {list} else [item for item in level if type(item) is list]
        level = list(chain(chain.from_iterable(lists), chain.from_iterable(map(dict.values, dicts))))
    return False


def _integers_are_readable(level: list[Any], kinds: set[type]) -> bool:
    """False for integers too long for JSON parsers; CPython (3.11 to 3.13) parses 4300 digits by default."""
    integers = level if len(kinds) == 1 else [item for item in level if type(item) is int]
    return min(integers) > -_INTEGER_LIMIT and max(integers) < _INTEGER_LIMIT


_INTEGER_LIMIT = 10**4000
_STR_ONLY = frozenset({str})
_JSON_TYPES = JSON_ATOMS | {list, dict}


def exact(left: Any, right: Any) -> bool:
    """True when two values are equal and of the same types in all parts: order of keys, fields set, zones, fold.

    Two objects of a class without `__eq__` are compared by their attributes.
    """
    if left is right:
        return True
    kind: Any = type(left)
    if kind is not type(right):
        # Only two classes of time zones may stand for each other: pydantic's and Python's own.
        return is_plain_offset(left) and is_plain_offset(right) and bool(left == right)
    if kind in ATOMS:
        return bool(left == right)
    check: Callable[[Any, Any], bool] = _check_of(cast(Hashable, kind))
    return check(left, right)


def is_plain_offset(zone: Any) -> bool:
    """True for a time zone that is only an offset: a pydantic_core.TzInfo, or a datetime.timezone without a name."""
    return type(zone) is TzInfo or (type(zone) is timezone and str(zone) == str(timezone(zone.utcoffset(None))))


def _equal_by_position(lefts: list[Any], rights: list[Any]) -> bool:
    """Compares the items of two lists of the same length by position."""
    if len(lefts) <= _FEW_ITEMS:
        return all(map(exact, lefts, rights))
    if all(map(is_, lefts, rights)):
        return True
    kinds = set(map(type, lefts))
    if len(kinds) > 1:
        if kinds <= ATOMS:
            return lefts == rights and list(map(type, lefts)) == list(map(type, rights))
        return all(map(exact, lefts, rights))
    if kinds != set(map(type, rights)):
        return all(map(exact, lefts, rights))
    kind = kinds.pop()
    if kind in ATOMS:
        return lefts == rights
    if kind is float:
        return lefts == rights and (0.0 not in lefts or all(map(_equal_floats, lefts, rights)))
    if kind is list or kind is tuple:
        return list(map(len, lefts)) == list(map(len, rights)) and _equal_by_position(
            _concatenate(lefts), _concatenate(rights)
        )
    if kind is dict:
        return _equal_by_position(
            _concatenate(map(list, lefts)), _concatenate(map(list, rights))
        ) and _equal_values_of_dicts(lefts, rights)
    return all(map(_check_of(kind), lefts, rights))


def _concatenate(lists: Iterable[Any]) -> list[Any]:
    return list(chain.from_iterable(lists))


def _equal_values_of_dicts(lefts: list[Any], rights: list[Any]) -> bool:
    """Compares the values of dicts whose keys are known to be equal."""
    if list(map(len, lefts)) != list(map(len, rights)):
        return False
    return _equal_by_position(_concatenate(map(dict.values, lefts)), _concatenate(map(dict.values, rights)))


def _equal_floats(left: Any, right: Any) -> bool:
    return bool(left == right) and math.copysign(1.0, left) == math.copysign(1.0, right)


def _equal_reprs(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)


def _equal_lists(left: Any, right: Any) -> bool:
    return len(left) == len(right) and _equal_by_position(left, right)


def _equal_sequences(left: Any, right: Any) -> bool:
    return len(left) == len(right) and _equal_by_position(list(left), list(right))


def _equal_deques(left: Any, right: Any) -> bool:
    return left.maxlen == right.maxlen and _equal_sequences(left, right)


def _equal_dicts(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    return _equal_by_position(list(left), list(right)) and _equal_by_position(list(left.values()), list(right.values()))


def _equal_defaultdicts(left: Any, right: Any) -> bool:
    return left.default_factory is right.default_factory and _equal_dicts(left, right)


def _equal_sets(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    try:
        held = {member: member for member in right}
        return all(exact(member, held.get(member, _MISSING)) for member in left)
    except Exception:  # the __eq__ of a member raises
        return False


def _equal_datetimes(left: Any, right: Any) -> bool:
    if left.fold != right.fold or not is_zone_kept(left.tzinfo, right.tzinfo):
        return False
    # `==` is always False between zones for a time in a repeated hour (PEP 495), so the local times are compared too.
    return bool(left == right or left.replace(tzinfo=None) == right.replace(tzinfo=None))


def is_zone_kept(left: tzinfo | None, right: tzinfo | None) -> bool:
    """False for a zone whose rules or name were replaced by an offset."""
    if left is right:
        return True
    return left is not None and right is not None and exact(left, right)


def _equal_fixed_zones(left: Any, right: Any) -> bool:
    return bool(left == right) and left.tzname(None) == right.tzname(None)


def _equal_by_eq(left: Any, right: Any) -> bool:
    try:
        # The `==` of str or int ignores the attributes that a subclass adds. Other classes define their own `==`.
        return bool(left == right) and (not isinstance(left, _BUILTIN) or _equal_attributes(left, right))
    except Exception:  # such as arrays
        return False


def _equal_by_attributes(left: Any, right: Any) -> bool:
    return _equal_attributes(left, right)


def _equal_attributes(left: Any, right: Any) -> bool:
    """Compares the attributes of two objects, without the values of cached properties, which are computed again."""
    kind: Any = type(left)
    if hasattr(left, "__dict__") and not _equal_dicts(
        _without_cached_properties(kind, vars(left)), _without_cached_properties(kind, vars(right))
    ):
        return False
    slots = [name for name in _slots(kind) if name not in ("__dict__", "__weakref__")]
    return all(exact(getattr(left, name, _MISSING), getattr(right, name, _MISSING)) for name in slots)


def _without_cached_properties(kind: type, held: dict[str, Any]) -> dict[str, Any]:
    return {
        name: attribute
        for name, attribute in held.items()
        if not isinstance(getattr(kind, name, None), cached_property)
    }


def _attributes_beside(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The attributes of a dataclass that are no fields."""
    held = getattr(value, "__dict__", {})
    more = {} if len(held) <= len(names) else {name: attribute for name, attribute in held.items() if name not in names}
    return _without_cached_properties(type(value), more)


def _slots(kind: type) -> list[str]:
    named = [vars(base).get("__slots__", ()) for base in kind.__mro__]
    return _concatenate((slots,) if isinstance(slots, str) else slots for slots in named)


def _model_of(kind: type[pydantic.BaseModel]) -> Callable[[Any, Any], bool]:
    names = tuple(kind.model_fields)

    def check(left: Any, right: Any) -> bool:
        mine, other = left.__dict__, right.__dict__
        for name in names:
            left_value, right_value = mine.get(name, _MISSING), other.get(name, _MISSING)
            if left_value is right_value:
                continue
            if type(left_value) is type(right_value) and type(left_value) in ATOMS:
                if left_value != right_value:
                    return False
            elif not exact(left_value, right_value):
                return False
        if left.__pydantic_fields_set__ != right.__pydantic_fields_set__:
            return False
        if len(mine) > len(names) and _without_cached_properties(
            kind, {name: mine[name] for name in mine.keys() - names}
        ):
            return False
        more, hidden = left.__pydantic_extra__, left.__pydantic_private__
        return (not more or exact(more, right.__pydantic_extra__)) and (
            not hidden or exact(hidden, right.__pydantic_private__)
        )

    return check


def _dataclass_of(kind: Any) -> Callable[[Any, Any], bool]:
    names = tuple(field.name for field in dataclasses.fields(kind))

    def check(left: Any, right: Any) -> bool:
        if not all(exact(getattr(left, name, _MISSING), getattr(right, name, _MISSING)) for name in names):
            return False
        return _equal_dicts(_attributes_beside(left, names), _attributes_beside(right, names))

    return check


def _new_check(kind: Any) -> Callable[[Any, Any], bool]:
    if known := _CHECKS.get(kind):
        return known
    if issubclass(kind, enum.Enum):
        return _equal_by_identity
    if issubclass(kind, pydantic.BaseModel):
        return _model_of(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass_of(kind)
    for base, check in ((datetime, _equal_datetimes), (time, _equal_datetimes), (tuple, _equal_sequences)):
        if issubclass(kind, base):
            return check
    return _equal_by_attributes if kind.__eq__ is object.__eq__ else _equal_by_eq


# The cache is bounded, so that a program that makes classes at runtime can free them.
_check_of: Callable[[Any], Callable[[Any, Any], bool]] = lru_cache(maxsize=2048)(_new_check)


def _equal_by_identity(left: Any, right: Any) -> bool:
    return left is right or bool(left == right)


_CHECKS: dict[type, Callable[[Any, Any], bool]] = {
    float: _equal_floats,
    complex: _equal_reprs,
    Decimal: _equal_reprs,
    list: _equal_lists,
    tuple: _equal_sequences,
    deque: _equal_deques,
    dict: _equal_dicts,
    OrderedDict: _equal_dicts,
    defaultdict: _equal_defaultdicts,
    set: _equal_sets,
    frozenset: _equal_sets,
    datetime: _equal_datetimes,
    time: _equal_datetimes,
    timezone: _equal_fixed_zones,
    TzInfo: _equal_by_identity,
}
