"""Imports pydantic without work that a start of a function has no use for: a twentieth of the start's CPU time.

`pydantic_core.core_schema` describes pydantic's schemas for type checkers, in 87 `TypedDict` classes (pydantic-core
2.50). Python compiles each of their 850 annotations, and nothing asks for any. Here these classes are made
without that. The frozen records of pydantic and of annotated_types compile their methods when they are first used, as
those of stepfast do. Import it before anything that imports pydantic. If pydantic is imported already, nothing is done.
If a pydantic cannot be imported in this way, it is imported as usual.
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

COMPILED = "pydantic_core._pydantic_core"
"""The part in Rust, which a process can load only once."""
PACKAGES = frozenset({"annotated_types", "pydantic", "pydantic_core"})
"""What is forgotten, and imported anew when it is needed, where the quick way fails."""


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


def _import_all() -> None:
    # Where pydantic-core takes `TypedDict` from, by the version of Python.
    home = importlib.import_module("typing" if sys.version_info >= (3, 12) else "typing_extensions")
    with _in_place(home, "TypedDict", _TypedDict()):
        importlib.import_module(SCHEMAS)
    with _in_place(dataclasses, "dataclass", records.dataclass):
        for name in RECORDS:
            importlib.import_module(name)


def import_pydantic() -> None:
    """Imports pydantic, unless it is imported already. Nothing else may run in the process meanwhile."""
    if "pydantic_core" in sys.modules or "pydantic" in sys.modules:
        return
    try:
        _import_all()
    except Exception:  # such as of a version that makes its classes in another way
        for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES and name != COMPILED]:
            del sys.modules[name]


import_pydantic()
