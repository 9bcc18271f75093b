"""Imports pydantic without work that a start of a function has no use for: a twentieth of the start's CPU time.

`pydantic_core.core_schema` describes pydantic's schemas for type checkers, in 87 `TypedDict` classes (pydantic-core
2.50). Python compiles each of their 850 annotations, and nothing asks for any. Here these classes are made
without that. The frozen records of pydantic and of annotated_types compile their methods when they are first used, as
those of stepfast do. Import it before anything that imports pydantic. If pydantic is imported already, nothing is done.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stepfast import records

SCHEMAS = "pydantic_core.core_schema"
RECORDS = ("annotated_types", "pydantic.types", "pydantic.json_schema", "pydantic.type_adapter")
"""Modules whose import brings nearly all records of these packages, and what the first request needs of pydantic."""


class _Described(type):
    """The class of a typed dictionary whose annotations stay texts. To call one makes a `dict`, as of any other."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any], total: bool = True) -> Any:
        inherited = {name: kind for base in bases for name, kind in inspect.get_annotations(base).items()}
        annotations = inherited | body.get("__annotations__", {})
        body = {**body, "__annotations__": annotations, "__total__": total}
        return type.__new__(cls, name, (dict,), body)

    def __init__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any], total: bool = True) -> None:
        super().__init__(name, bases, body)

    def __call__(cls, *args: Any, **values: Any) -> Any:
        return dict(*args, **values)


class _TypedDict:
    """Stands for `typing.TypedDict` as a base class."""

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        return (_BASE,)


_BASE: Any = type.__new__(_Described, "TypedDict", (dict,), {})


@contextmanager
def _in_place(module: Any, name: str, stand_in: Any) -> Iterator[None]:
    held = getattr(module, name)
    setattr(module, name, stand_in)
    try:
        yield
    finally:
        setattr(module, name, held)


if "pydantic_core" not in sys.modules and "pydantic" not in sys.modules:
    # Nothing else runs while a sandbox is imported, so no other module sees these.
    # Where pydantic-core takes `TypedDict` from, by the version of Python.
    _home = importlib.import_module("typing" if sys.version_info >= (3, 12) else "typing_extensions")
    with _in_place(_home, "TypedDict", _TypedDict()):
        importlib.import_module(SCHEMAS)
    with _in_place(dataclasses, "dataclass", records.dataclass):
        for _name in RECORDS:
            importlib.import_module(_name)
