"""Whether two values are equal in type and behaviour, and whether a value is plain JSON. Pure.

`==` is not enough: True equals 1, a datetime in Berlin equals the same instant in UTC, an OrderedDict equals a dict,
and pydantic's models are equal whichever of their fields were set. Collections are compared column by column, so
that most of the work is done by the interpreter's own loops; both functions take time in proportion to the value.
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
"""Types whose own `==` says all about two values of the same type."""
_BUILTIN = (str, int, float, bytes, list, dict, set, frozenset, date, timedelta, Decimal)
_MISSING = object()
_FEW = 4
_DEEPEST = 190


def plain(value: Any) -> bool:
    """True for what JSON itself has, of exactly the types that a JSON reader makes, and no deeper than readers go."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        if not level:
            return True
        kinds = set(map(type, level))
        if not kinds <= _JSON_TYPES or (int in kinds and not _readable(level, kinds)):
            return False
        if kinds <= JSON_ATOMS:
            return True
        dicts = level if kinds == {dict} else [one for one in level if type(one) is dict]
        if not set(map(type, chain.from_iterable(dicts))) <= _TEXT:
            return False
        lists = level if kinds == {list} else [one for one in level if type(one) is list]
        level = list(chain(chain.from_iterable(lists), chain.from_iterable(map(dict.values, dicts))))
    return False


def _readable(level: list[Any], kinds: set[type]) -> bool:
    """False for integers that are too long for readers of JSON, Python's own among them."""
    integers = level if len(kinds) == 1 else [one for one in level if type(one) is int]
    return min(integers) > -_LONGEST and max(integers) < _LONGEST


_LONGEST = 10**4000
_TEXT = frozenset({str})
_JSON_TYPES = JSON_ATOMS | {list, dict}


def exact(left: Any, right: Any) -> bool:
    """True when two values are of the same types and equal, in all parts: keys' order, fields set, zones, fold.

    Two objects of a class without `__eq__` are compared by their attributes.
    """
    if left is right:
        return True
    kind: Any = type(left)
    if kind is not type(right):
        return fixed(left) and fixed(right) and bool(left == right)  # two classes of time zones that say the same
    if kind in ATOMS:
        return bool(left == right)
    check: Callable[[Any, Any], bool] = _check_of(cast(Hashable, kind))
    return check(left, right)


def fixed(zone: Any) -> bool:
    """True for a time zone that is an offset and nothing else: pydantic's own class, or a timezone without a name."""
    return type(zone) is TzInfo or (type(zone) is timezone and str(zone) == str(timezone(zone.utcoffset(None))))


def _columns(lefts: list[Any], rights: list[Any]) -> bool:
    """Compares two lists of the same length, whose items belong together by position."""
    if len(lefts) <= _FEW:
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
        return lefts == rights and (0.0 not in lefts or all(map(_same_float, lefts, rights)))
    if kind is list or kind is tuple:
        return list(map(len, lefts)) == list(map(len, rights)) and _columns(_joined(lefts), _joined(rights))
    if kind is dict:
        return _columns(_joined(map(list, lefts)), _joined(map(list, rights))) and _dicts(lefts, rights)
    return all(map(_check_of(kind), lefts, rights))


def _joined(lists: Iterable[Any]) -> list[Any]:
    return list(chain.from_iterable(lists))


def _dicts(lefts: list[Any], rights: list[Any]) -> bool:
    """Of the same keys in all."""
    if list(map(len, lefts)) != list(map(len, rights)):
        return False
    return _columns(_joined(map(dict.values, lefts)), _joined(map(dict.values, rights)))


def _same_float(left: Any, right: Any) -> bool:
    return bool(left == right) and math.copysign(1.0, left) == math.copysign(1.0, right)


def _same_text(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)


def _list(left: Any, right: Any) -> bool:
    return len(left) == len(right) and _columns(left, right)


def _sequence(left: Any, right: Any) -> bool:
    return len(left) == len(right) and _columns(list(left), list(right))


def _deque(left: Any, right: Any) -> bool:
    return left.maxlen == right.maxlen and _sequence(left, right)


