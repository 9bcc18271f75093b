"""Frozen dataclasses whose methods are compiled when they are first used, and not when their class is made.

The standard library writes the methods of each dataclass as text and compiles it when the module is imported. No
bytecode file has them. With 216 such classes that was a quarter of the cold start of a function, which then
uses the methods of few of them. `dataclass` here is for `@dataclass(frozen=True, slots=True)`. The standard library's
does everything else.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, MemberDescriptorType, MethodType
from typing import TYPE_CHECKING, Any

_standard = dataclasses.dataclass
"""Bound here, since `functions/quick_pydantic.py` puts `dataclass` of this module in its place for a while."""
_LATER = ("__init__", "__repr__", "__eq__", "__hash__")
_OWN = frozenset((*_LATER, "__setattr__", "__delattr__", "__getstate__", "__setstate__"))


class _LateMethod:
    """Stands for a method in the class until the method is looked up, and puts the real one into its place."""

    __slots__ = ("_frozen", "_kind", "_name")

    def __init__(self, kind: type, name: str, frozen: bool = True) -> None:
        self._kind, self._name, self._frozen = kind, name, frozen

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        # Two threads may both compile it, with the same result.
        made = _compiled(self._kind, self._name, self._frozen)
        setattr(self._kind, self._name, made)
        return made if instance is None else MethodType(made, instance)


def quick_init(kind: type) -> None:
    """Gives a class the `__init__` of a plain dataclass, which assigns to the fields."""
    setattr(kind, "__init__", _LateMethod(kind, "__init__", frozen=False))  # noqa: B010


def _compiled(kind: type, name: str, frozen: bool) -> Any:
    """The method as the standard library makes it, taken from a class with the same fields."""
    own = dataclasses.fields(kind)
    body: dict[str, Any] = {each.name: _copy_of(each) for each in own}
    body |= {"__annotations__": {each.name: each.type for each in own}, "__module__": kind.__module__}
    body |= {"__doc__": "Only a method is used. Without a text here its signature would become one."}
    if (after := getattr(kind, "__post_init__", None)) is not None:
        body["__post_init__"] = after
    compares = name in ("__eq__", "__hash__")
    make = dataclasses.dataclass(
        init=name == "__init__",
        repr=name == "__repr__",
        eq=compares,
        unsafe_hash=name == "__hash__",
        frozen=frozen and name == "__init__",
    )
    made = vars(make(type(kind.__name__, (), body)))[name]
    getattr(made, "__wrapped__", made).__qualname__ = made.__qualname__ = f"{kind.__qualname__}.{name}"
    return made


def _copy_of(field: Any) -> Any:
    options = {name: getattr(field, name) for name in ("init", "repr", "hash", "compare", "metadata", "kw_only")}
    if field.default is not dataclasses.MISSING:
        options["default"] = field.default
    if field.default_factory is not dataclasses.MISSING:
        options["default_factory"] = field.default_factory
    return dataclasses.field(**options)


@dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)
class _Sample:
    """Made by the standard library. Parts that all of its dataclasses share are taken from here."""

    field: int


_OF_ALL = {name: value for name, value in vars(_Sample).items() if name == "__replace__"}  # of Python 3.13
_MARK = dataclasses.fields(_Sample)[0]._field_type  # type: ignore[attr-defined]
_SPECIAL = ("ClassVar", "InitVar", "KW_ONLY")


def _with_slots(cls: type) -> Any:
    """The dataclass of a class, with slots and without any compiled method."""
    body = dict(vars(cls))
    annotations = body.get("__annotations__", {})
    if sys.version_info >= (3, 14) or not _is_plain(cls, body, annotations):
        return _standard(init=False, repr=False, eq=False, slots=True)(cls)
    # As the standard library does it, for a class without anything out of the ordinary, in an eighth of the time.
    fields: dict[str, Any] = {}
    for name, annotation in annotations.items():
        default = body.pop(name, dataclasses.MISSING)
        field: Any = default if isinstance(default, dataclasses.Field) else dataclasses.field(default=default)
        field.name, field.type, field._field_type = name, annotation, _MARK
        if field.kw_only is dataclasses.MISSING:
            field.kw_only = False
        fields[name] = field
    del body["__dict__"], body["__weakref__"]
    body |= {"__slots__": tuple(fields), "__dataclass_fields__": fields, **_OF_ALL}
    body["__match_args__"] = tuple(name for name, each in fields.items() if each.init and not each.kw_only)
    # One for each class, since a caller changes it.
    body["__dataclass_params__"] = copy.copy(vars(_Sample)["__dataclass_params__"])
    kind = type(cls.__name__, (), body)
    kind.__qualname__ = cls.__qualname__
    return kind


def _is_plain(cls: type, body: dict[str, Any], annotations: dict[str, Any]) -> bool:
    """Whether no special rule of the standard library applies to a class."""
    if type(cls) is not type or cls.__bases__ != (object,) or "__slots__" in body or "__match_args__" in body:
        return False
    for name, annotation in annotations.items():
        value = body.get(name)
        if not isinstance(annotation, str) or any(word in annotation for word in _SPECIAL):
            return False
        if isinstance(value, dataclasses.Field):
            value = value.default
        if type(value).__hash__ is None or isinstance(value, MemberDescriptorType):
            return False  # a default that all instances would share is refused
    fields = sum(isinstance(value, dataclasses.Field) for value in body.values())
    if fields != sum(isinstance(body.get(name), dataclasses.Field) for name in annotations):
        return False  # a field without an annotation is refused
    # `super()` and `__class__` in a method mean the class that it was written in.
    return not any("__class__" in function.__code__.co_freevars for function in _functions(body))


def _functions(body: dict[str, Any]) -> Iterator[FunctionType]:
    for value in body.values():
        held = [value.fget, value.fset, value.fdel] if isinstance(value, property) else [value]
        for each in held:
            function = getattr(each, "__func__", getattr(each, "func", each))
            if isinstance(function, FunctionType):
                yield function


def _frozen_slots(cls: type) -> Any:
    if not cls.__doc__:
        cls.__doc__ = cls.__name__
    # Nothing of this is compiled, and the class that is returned is a new one, with slots.
    kind: Any = _with_slots(cls)
    parameters = kind.__dataclass_params__
    parameters.init = parameters.repr = parameters.eq = parameters.frozen = True
    for name in _LATER:
        setattr(kind, name, _LateMethod(kind, name))
    names = frozenset(kind.__dataclass_fields__)

    def refuse_to_set(self: Any, name: str, value: Any) -> None:
        if type(self) is kind or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(kind, self).__setattr__(name, value)

    def refuse_to_delete(self: Any, name: str) -> None:
        if type(self) is kind or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(kind, self).__delattr__(name)

    kind.__setattr__, kind.__delattr__ = refuse_to_set, refuse_to_delete
    kind.__getstate__, kind.__setstate__ = _state, _set_state  # pickle and copy assign no fields
    return kind


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: Any) -> Callable[[type], type] | type:
        """As `dataclasses.dataclass`, with the same results. Only the moment of compiling differs."""
        if cls is None:
            return lambda each: dataclass(each, **options)
        plain = options == {"frozen": True, "slots": True} and not _OWN & vars(cls).keys()
        if not plain or hasattr(cls, "__dataclass_fields__"):
            return _standard(**options)(cls)  # a derived class takes fields and rules from its bases
        return _frozen_slots(cls)
