"""Replaces Python's clocks and random numbers by those of `determinism`, once for the process.

- Functions of `time`, `random` and `os` are replaced by name, also in modules that were loaded earlier and hold them
  (`from time import time`). Methods of `datetime` are replaced in the class. The class is written in C, so Python code
  cannot assign to it: its dictionary is reached through the garbage collector, and PyType_Modified clears the caches
  of the interpreter. The class itself stays, so isinstance, pickle and pydantic work as before.
- time-machine casts what it finds under these names to a C struct, without a check, and crashes on anything but the
  originals (its _time_machine.c, 3.6). So the originals are put back while it patches or unpatches them, and are
  replaced again afterwards. freezegun replaces names as well; its times are let through.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.abc
import importlib.util
import os
import random
import sys
import time
import types
import uuid
from collections.abc import Callable
from datetime import date, datetime
from importlib.machinery import ModuleSpec
from typing import Any

from stepfast.frames import with_code
from stepfast.replay import determinism
from stepfast.replay.determinism import generator_of, intercepted, loop_of_workflow, seed_of

_METHODS: dict[str, tuple[type[date], Callable[..., Any]]] = {
    "now": (datetime, determinism.now),
    "utcnow": (datetime, determinism.utcnow),
    "today": (date, determinism.today),
}
"""By the name of the method: its class, and the replacement for workflow code."""
_UNPATCHED = sys.stdlib_module_names | {"stepfast", "time_machine", "_time_machine", "freezegun"}
"""Packages whose modules keep the functions that they hold, since they do not use them for the workflow."""


# -- names of modules --------------------------------------------------------------------------------

_names: list[tuple[types.ModuleType, str, Any, Any]] = []
"""Module, name, original, replacement."""
_seen: set[str] = set()
"""Names of the modules that were searched for originals."""


def _replace_names() -> None:
    for module, name, original, replacement in _names:
        if getattr(module, name) is original:
            setattr(module, name, replacement)
    held = {id(original): replacement for _, _, original, replacement in _names}
    for name, module in list(sys.modules.items()):
        if name in _seen or name.partition(".")[0] in _UNPATCHED or not isinstance(module, types.ModuleType):
            continue
        _seen.add(name)
        for key, value in list(vars(module).items()):
            if type(value) is types.BuiltinFunctionType and id(value) in held:
                setattr(module, key, held[id(value)])


def _restore_names() -> None:
    for module, name, original, replacement in _names:
        if module is time and getattr(module, name) is replacement:
            setattr(module, name, original)


# -- methods of datetime -------------------------------------------------------------------------------

_methods: list[tuple[dict[str, Any], str, Any, Any]] = []
"""Dictionary of the class, name, original descriptor, replacement."""


def _prepare_methods() -> None:
    for name, (kind, replacement) in _METHODS.items():
        attributes: dict[str, Any] = gc.get_referents(kind.__dict__)[0]
        _methods.append((attributes, name, attributes[name], _class_method(attributes[name], replacement)))


def _class_method(original: Any, replacement: Any) -> Any:
    def method(cls: type[date], *args: Any, **kwargs: Any) -> Any:
        real = original.__get__(None, cls)
        loop = loop_of_workflow()
        return real(*args, **kwargs) if loop is None else replacement(loop, real, *args, **kwargs)

    method.__name__, method.__qualname__, method.__doc__ = original.__name__, original.__qualname__, original.__doc__
    return classmethod(method)


def _set_methods(*, originals: bool) -> None:
    for attributes, name, original, replacement in _methods:
        attributes[name] = original if originals else replacement
    if _methods:
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(date))  # for all subclasses too, such as datetime


# -- random and uuid -----------------------------------------------------------------------------------


class _SharedRandom(random.Random):
    """The generator behind the functions of `random`. In workflow code it delegates to a generator of the workflow.

    All other methods draw by random() and getrandbits(), also methods that a module took before the replacement.
    """

    def random(self) -> float:
        loop = loop_of_workflow()
        return super().random() if loop is None else generator_of(loop).random()

    def getrandbits(self, k: int, /) -> int:
        loop = loop_of_workflow()
        return super().getrandbits(k) if loop is None else generator_of(loop).getrandbits(k)

    def seed(self, *args: Any, **kwargs: Any) -> None:
        loop = loop_of_workflow()
        return super().seed(*args, **kwargs) if loop is None else generator_of(loop).seed(*args, **kwargs)

    def getstate(self) -> Any:
        loop = loop_of_workflow()
        return super().getstate() if loop is None else generator_of(loop).getstate()

    def setstate(self, state: Any) -> None:
        loop = loop_of_workflow()
        return super().setstate(state) if loop is None else generator_of(loop).setstate(state)

    @property
    def gauss_next(self) -> float | None:
        """gauss() makes two numbers at a time; this is the second, for its next call."""
        loop = loop_of_workflow()
        return vars(self).get("gauss_next") if loop is None else generator_of(loop).gauss_next  # type: ignore[attr-defined]

    @gauss_next.setter
    def gauss_next(self, value: float | None) -> None:
        loop = loop_of_workflow()
        if loop is None:
            vars(self)["gauss_next"] = value
        else:
            generator_of(loop).gauss_next = value  # type: ignore[attr-defined]


def _prepare_random() -> None:
    shared: Any = random._inst
    shared.__class__ = _SharedRandom
    for name in ("random", "getrandbits", "seed", "getstate", "setstate"):
        _names.append((random, name, getattr(random, name), getattr(shared, name)))
    seed: Any = random.Random.seed

    def seeded(self: random.Random, a: Any = None, *args: Any, **kwargs: Any) -> None:
        if a is None and (loop := loop_of_workflow()) is not None:
            a = seed_of(loop)
        seed(self, a, *args, **kwargs)

    random.Random.seed = seeded  # type: ignore[method-assign]


def _prepare_uuids() -> None:
    """Replaces the code of the functions, not their names: authors write `from uuid import uuid4` first."""
    for name in determinism.UUIDS:
        function = getattr(uuid, name, None)
        if function is None:
            continue
        function.__globals__["_stepfast_uuid"] = make_uuid
        _plain_uuids[name] = with_code(function, _UUIDS[name].__code__)


_plain_uuids: dict[str, Any] = {}


def make_uuid(name: str, *args: Any) -> uuid.UUID:
    loop = loop_of_workflow()
    made: uuid.UUID = _plain_uuids[name](*args) if loop is None else determinism.UUIDS[name](loop, *args)
    return made


# The code of these functions runs with the globals of the module uuid, where `_stepfast_uuid` is `make_uuid`.
def _uuid1(node=None, clock_seq=None):  # type: ignore[no-untyped-def]
    return _stepfast_uuid("uuid1", node, clock_seq)  # type: ignore[name-defined]  # noqa: F821


def _uuid4():  # type: ignore[no-untyped-def]
    return _stepfast_uuid("uuid4")  # type: ignore[name-defined]  # noqa: F821


def _uuid6(node=None, clock_seq=None):  # type: ignore[no-untyped-def]
    return _stepfast_uuid("uuid6", node, clock_seq)  # type: ignore[name-defined]  # noqa: F821


def _uuid7():  # type: ignore[no-untyped-def]
    return _stepfast_uuid("uuid7")  # type: ignore[name-defined]  # noqa: F821


_UUIDS: dict[str, Any] = {"uuid1": _uuid1, "uuid4": _uuid4, "uuid6": _uuid6, "uuid7": _uuid7}


# -- installing it all, and time-machine -------------------------------------------------------------------


def install() -> None:
    """Replaces everything that is not replaced yet. Repeating it changes nothing."""
    if not _names:
        _prepare()
    _replace_names()
    _set_methods(originals=False)


def _restore() -> None:
    """Puts back the originals of everything that time-machine touches."""
    _restore_names()
    _set_methods(originals=True)


def _prepare() -> None:
    for name, replacement in determinism.CLOCKS.items():
        original = getattr(time, name, None)  # not every system has every clock
        if original is not None:
            _names.append((time, name, original, intercepted(original, replacement)))
    _prepare_random()
    refused = intercepted(os.urandom, determinism.secret("os.urandom() (as secrets and random.SystemRandom do)"))
    _names.append((random, "_urandom", os.urandom, refused))
    _names.append((os, "urandom", os.urandom, refused))
    if hasattr(os, "getrandom"):
        _names.append((os, "getrandom", os.getrandom, intercepted(os.getrandom, determinism.secret("os.getrandom()"))))
    _prepare_uuids()
    if sys.implementation.name == "cpython":
        _prepare_methods()
    if "_time_machine" in sys.modules:
        _step_aside_for(sys.modules["_time_machine"])
    else:
        sys.meta_path.insert(0, _Finder())


def check() -> None:
    """Installs the replacements again if somebody has undone them. It is called for every replay, and cheap."""
    if time.time is _names[0][2]:
        install()


def _step_aside_for(machine: Any) -> None:
    """Wraps the functions by which time-machine patches and unpatches. Before version 3 it patches once, for good."""
    for name in ("patch", "patch_if_needed", "unpatch"):
        if hasattr(machine, name):
            setattr(machine, name, _on_originals(getattr(machine, name)))


def _on_originals(function: Callable[..., Any]) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        _restore()
        try:
            return function(*args, **kwargs)
        finally:
            install()

    return call


class _Finder(importlib.abc.MetaPathFinder):
    """A finder that waits for the import of time-machine's C module, and then removes itself."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != "_time_machine":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            sys.meta_path.insert(0, self)
            return None
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            _on_originals(execute)(module)
            _step_aside_for(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