def _dict(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    return _columns(list(left), list(right)) and _columns(list(left.values()), list(right.values()))


def _defaultdict(left: Any, right: Any) -> bool:
    return left.default_factory is right.default_factory and _dict(left, right)


def _set(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    try:
        held = {one: one for one in right}
        return all(exact(one, held.get(one, _MISSING)) for one in left)
    except Exception:  # members whose own __eq__ breaks
        return False


def _datetime(left: Any, right: Any) -> bool:
    if left.fold != right.fold or not zone_kept(left.tzinfo, right.tzinfo):
        return False
    # Python calls times in an hour that comes twice unequal to those of any other zone, hence not `==` of the two.
    return bool(left == right or left.replace(tzinfo=None) == right.replace(tzinfo=None))


def zone_kept(left: tzinfo | None, right: tzinfo | None) -> bool:
    """False for a zone whose rules or name have become an offset."""
    if left is right:
        return True
    return left is not None and right is not None and exact(left, right)


def _fixed_zone(left: Any, right: Any) -> bool:
    return bool(left == right) and left.tzname(None) == right.tzname(None)


def _by_eq(left: Any, right: Any) -> bool:
    try:
        # The `==` of a str or int knows nothing of what a subclass adds; other classes write their own.
        return bool(left == right) and (not isinstance(left, _BUILTIN) or _attributes(left, right))
    except Exception:  # arrays and the like
        return False


def _by_attributes(left: Any, right: Any) -> bool:
    return _attributes(left, right)


def _attributes(left: Any, right: Any) -> bool:
    """Compares what an object holds, but for what a cached_property has worked out and will again."""
    kind: Any = type(left)
    if hasattr(left, "__dict__") and not _dict(_own(kind, vars(left)), _own(kind, vars(right))):
        return False
    slots = [name for name in _slots(kind) if name not in ("__dict__", "__weakref__")]
    return all(exact(getattr(left, one, _MISSING), getattr(right, one, _MISSING)) for one in slots)


def _own(kind: type, held: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in held.items() if not isinstance(getattr(kind, name, None), cached_property)}


def _besides(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """What a dataclass holds besides its fields."""
    held = getattr(value, "__dict__", {})
    more = {} if len(held) <= len(names) else {name: one for name, one in held.items() if name not in names}
    return _own(type(value), more)


def _slots(kind: type) -> list[str]:
    named = [vars(one).get("__slots__", ()) for one in kind.__mro__]
    return _joined((one,) if isinstance(one, str) else one for one in named)


def _model_of(kind: type[pydantic.BaseModel]) -> Callable[[Any, Any], bool]:
    names = tuple(kind.model_fields)

    def check(left: Any, right: Any) -> bool:
        mine, other = left.__dict__, right.__dict__
        for name in names:
            one, two = mine.get(name, _MISSING), other.get(name, _MISSING)
            if one is two:
                continue
            if type(one) is type(two) and type(one) in ATOMS:
                if one != two:
                    return False
            elif not exact(one, two):
                return False
        if left.__pydantic_fields_set__ != right.__pydantic_fields_set__:
            return False
        if len(mine) > len(names) and _own(kind, {name: mine[name] for name in mine.keys() - names}):
            return False
        more, hidden = left.__pydantic_extra__, left.__pydantic_private__
        return (not more or exact(more, right.__pydantic_extra__)) and (
            not hidden or exact(hidden, right.__pydantic_private__)
        )

    return check


def _dataclass_of(kind: Any) -> Callable[[Any, Any], bool]:
    names = tuple(one.name for one in dataclasses.fields(kind))

    def check(left: Any, right: Any) -> bool:
        if not all(exact(getattr(left, one, _MISSING), getattr(right, one, _MISSING)) for one in names):
            return False
        return _dict(_besides(left, names), _besides(right, names))

    return check


def _new_check(kind: Any) -> Callable[[Any, Any], bool]:
    if known := _CHECKS.get(kind):
        return known
    if issubclass(kind, enum.Enum):
        return _by_identity
    if issubclass(kind, pydantic.BaseModel):
        return _model_of(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass_of(kind)
    for base, check in ((datetime, _datetime), (time, _datetime), (tuple, _sequence)):
        if issubclass(kind, base):
            return check
    return _by_attributes if kind.__eq__ is object.__eq__ else _by_eq


# A class is remembered for as long as the cache has room; a program that makes classes at runtime loses none to it.
_check_of: Callable[[Any], Callable[[Any, Any], bool]] = lru_cache(maxsize=2048)(_new_check)


def _by_identity(left: Any, right: Any) -> bool:
    return left is right or bool(left == right)


_CHECKS: dict[type, Callable[[Any, Any], bool]] = {
    float: _same_float,
    complex: _same_text,
    Decimal: _same_text,
    list: _list,
    tuple: _sequence,
    deque: _deque,
    dict: _dict,
    OrderedDict: _dict,
    defaultdict: _defaultdict,
    set: _set,
    frozenset: _set,
    datetime: _datetime,
    time: _datetime,
    timezone: _fixed_zone,
    TzInfo: _by_identity,
}
