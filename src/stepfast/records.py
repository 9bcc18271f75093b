"""Frozen dataclasses whose methods are compiled when they are first used, and not when their class is made.

The standard library writes the methods of each dataclass as text and compiles it when the module is imported. No
bytecode file has them. With 216 such classes that was a quarter of the cold start of a function, which then
uses the methods of few of them. `dataclass` here is for `@dataclass(frozen=True, slots=True)`. The standard library's
does everything else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

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


def _frozen_slots(cls: type) -> Any:
    if not cls.__doc__:
        cls.__doc__ = cls.__name__
    # Nothing of this is compiled, and the class that is returned is a new one, with slots.
    kind: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
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
            return dataclasses.dataclass(**options)(cls)  # a derived class takes fields and rules from its bases
        return _frozen_slots(cls)
